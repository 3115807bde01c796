"""Cuts are found, and nothing that only looks like one: pans, flashes, fades, gaps in time."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from emocolor.cuts import CutDetector
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame


def shot(seed, count, pan=3, size_wh=(640, 360), bits=8, light=lambda n: 1.0):
    """Frames of a camera panning over a random landscape."""
    width, height = size_wh
    coarse = np.random.default_rng(seed).uniform(20, 230, (8, 40)).astype(np.float32)
    scene = cv2.resize(coarse, (width * 5, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    form = PIXEL_FORMATS["gray" if bits == 8 else "gray10le"]
    for n in range(count):
        luma = scene[:, n * pan : n * pan + width] * light(n)
        noise = np.random.default_rng(n).normal(0, 4, luma.shape)
        codes = np.clip(luma + noise, 0, 255) * (1 << (bits - 8))
        yield Frame(
            planes=(codes.astype(np.uint8 if bits == 8 else np.uint16),), format=form, color=ColorSpec(), pts=n,
            time_base=Fraction(1, 25),
        )  # fmt: skip


def cuts_in(frames):
    detector = CutDetector()
    return [n for n, frame in enumerate(frames) if detector.is_cut(frame)]


@pytest.mark.parametrize("bits", [8, 10])
def test_finds_every_cut_and_nothing_else(bits):
    frames = [frame for seed in range(6) for frame in shot(seed, 20, bits=bits)]
    assert cuts_in(frames) == [20, 40, 60, 80, 100]


def test_a_fast_pan_is_no_cut():
    assert cuts_in(shot(1, 30, pan=60)) == []


@pytest.mark.parametrize("light", [lambda n: 1.0 if n != 10 else 0.5, lambda n: max(0.1, 1 - n / 20)])
def test_flashes_and_fades_are_no_cuts(light):
    assert cuts_in(shot(2, 25, light=light)) == []


def test_a_still_is_one_shot():
    assert cuts_in(list(shot(3, 1)) * 10) == []


def test_a_black_frame_between_shots_makes_cuts():
    black = list(shot(0, 3, light=lambda n: 0.0))
    assert cuts_in([*shot(1, 5), *black, *shot(2, 5)]) == [5, 8]


def test_after_a_gap_in_time_a_shot_may_have_moved():
    frames = list(shot(4, 30, pan=4))
    late = [replace(f, pts=f.pts + 20) for f in frames[13:]]
    assert cuts_in([*frames[:5], *late]) == []
    other = [replace(f, pts=f.pts + 40) for f in shot(5, 5)]
    assert cuts_in([*frames[:5], *other]) == [5]


def test_tiny_frames():
    assert cuts_in(shot(1, 3, pan=1, size_wh=(8, 6))) == []


def test_finds_the_cuts_of_real_footage(shared_clips):
    from stream.media.source import VideoSource

    def found(name):
        source = VideoSource(str(shared_clips / name))
        try:
            return cuts_in(unit.frame for unit in source.units() if unit.frame is not None)
        finally:
            source.close()

    assert found("bikes.mp4") == [30, 76, 137, 187, 242]
    assert found("bw_abomb_newsreel.mp4") == [44, 134, 299]
    assert found("face_woman_pexels.mp4") == []
    assert found("bw_chaplin.mp4") == []
    assert found("made_vfr_face.mp4") == []
