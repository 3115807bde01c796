"""The nets of seven styles: their sizes, and what a mixture does."""

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from torch import nn  # noqa: E402

from engines.nets.s3_transformer import S3Transformer  # noqa: E402
from engines.nets.style_net import IDENTITY, LAYOUTS, SETS, StyleLayout, StyleNet  # noqa: E402

NARROW = {
    "full": StyleLayout(widths=(4, 6, 8), blocks=2),
    "fast": StyleLayout(widths=(4, 8), blocks=2, separable=True),
}


def one(*places):
    """A mixture of these styles in equal parts."""
    mixture = torch.zeros(1, SETS)
    mixture[0, list(places)] = 1 / len(places)
    return mixture


@pytest.fixture(params=NARROW)
def net(request):
    """A narrow net whose styles differ, as they do after training."""
    torch.manual_seed(0)
    net = StyleNet(NARROW[request.param]).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.split(".")[-1] in ("scale", "shift", "keep", "gain", "tone"):
                parameter += 0.3 * torch.randn(parameter.shape)
    return net


@pytest.fixture
def rgb():
    return torch.rand(1, 3, 40, 44, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [(36, 36), (64, 40), (36, 132)])
def test_images_keep_their_size(size, net):
    with torch.inference_mode():
        assert net(torch.rand(1, 3, *size), one(2)).shape == (1, 3, *size)


def test_the_nets_that_ship_have_the_stated_size():
    full, fast = (sum(p.numel() for p in StyleNet(layout).parameters()) for layout in LAYOUTS.values())
    assert (full, fast) == (1_701_684, 62_468)
    kinds = [module for module in StyleNet(LAYOUTS["full"]).modules() if isinstance(module, nn.Conv2d)]
    paper = [module for module in S3Transformer().modules() if isinstance(module, nn.Conv2d)]
    assert sorted(conv.weight.shape for conv in kinds) == sorted(conv.weight.shape for conv in paper)


def test_the_identity_gives_the_image_back_to_the_last_bit(net, rgb):
    with torch.inference_mode():
        assert torch.equal(net(rgb, one(IDENTITY)), rgb)
        assert not torch.allclose(net(rgb, one(0)), rgb, atol=0.05)


def test_strength_has_no_step(net, rgb):
    with torch.inference_mode():
        painted = [net(rgb, (1 - s) * one(IDENTITY) + s * one(3)) for s in torch.linspace(0, 1, 65)]
    steps = [float((b - a).abs().max()) for a, b in pairwise(painted)]
    whole = float((painted[-1] - painted[0]).abs().max())
    assert max(steps) < 0.1 * whole
    assert steps[0] < 0.1 * whole


def test_a_mixture_takes_the_mixture_of_scales_and_shifts(net, rgb):
    """A net all of whose styles are the mean of two paints as the mixture of these two does."""
    with torch.inference_mode():
        mixed = net(rgb, one(1, 4))
        for name, parameter in net.named_parameters():
            if name.split(".")[-1] in ("scale", "shift", "keep", "gain", "tone"):
                parameter[:IDENTITY] = (parameter[1] + parameter[4]) / 2
        assert torch.allclose(net(rgb, one(6)), mixed, atol=1e-5)


def test_a_batch_may_mix_styles_one_by_one(net, rgb):
    images, mixtures = rgb.expand(3, -1, -1, -1), torch.cat([one(0), one(5), one(2, 3)])
    with torch.inference_mode():
        together = net(images, mixtures)
        for row, mixture in enumerate(mixtures):
            assert torch.allclose(together[row], net(rgb, mixture[None])[0], atol=1e-5)


def test_bfloat16_changes_little(net, rgb):
    with torch.inference_mode():
        plain = net(rgb, one(0))
        with torch.autocast("cpu", torch.bfloat16):
            fast = net(rgb, one(0))
    assert fast.dtype == torch.float32
    assert (fast - plain).abs().mean() < 0.05 * (plain - rgb).abs().mean()
