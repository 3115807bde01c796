"""Effects on device frames against the CPU's, on torch's CPU device, and on a GPU where there is one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from emocolor.effects import Colormap, ColormapOptions, Tint  # noqa: E402
from emocolor.effects.tint import S0_TINT  # noqa: E402
from emocolor.faces import Box, Face, Scene  # noqa: E402
from emocolor.frames import Frame  # noqa: E402
from emocolor.gradients import parse_gradient  # noqa: E402
from engines.device.colormap import DeviceColormap, averaged_down  # noqa: E402
from engines.device.planes import OwnMemory  # noqa: E402
from engines.device.tint import DeviceTint  # noqa: E402
from tests.engines.device.test_planes import DEVICES, noise, on_device  # noqa: E402

COLORS = [{}, {"matrix": "bt601", "full_range": True}]


def probabilities(seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).random(7)
    return drawn / drawn.sum()


def scene() -> Scene:
    """Three faces, one half outside the image, and a soft person."""
    boxes = [Box(60.3, 40.2, 90, 90), Box(250, 20.7, 60.5, 60.5), Box(300, 150, 50, 50)]
    faces = tuple(
        Face(
            track_id=i,
            box=box,
            roll_degrees=17.0 * i,
            probabilities=probabilities(i),
            certainty=0.3 + 0.2 * i,
            presence=1 - 0.3 * i,
        )
        for i, box in enumerate(boxes)
    )
    person = np.clip(np.random.default_rng(9).random((256, 256), np.float32) * 2 - 0.5, 0, 1)
    return Scene(time=0, faces=faces, probabilities=probabilities(7), certainty=0.7, person=person)


def both(device: Any, cpu: Any, other: Any, seen: Scene, **color: Any) -> list[np.ndarray]:
    """Differences of luma and chroma, device less CPU, in codes."""
    host = noise(322, 182, **color)
    given = on_device(host, device)
    before = given.copy()
    expected = cpu.apply(replace(host, planes=tuple(plane.copy() for plane in host.planes)), seen)
    found: Frame = other.apply(OwnMemory().apply(given, seen), seen)
    for plane, kept in zip(given.copy().planes, before.planes, strict=True):
        assert np.array_equal(plane, kept), "the decoder's memory was written to"
    assert any(not np.array_equal(plane, kept) for plane, kept in zip(expected.planes, before.planes, strict=True)), (
        "nothing was done"
    )
    return [
        np.asarray(plane).astype(int) - wanted.astype(int)
        for plane, wanted in zip(found.planes, expected.planes, strict=True)
    ]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("base", ["gray", "color"])
@pytest.mark.parametrize("certainty", [0.0, 1.0])
def test_a_tint_of_the_whole_image_is_the_cpu_s(device: Any, color: Any, base: Any, certainty: float) -> None:
    options = replace(S0_TINT, base=base, certainty=certainty, alpha=0.37)
    for difference in both(device, Tint(options), DeviceTint(options), scene(), **color):
        assert not difference.any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("base", ["gray", "color"])
@pytest.mark.parametrize("several", ["largest", "area", "each"])
@pytest.mark.parametrize("region", ["face", "person", "background", "frame"])
def test_a_tint_of_a_region_is_the_cpu_s_within_a_code(device: Any, region: Any, several: Any, base: Any) -> None:
    options = replace(S0_TINT, region=region, several=several, base=base, certainty=0.5)
    for difference in both(device, Tint(options), DeviceTint(options), scene()):
        assert abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.02


@pytest.mark.parametrize("region", ["person", "background"])
def test_where_nobody_was_looked_for_the_tint_is_the_cpu_s(region: Any) -> None:
    seen, options = replace(scene(), person=None), replace(S0_TINT, region=region, several="each")
    for difference in both("cpu", Tint(options), DeviceTint(options), seen):
        assert abs(difference).max() <= 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("name", ["turbo", "hot", "#000000-#ff0000-#ffffff"])
def test_a_colour_map_is_the_cpu_s(device: Any, color: Any, name: str) -> None:
    options = ColormapOptions(gradient=parse_gradient(name))
    for difference in both(device, Colormap(options), DeviceColormap(options), scene(), **color):
        assert not difference.any()


@pytest.mark.parametrize("device", DEVICES)
def test_a_weak_colour_map_is_the_cpu_s_within_a_code_of_chroma(device: Any) -> None:
    options = ColormapOptions(strength=0.6)
    luma, chroma = both(device, Colormap(options), DeviceColormap(options), scene())
    assert not luma.any()
    assert abs(chroma).max() <= 1
    assert (chroma != 0).mean() < 0.02


def test_codes_are_averaged_with_halves_up() -> None:
    codes = torch.tensor([[0, 1, 255, 255], [0, 1, 255, 254]], dtype=torch.uint8)
    assert averaged_down(codes).tolist() == [[1, 255]]
