"""Regions of the style effect: people, faces and everything but them."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from emocolor.effects import StyleOptions
from emocolor.effects.style import StyleRegion
from emocolor.faces import Scene
from tests.emocolor.effects.style_frames import ALL, HAPPY, NOBODY, Never, face, make_frame, painted, same, slopes


def half(left=1.0, right=0.0):
    """People on one half of the frame, as a coarse map."""
    return np.repeat(np.float32([[left, right]]), 32, axis=1).repeat(36, axis=0)


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv444p10le", "yuv422p"])
def test_people_or_their_background_are_painted(name):
    before = slopes(name, (128, 96))
    whole = painted(before)
    scene = Scene(time=0, person=half())
    people, background = (painted(before, replace(ALL, region=region), scene) for region in ("person", "background"))
    for inside, outside, was, new in zip(people.planes, background.planes, before.planes, whole.planes, strict=True):
        left, right = (slice(None), slice(0, was.shape[1] * 3 // 8)), (slice(None), slice(-was.shape[1] * 3 // 8, None))
        assert np.array_equal(inside[left], new[left])
        assert np.array_equal(inside[right], was[right])
        assert np.array_equal(outside[left], was[left])
        assert np.array_equal(outside[right], new[right])
        assert not np.array_equal(new[left], was[left])


@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_half_a_mask_paints_half(detail):
    before = slopes("yuv420p", (128, 96))
    options = StyleOptions(fixed=HAPPY, detail=detail)
    whole = painted(before, options)
    scene = Scene(time=0, person=half(0.5, 0.5))
    for plane, was, new in zip(
        painted(before, replace(options, region="person"), scene).planes, before.planes, whole.planes, strict=True
    ):
        assert np.abs(plane - (was / 2 + new / 2)).max() <= 1


def test_without_a_mask_there_are_no_people():
    before = slopes("yuv420p", (128, 96))
    for scene in (NOBODY, Scene(time=0, person=half(0.001, 0))):
        assert same(painted(before, replace(ALL, region="person"), scene, Never()), before)
    assert same(painted(before, replace(ALL, region="background"), NOBODY), painted(before))
    everybody = Scene(time=0, person=half(1, 1))
    assert same(painted(before, replace(ALL, region="background"), everybody, Never()), before)


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv444p10le"])
def test_faces_or_all_but_faces_are_painted(name):
    before = slopes(name, (320, 240))
    whole, scene = painted(before), Scene(time=0, faces=(face(140, 100, 40), face(20, 20, 30)))
    faces, rest = (painted(before, replace(ALL, region=region), scene) for region in ("face", "keep-face"))
    for inside, outside, was, new in zip(faces.planes, rest.planes, before.planes, whole.planes, strict=True):
        step = before.luma.shape[0] // was.shape[0]
        far, center = (slice(200 // step, None),), (slice(115 // step, 125 // step), slice(155 // step, 165 // step))
        assert np.array_equal(inside[far], was[far])
        assert np.array_equal(inside[center], new[center])
        assert np.array_equal(outside[far], new[far])
        assert np.array_equal(outside[center], was[center])
        assert not np.array_equal(inside[30 // step : 40 // step, 30 // step : 40 // step],
                                  was[30 // step : 40 // step, 30 // step : 40 // step])  # fmt: skip


def test_presence_scales_the_style_and_the_edge_of_a_face_is_soft():
    before = make_frame(np.full((240, 320), 60), *np.full((2, 240, 320), 128))
    whole, part = (
        painted(before, replace(ALL, region="face"), Scene(time=0, faces=(face(120, 80, 80, presence),)))
        .luma[120].astype(int) - 60
        for presence in (1.0, 0.5)
    )  # fmt: skip
    assert np.abs(np.diff(whole)).max() <= 0.15 * whole.max()
    assert part.max() == pytest.approx(whole.max() / 2, abs=1)


def test_faces_that_overlap_do_not_hide_each_other():
    before = slopes("yuv420p", (320, 240))
    leaving, staying = face(130, 100, 50, presence=0.2), face(140, 100, 40)
    options = replace(ALL, region="face")
    alone, both, turned = (
        painted(before, options, Scene(time=0, faces=faces))
        for faces in ((staying,), (staying, leaving), (leaving, staying))
    )
    assert same(both, turned)
    assert not same(both, alone)
    center = (slice(110, 130), slice(150, 170))
    assert np.array_equal(both.luma[center], alone.luma[center])


def test_without_faces_no_face_is_painted():
    before = slopes("yuv420p", (128, 96))
    assert same(painted(before, replace(ALL, region="face"), NOBODY, Never()), before)
    assert same(painted(before, replace(ALL, region="keep-face"), NOBODY), painted(before))
    outside = Scene(time=0, faces=(face(1000, 1000, 20),))
    assert same(painted(before, replace(ALL, region="face"), outside, Never()), before)


@pytest.mark.parametrize("region", get_args(StyleRegion))
@pytest.mark.parametrize("fixed", [None, HAPPY])
def test_faces_and_people_are_needed_only_where_they_matter(region, fixed):
    options = StyleOptions(region=region, fixed=fixed)
    assert ("faces" in options.needs) == (fixed is None or region in ("face", "keep-face"))
    assert ("people" in options.needs) == (region in ("person", "background"))
