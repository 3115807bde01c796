"""Planes at another size, against OpenCV's."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engines.device.resize import area_weights, scaled  # noqa: E402
from tests.engines.device.device_frames import noise  # noqa: E402


@pytest.mark.parametrize("target", [(161, 91), (100, 60), (96, 54), (322, 182), (7, 5)])
def test_planes_shrink_as_opencv_s_do(target: tuple[int, int]) -> None:
    plane = noise(322, 182).luma.astype(np.float32)
    expected = cv2.resize(plane, target, interpolation=cv2.INTER_AREA)
    assert abs(scaled(torch.from_numpy(plane), target).numpy() - expected).max() < 1e-3


@pytest.mark.parametrize("target", [(644, 364), (400, 182), (323, 183)])
def test_planes_grow_as_opencv_s_do(target: tuple[int, int]) -> None:
    plane = noise(322, 182).luma.astype(np.float32)
    expected = cv2.resize(plane, target, interpolation=cv2.INTER_LINEAR)
    assert abs(scaled(torch.from_numpy(plane), target).numpy() - expected).max() < 2e-2


def test_weights_of_samples_add_up() -> None:
    weights = area_weights(1080, 359, torch.device("cpu"))
    assert torch.allclose(weights.sum(1), torch.ones(359))
