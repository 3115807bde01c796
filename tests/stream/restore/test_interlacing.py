"""Telling interlaced from progressive frames; what is made of them is tested in test_restoration.py."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from stream.restore.interlacing import Deinterlacer, FieldDetector

FPS = 25


def pan(count, speed=3, size_wh=(160, 96), seed=0):
    """Luma (H, W) uint8 of a camera moving over something with detail."""
    width, height = size_wh
    shape = (height, width + 10 + abs(speed) * count)
    noise = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    scene = sum(scale * cv2.GaussianBlur(noise, (0, 0), scale) for scale in (1.2, 4, 12))
    scene = np.clip(120 + 40 * scene / scene.std(), 0, 255).astype(np.uint8)
    return [scene[:, n * speed : n * speed + width].copy() for n in range(count)]


def woven(frames, first="top first"):
    """Every two frames as the fields of one."""
    made = []
    for early, late in zip(frames[::2], frames[1::2], strict=True):
        frame = (late if first == "top first" else early).copy()
        frame[::2] = (early if first == "top first" else late)[::2]
        made.append(frame)
    return made


def frames(lumas, bits=8):
    pixel_format = PIXEL_FORMATS["gray" if bits == 8 else "gray12le"]
    for n, luma in enumerate(lumas):
        plane = luma if bits == 8 else luma.astype(np.uint16) << (bits - 8)
        yield Frame(planes=(plane,), format=pixel_format, color=ColorSpec(), pts=n, time_base=Fraction(1, FPS))


def orders(lumas, bits=8):
    """The decision after each frame."""
    detector, found = FieldDetector(), []
    for frame in frames(lumas, bits):
        detector.add(frame)
        found.append(detector.order)
    return found


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("first", ["top first", "bottom first"])
@pytest.mark.parametrize("grain", [0, 8])
def test_interlaced_is_found_within_the_look_ahead(first, bits, grain):
    random = np.random.default_rng(1)
    noisy = [np.clip(p + random.normal(0, grain, p.shape), 0, 255).astype(np.uint8) for p in woven(pan(30), first)]
    found = orders(noisy, bits)
    assert set(found[10:]) == {first}
    assert set(found) <= {first, "progressive"}


@pytest.mark.parametrize("speed", [0, 1, 3, 12])
def test_progressive_is_never_taken_for_interlaced(speed):
    assert set(orders(pan(30, speed))) == {"progressive"}


@pytest.mark.parametrize("lines", [1, 2, 3, 4])
def test_rolling_titles_are_progressive(lines):
    titles = np.zeros((300, 160), np.uint8)
    for row in range(12, 300, 17):
        cv2.putText(titles, "DIRECTED BY", (8 + row % 30, row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230, 1, cv2.LINE_AA)
    shot = [titles[n * lines : n * lines + 96] for n in range(40)]
    assert set(orders(shot)) == {"progressive"}


def test_still_frames_are_no_evidence():
    """The decision does not change until there is motion again."""
    still = pan(1) * 30
    assert set(orders(still)) == {"progressive"}
    assert set(orders(woven(pan(40)) + still)[20:]) == {"top first"}


def test_a_progressive_part_ends_it():
    found = orders(woven(pan(60)) + pan(40, seed=2))
    assert found[29] == "top first"
    assert found[-1] == "progressive"


def test_film_pulled_down_counts_as_interlaced():
    fields = [frame for n, frame in enumerate(pan(40)) for _ in range(2 + n % 2)]
    assert orders(woven(fields))[-1] == "top first"


@pytest.mark.parametrize("size_wh", [(160, 1), (160, 6), (1, 96), (7, 33)])
def test_small_frames_do_no_harm(size_wh):
    assert set(orders(pan(8, size_wh=size_wh))) == {"progressive"}


@pytest.mark.parametrize("rate", [10, 25, 1000])
def test_frames_are_held_for_a_little_while_only(rate):
    deinterlace, given, held = Deinterlacer(), 0, []
    for taken, frame in enumerate(frames(pan(60)), start=1):
        given += len(list(deinterlace.add(replace(frame, time_base=Fraction(1, rate)))))
        held.append(taken - given)
    assert max(held) <= min(16, 0.4 * rate + 1)
