"""Crops show a face where the geometry says, for any size, place and tilt."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emocolor.arrays import GrayImage
from emocolor.face_crops import FER2013, CropGeometry, crop_face, head_axis, observation_confidence, sharpness
from emocolor.faces import Box, Detection

FACE = np.array([[-0.22, -0.2], [0.22, -0.2], [0.0, 0.05], [0.0, 0.25], [-0.45, -0.1], [0.45, -0.1]])
"""Keypoints of a frontal face about its box's centre, in box widths."""


def face_at(center: tuple[float, float], width: float, roll_degrees: float = 0.0) -> Detection:
    angle = math.radians(roll_degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    box = Box(center[0] - width / 2, center[1] - width / 2, width, width)
    return Detection(box=box, keypoints=np.array(center) + width * FACE @ turn.T, score=0.9)


def frame_of(detection: Detection, size_wh: tuple[int, int] = (640, 480)) -> GrayImage:
    """Bright discs at the eyes and the mouth on gray."""
    frame = np.full((size_wh[1], size_wh[0]), 60, np.uint8)
    for x, y in detection.keypoints[[0, 1, 3]]:
        center = (round((x - 0.5) * 16), round((y - 0.5) * 16))
        cv2.circle(frame, center, round(detection.box.width * 16 * 0.05), 250, -1, cv2.LINE_AA, 4)
    return frame


def spots(crop: GrayImage) -> list[tuple[float, float]]:
    """Centres (x, y) of bright spots as parts of the side, topmost first, then leftmost."""
    big = cv2.resize(crop, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    _, _, _, centers = cv2.connectedComponentsWithStats((big > 130).astype(np.uint8))
    found = [((x + 0.5) / len(big), (y + 0.5) / len(big)) for x, y in centers[1:]]
    return sorted(found, key=lambda spot: (round(spot[1], 1), spot[0]))


@settings(max_examples=40)
@given(st.floats(200, 440), st.floats(180, 300), st.floats(30, 260), st.floats(-60, 60))
def test_eyes_and_mouth_land_where_the_geometry_says(x: float, y: float, width: float, roll: float) -> None:
    detection = face_at((x, y), width, roll)
    right, left, mouth = spots(crop_face(frame_of(detection), detection, FER2013, 48))
    half = 0.22 * FER2013.box_width
    assert right == pytest.approx((0.5 - half, FER2013.eyes_down), abs=0.02)
    assert left == pytest.approx((0.5 + half, FER2013.eyes_down), abs=0.02)
    assert mouth == pytest.approx((0.5, FER2013.eyes_down + 0.45 * FER2013.box_width), abs=0.02)


def test_a_face_in_a_sideways_frame_comes_out_upright() -> None:
    detection = face_at((300, 200), 120, 90)
    upright = face_at((300, 200), 120)
    crops = [crop_face(frame_of(one), one, FER2013, 48).astype(float) for one in (detection, upright)]
    assert np.abs(crops[0] - crops[1]).mean() < 2


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (800, 400))
    crop = crop_face(stripes, face_at((400, 400), 500), FER2013, 48)
    assert crop.min() > 110
    assert crop.max() < 145


def test_outside_the_frame_its_border_is_repeated() -> None:
    frame = np.full((100, 100), 90, np.uint8)
    assert (crop_face(frame, face_at((2, 98), 80), FER2013, 48) == 90).all()


def test_a_wider_crop_keeps_the_middle_of_the_face_in_the_middle() -> None:
    detection = face_at((320, 240), 120)
    frame = np.full((480, 640), 60, np.uint8)
    cv2.circle(frame, (320, 240), 12, 250, -1)
    geometry = replace(FER2013, eyes_down=0.5 - 0.2 * FER2013.box_width)
    for times in (0.8, 1.0, 1.5):
        assert spots(crop_face(frame, detection, geometry.scaled(times), 64))[0] == pytest.approx((0.5, 0.5), abs=0.02)


def test_the_axis_of_a_profile_follows_eyes_to_mouth() -> None:
    detection = face_at((0, 0), 100)
    profile = detection.keypoints.copy()
    profile[1] = profile[0] + [1.0, -4.0]  # a jittering eye line of four pixels
    axis = head_axis(replace(detection, keypoints=profile))
    assert abs(math.degrees(math.atan2(axis[1], axis[0]))) < 40
    assert head_axis(replace(detection, keypoints=np.zeros((6, 2)))) == pytest.approx([1, 0])


def test_confidence_falls_with_each_shortcoming() -> None:
    random = np.random.default_rng(3)
    crop = cv2.GaussianBlur(random.integers(0, 255, (48, 48), np.uint8), (0, 0), 1)
    good = face_at((200, 200), 120)
    turned = good.keypoints.copy()
    turned[2, 0] += 40
    best = observation_confidence(good, crop, 0.0)
    lesser = [
        observation_confidence(face_at((200, 200), 30), crop, 0.0),
        observation_confidence(replace(good, keypoints=turned), crop, 0.0),
        observation_confidence(good, cv2.GaussianBlur(crop, (0, 0), 3), 0.0),
        observation_confidence(good, crop, 0.3),
        observation_confidence(good, np.full((48, 48), 7, np.uint8), 0.0),
    ]
    assert 0 < min(lesser) <= max(lesser) < 0.8 * best
    assert best <= 1


@given(st.floats(0, 5), st.floats(1, 2000))
def test_confidence_is_in_its_range(mutual_information: float, width: float) -> None:
    crop = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    assert 0 < observation_confidence(face_at((9, 9), width), crop, mutual_information) <= 1


def test_sharpness_does_not_depend_on_contrast() -> None:
    crop = np.random.default_rng(1).integers(0, 200, (48, 48)).astype(np.uint8)
    assert sharpness(crop // 2 + 60) == pytest.approx(sharpness(crop), rel=0.1)


def test_a_geometry_checks_itself() -> None:
    with pytest.raises(ValueError, match="box_width"):
        CropGeometry(box_width=0, eyes_down=0.4)
