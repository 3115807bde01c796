"""Lookup tables that the CPU's effects fill in."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from emocolor.frames import Frame  # noqa: E402
from engines.device.tables import look_up, mapped, tables_of  # noqa: E402
from tests.engines.device.device_frames import DEVICES, noise, on_device  # noqa: E402


def inverted(frame: Frame) -> None:
    """Luma inverted, Cb one code higher, Cr constant."""
    luma, blue, red = frame.planes
    luma[...] = 255 - luma
    blue[...] = np.minimum(blue, 254) + 1
    red[...] = 128


@pytest.mark.parametrize("device", DEVICES)
def test_a_table_holds_what_the_effect_makes_of_every_code(device: Any) -> None:
    luma, blue, red = tables_of(on_device(noise(16, 16), device), inverted)
    assert luma.tolist() == list(range(255, -1, -1))
    assert blue.tolist() == [*range(1, 256), 255]
    assert set(red.tolist()) == {128}


def test_the_effect_sees_the_colour_space_of_the_frame() -> None:
    seen = []
    frame = replace(noise(16, 16, matrix="bt601", full_range=True), handle=object())
    tables_of(frame, seen.append)
    assert (seen[0].color, seen[0].format.name, seen[0].handle) == (frame.color, "yuv444p", None)


@pytest.mark.parametrize("device", DEVICES)
def test_codes_are_looked_up(device: Any) -> None:
    table = np.random.default_rng(1).permutation(256).astype(np.uint8)
    codes = torch.arange(256, dtype=torch.uint8, device=device).view(16, 16)
    assert np.array_equal(mapped(codes, table).cpu().numpy().ravel(), table)
    look_up(codes, table)
    assert np.array_equal(codes.cpu().numpy().ravel(), table)


def test_a_constant_table_fills_the_plane() -> None:
    codes = torch.arange(4, dtype=torch.uint8).view(2, 2)
    look_up(codes, np.full(256, 7, np.uint8))
    assert codes.tolist() == [[7, 7], [7, 7]]
