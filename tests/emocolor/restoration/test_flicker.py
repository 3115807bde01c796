"""Flicker is removed; fades, flashes, motion and shots are kept."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.restoration.flicker import FlickerFilter, smoothed_exposure, with_gain

SIZE_WH = (320, 180)


def landscape(seed=0):
    """Luma above black, (H, W) float32 in [0, 1]."""
    coarse = np.random.default_rng(seed).uniform(0.15, 0.7, (9, 16)).astype(np.float32)
    return cv2.resize(coarse, SIZE_WH, interpolation=cv2.INTER_CUBIC).clip(0, 1)


def film(lights, scene, rate=25, bits=8):
    """Frames of ``scene`` (one, or one each) under each of ``lights``."""
    scenes = scene if isinstance(scene, list) else [scene] * len(lights)
    unit = 1 << (bits - 8)
    for n, (light, luma) in enumerate(zip(lights, scenes, strict=True)):
        codes = np.clip(16 + 219 * luma * light, 0, 255) * unit
        yield Frame(
            planes=(np.rint(codes).astype(np.uint8 if bits == 8 else np.uint16),),
            format=PIXEL_FORMATS["gray" if bits == 8 else "gray10le"], color=ColorSpec(), pts=n,
            time_base=Fraction(1, rate),
        )  # fmt: skip


def deflickered(frames):
    flicker = FlickerFilter()
    made = [done for frame in frames for done in flicker.add(frame)] + list(flicker.end())
    assert list(flicker.end()) == []
    return made


def means(frames):
    return np.array([float(frame.luma.mean()) for frame in frames])


@pytest.mark.parametrize("bits", [8, 10])
def test_flicker_is_reduced(bits):
    lights = np.exp(np.random.default_rng(1).normal(0, 0.08, 60))
    frames = list(film(lights, landscape(), bits=bits))
    made = deflickered(frames)
    assert [frame.pts for frame in made] == list(range(60))
    assert means(made).var() < means(frames).var() / 6
    assert made[30].luma.dtype == frames[30].luma.dtype


def test_without_flicker_the_frames_stay_the_same_objects():
    frames = list(film([1.0] * 30, landscape()))
    assert all(one is other for one, other in zip(deflickered(frames), frames, strict=True))


def test_moving_things_change_nothing():
    scenes = []
    for n in range(40):
        scene = landscape()
        scene[40:140, n * 8 : n * 8 + 60] = 0.9
        scenes.append(scene)
    frames = list(film([1.0] * 40, scenes))
    assert np.ptp(means(frames)) > 5
    np.testing.assert_allclose(means(deflickered(frames)), means(frames), atol=0.3)


def test_black_stays_black():
    scene = landscape()
    scene[:60] = 0
    frames = list(film(np.exp(np.random.default_rng(2).normal(0, 0.1, 30)), scene))
    assert all((frame.luma[:60] == 16).all() for frame in deflickered(frames))


@pytest.mark.parametrize("lights", [np.linspace(1, 0.4, 50), [1.0] * 20 + [1.9] * 2 + [1.0] * 20])
def test_fades_and_flashes_are_left_alone(lights):
    frames = list(film(lights, landscape() * 0.5))
    np.testing.assert_allclose(means(deflickered(frames)), means(frames), rtol=0.02)


def test_shots_do_not_affect_each_other():
    """One filter for two shots gives the same as two filters."""
    one, other = (list(film(lights, landscape(seed))) for seed, lights in ((1, [1, 0.9] * 8), (2, [0.5, 0.6] * 8)))
    flicker = FlickerFilter()
    made = []
    for shot in (one, other):
        made += [done for frame in shot for done in flicker.add(frame)]
        made += flicker.end()
    apart = deflickered(one) + deflickered(other)
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(made, apart, strict=True))


@pytest.mark.parametrize("rate", [12, 25, 1000])
def test_only_a_few_frames_wait(rate):
    flicker = FlickerFilter()
    waiting, given = [], 0
    for taken, frame in enumerate(film([1.0] * 60, landscape(), rate), start=1):
        given += len(list(flicker.add(frame)))
        waiting.append(taken - given)
    assert max(waiting) <= min(16, 0.3 * rate + 1)


def test_frames_too_dark_to_measure_are_unchanged():
    frames = list(film([1.0, 0.5] * 10, landscape() * 0.04))
    assert all(one is other for one, other in zip(deflickered(frames), frames, strict=True))


def test_a_lamp_in_the_dark_does_not_count_as_exposure():
    scenes = []
    for n in range(20):
        scene = np.zeros(SIZE_WH[::-1], np.float32)
        scene[80:100, 150:170] = 0.5 + 0.2 * (n % 2)
        scenes.append(scene)
    frames = list(film([1.0] * 20, scenes))
    assert all(one is other for one, other in zip(deflickered(frames), frames, strict=True))


def test_exposure_is_smoothed_by_a_line_through_the_neighbours():
    times = np.arange(-5, 6) / 25
    assert smoothed_exposure(np.stack([times, 3 * times], 1), 0.0, 0.0) == pytest.approx(0, abs=1e-9)
    assert smoothed_exposure(np.array([[1.0, 0.2]]), 1.0, 0.2) == pytest.approx(0.2)


def test_gain_counts_from_black():
    frame = next(film([1.0], np.full(SIZE_WH[::-1], 0.5, np.float32)))
    assert with_gain(frame, 1.0) is frame
    assert int(with_gain(frame, 1.2).luma[0, 0]) == round(16 + (int(frame.luma[0, 0]) - 16) * 1.2)
    full = replace(frame, color=ColorSpec(full_range=True))
    assert int(with_gain(full, 1.2).luma[0, 0]) == round(int(frame.luma[0, 0]) * 1.2)
    assert with_gain(frame, 9.0).luma.max() == 255
