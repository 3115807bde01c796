"""The tint on device frames against the CPU's."""

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from emocolor.effects import Tint  # noqa: E402
from emocolor.effects.tint import S0_TINT  # noqa: E402
from engines.device.tint import DeviceTint, move_toward  # noqa: E402
from tests.engines.device.device_frames import COLORS, DEVICES, crowd, differences  # noqa: E402


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("base", ["gray", "color"])
@pytest.mark.parametrize("certainty", [0.0, 1.0])
def test_a_tint_of_the_whole_frame_is_the_cpu_s(device: Any, color: Any, base: Any, certainty: float) -> None:
    options = replace(S0_TINT, base=base, certainty=certainty, alpha=0.37)
    for difference in differences(device, Tint(options), DeviceTint(options), crowd(), **color):
        assert not difference.any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("base", ["gray", "color"])
@pytest.mark.parametrize("several", ["largest", "area", "each"])
@pytest.mark.parametrize("region", ["face", "person", "background", "frame"])
def test_a_tint_of_a_region_is_the_cpu_s_within_a_code(device: Any, region: Any, several: Any, base: Any) -> None:
    options = replace(S0_TINT, region=region, several=several, base=base, certainty=0.5)
    for difference in differences(device, Tint(options), DeviceTint(options), crowd()):
        assert abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.02


@pytest.mark.parametrize("region", ["person", "background"])
def test_without_a_person_mask_the_tint_is_the_cpu_s(region: Any) -> None:
    scene, options = replace(crowd(), person=None), replace(S0_TINT, region=region, several="each")
    for difference in differences("cpu", Tint(options), DeviceTint(options), scene):
        assert abs(difference).max() <= 1


def test_codes_move_as_far_as_the_mask_lets_them() -> None:
    plane = torch.tensor([[0, 100, 100, 250]], dtype=torch.uint8)
    move_toward(plane, 200.0, 0.5, torch.tensor([[0.0, 0.5, 1.0, 1.0]]))
    assert plane.tolist() == [[0, 125, 150, 225]]
