"""CIELAB on tensors: against OpenCV, back and forth, and with gradients."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' conversions need it")

from engines.nets.cielab import lab_to_rgb, lightness, linear_to_srgb, rgb_to_lab, srgb_to_linear  # noqa: E402


@pytest.fixture(scope="module")
def rgb():
    """(2, 3, 40, 50): all corners of the cube among random colours, dark ones too."""
    random = torch.rand(2, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    random[1] **= 4
    random[0, :, 0, :8] = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).T
    return random


def test_agrees_with_opencv(rgb):
    """Its float32 version interpolates: up to 0.6 off, and less than 0.1 on average."""
    ours = rgb_to_lab(rgb).permute(0, 2, 3, 1).numpy()
    theirs = np.stack(
        [cv2.cvtColor(np.ascontiguousarray(x), cv2.COLOR_RGB2LAB) for x in rgb.permute(0, 2, 3, 1).numpy()]
    )
    assert np.abs(ours - theirs).max() < 0.7
    assert np.abs(ours - theirs).mean() < 0.1


def test_known_colours():
    red_green_blue = rgb_to_lab(torch.eye(3).view(3, 3, 1, 1))[:, :, 0, 0]
    known = torch.tensor([[53.24, 80.09, 67.20], [87.74, -86.18, 83.18], [32.30, 79.19, -107.86]])  # CIE, D65
    assert torch.allclose(red_green_blue, known, atol=0.02)


def test_round_trip(rgb):
    assert (lab_to_rgb(rgb_to_lab(rgb)) - rgb).abs().max() < 1e-3
    assert (linear_to_srgb(srgb_to_linear(rgb)) - rgb).abs().max() < 1e-5


def test_colours_outside_srgb_are_clipped_or_kept():
    lab = torch.tensor([50.0, 120.0, -20.0]).view(1, 3, 1, 1)
    kept = lab_to_rgb(lab, clip=False)
    assert kept.max() > 1
    assert kept.min() < 0
    assert torch.equal(lab_to_rgb(lab), kept.clamp(0, 1))
    assert (rgb_to_lab(kept) - lab).abs().max() < 1e-2


def test_lightness_is_that_of_gray():
    gray = torch.linspace(0, 1, 256).view(1, 1, 16, 16)
    lab = rgb_to_lab(gray.expand(-1, 3, -1, -1))
    assert torch.allclose(lightness(gray), lab[:, :1], atol=1e-4)
    assert lab[:, 1:].abs().max() < 1e-3
    assert lightness(gray).min() == pytest.approx(0, abs=1e-4)
    assert lightness(gray).max() == pytest.approx(100, abs=1e-4)


def test_gradients_are_right_and_finite_at_black_and_white(rgb):
    colours = torch.cat([rgb[:1, :, :4, :8], torch.zeros(1, 3, 4, 8), torch.ones(1, 3, 4, 8)]).requires_grad_()
    (there,) = torch.autograd.grad(rgb_to_lab(colours).sum(), colours)
    lab = rgb_to_lab(colours.detach()).requires_grad_()
    (back,) = torch.autograd.grad(lab_to_rgb(lab, clip=False).sum(), lab)
    assert torch.isfinite(there).all()
    assert torch.isfinite(back).all()

    gray = torch.tensor([0.3, 0.7]).view(2, 1, 1, 1).requires_grad_()
    (slope,) = torch.autograd.grad(lightness(gray).sum(), gray)
    numeric = (lightness(gray + 1e-2) - lightness(gray - 1e-2)).detach() / 2e-2
    assert torch.allclose(slope, numeric, rtol=1e-2)


def test_autocast_does_not_round(rgb):
    with torch.autocast("cpu", torch.bfloat16):
        lab = rgb_to_lab(rgb)
        back = lab_to_rgb(lab)
    assert lab.dtype == back.dtype == torch.float32
    assert torch.equal(lab, rgb_to_lab(rgb))
    assert torch.equal(back, lab_to_rgb(lab))
