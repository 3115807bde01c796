"""Frames on torch's CPU device, and on a GPU if there is one; and effects on them compared with the CPU's."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from emocolor.faces import Box, Face, Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from engines.device.planes import DevicePlane, OwnMemory

DEVICES = [torch.device("cpu"), pytest.param(torch.device("cuda"), marks=pytest.mark.gpu)]
COLORS: list[dict[str, Any]] = [{}, {"matrix": "bt601", "full_range": True}]


def noise(width: int, height: int, **color: Any) -> Frame:
    """An NV12 frame of random codes in host memory."""
    codes = np.random.default_rng(0).integers(0, 256, (height * 3 // 2, width), np.uint8)
    return Frame(
        planes=(codes[:height], codes[height:].reshape(height // 2, width // 2, 2)),
        format=PIXEL_FORMATS["nv12"],
        color=ColorSpec(**color),
        pts=0,
        time_base=Fraction(1, 25),
    )


def on_device(frame: Frame, device: Any) -> Frame:
    return replace(frame, planes=tuple(DevicePlane(torch.from_numpy(plane).to(device)) for plane in frame.planes))


def crowd() -> Scene:
    """Three faces, one of them half outside the image, and a soft person mask."""
    boxes = [Box(60.3, 40.2, 90, 90), Box(250, 20.7, 60.5, 60.5), Box(300, 150, 50, 50)]
    faces = tuple(
        Face(
            track_id=i,
            box=box,
            roll_degrees=17.0 * i,
            probabilities=_probabilities(i),
            certainty=0.3 + 0.2 * i,
            presence=1 - 0.3 * i,
        )
        for i, box in enumerate(boxes)
    )
    person = np.clip(np.random.default_rng(9).random((256, 256), np.float32) * 2 - 0.5, 0, 1)
    return Scene(time=0, faces=faces, probabilities=_probabilities(7), certainty=0.7, person=person)


def _probabilities(seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).random(7)
    return drawn / drawn.sum()


def differences(device: Any, on_cpu: Any, on_gpu: Any, scene: Scene, **color: Any) -> list[np.ndarray]:
    """Luma and chroma of a device effect minus those of the CPU's effect, in codes."""
    host = noise(322, 182, **color)
    given = on_device(host, device)
    before = given.copy()
    expected = on_cpu.apply(replace(host, planes=tuple(plane.copy() for plane in host.planes)), scene)
    found: Frame = on_gpu.apply(OwnMemory().apply(given, scene), scene)
    for plane, kept in zip(given.copy().planes, before.planes, strict=True):
        assert np.array_equal(plane, kept), "the decoder's memory was written to"
    assert any(not np.array_equal(plane, kept) for plane, kept in zip(expected.planes, before.planes, strict=True)), (
        "nothing was done"
    )
    return [
        np.asarray(plane).astype(int) - wanted.astype(int)
        for plane, wanted in zip(found.planes, expected.planes, strict=True)
    ]
