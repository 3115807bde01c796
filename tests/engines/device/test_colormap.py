"""Colormaps on device frames against the CPU's."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from emocolor.effects import Colormap, ColormapOptions  # noqa: E402
from emocolor.gradients import parse_gradient  # noqa: E402
from engines.device.colormap import DeviceColormap, averaged_down  # noqa: E402
from tests.engines.device.device_frames import COLORS, DEVICES, crowd, differences  # noqa: E402


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("name", ["turbo", "hot", "#000000-#ff0000-#ffffff"])
def test_a_colormap_is_the_cpu_s(device: Any, color: Any, name: str) -> None:
    options = ColormapOptions(gradient=parse_gradient(name))
    for difference in differences(device, Colormap(options), DeviceColormap(options), crowd(), **color):
        assert not difference.any()


@pytest.mark.parametrize("device", DEVICES)
def test_a_weak_colormap_is_the_cpu_s_within_a_code_of_chroma(device: Any) -> None:
    options = ColormapOptions(strength=0.6)
    luma, chroma = differences(device, Colormap(options), DeviceColormap(options), crowd())
    assert not luma.any()
    assert abs(chroma).max() <= 1
    assert (chroma != 0).mean() < 0.02


def test_codes_are_averaged_with_halves_up() -> None:
    codes = torch.tensor([[0, 1, 255, 255], [0, 1, 255, 254]], dtype=torch.uint8)
    assert averaged_down(codes).tolist() == [[1, 255]]
