"""Coarse values scaled up along the edges of a guide."""

import numpy as np
import pytest

from emocolor.chroma.guided import guided_upsample


def frame_with_a_step(width, height, at):
    guide = np.full((height, width), 0.2, np.float32)
    guide[:, round(at * width) :] = 0.8
    return guide


def test_values_change_where_the_guide_does():
    """Bilinear scaling would spread the step over 8 px; the guide's step takes one."""
    coarse, fine = frame_with_a_step(32, 24, 0.5), frame_with_a_step(256, 192, 0.5)
    values = np.where(coarse[..., None] > 0.5, [0.3, -0.2], [-0.1, 0.1]).astype(np.float32)
    found = guided_upsample(values, coarse, fine)
    assert found.shape == (192, 256, 2)
    assert found[96, 126] == pytest.approx([-0.1, 0.1], abs=0.04)
    assert found[96, 129] == pytest.approx([0.3, -0.2], abs=0.04)


def test_a_flat_guide_leaves_smooth_values():
    values = np.linspace(-0.4, 0.4, 16, dtype=np.float32)[None, :, None].repeat(12, axis=0)
    found = guided_upsample(values, np.full((12, 16), 0.5, np.float32), np.full((48, 64), 0.5, np.float32))
    assert (np.diff(found[24, 8:-8, 0]) >= -1e-6).all()
    assert found[24, 32, 0] == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_give_numbers(level):
    flat = np.full((8, 8), level, np.float32)
    found = guided_upsample(np.zeros((8, 8, 2), np.float32), flat, np.full((32, 32), level, np.float32))
    assert np.isfinite(found).all()
    assert not found.any()
