"""Boxes, head angles from keypoints, and the emotion of faces and scenes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.emotions import EMOTIONS, NEUTRAL
from emocolor.faces import KEYPOINTS, Box, Detection, Face, Scene, neutral_probabilities

boxes = st.builds(Box, *[st.floats(-500, 500)] * 2, *[st.floats(1, 500)] * 2)

HEAD = np.array(
    [[-0.22, -0.2, 0.3], [0.22, -0.2, 0.3], [0.0, 0.05, 0.5], [0.0, 0.25, 0.35], [-0.45, -0.1, 0], [0.45, -0.1, 0]]
)
"""Keypoints of a head in space, (x, y, toward the camera), in the order of ``KEYPOINTS``."""


def detection_of(points):
    return Detection(box=Box(0, 0, 100, 100), keypoints=100 * points[:, :2], score=0.9)


def turned(yaw_degrees=0.0, roll_degrees=0.0):
    """The head turned to its left, which is the right side of the frame, then tilted clockwise."""
    yaw, roll = math.radians(yaw_degrees), math.radians(roll_degrees)
    x, y, depth = HEAD.T
    x = x * math.cos(yaw) + depth * math.sin(yaw)
    return np.stack([x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)], axis=1)


@given(boxes, boxes)
def test_overlap_is_mutual_and_at_most_one(one, other):
    assert one.overlap(other) == pytest.approx(other.overlap(one))
    assert 0 <= one.overlap(other) <= 1 + 1e-9
    assert one.overlap(one) == pytest.approx(1)


def test_overlap_is_intersection_over_union():
    assert Box(0, 0, 2, 2).overlap(Box(1, 0, 2, 2)) == pytest.approx(2 / 6)
    assert Box(0, 0, 2, 2).overlap(Box(2, 0, 2, 2)) == 0
    assert Box(0, 0, 4, 4).overlap(Box(1, 1, 2, 2)) == pytest.approx(4 / 16)


@given(boxes, boxes, st.floats(0, 1))
def test_mixed_boxes_lie_between(one, other, part):
    mixed = one.mix(other, part)
    for name in ("x", "y", "width", "height"):
        low, high = sorted((getattr(one, name), getattr(other, name)))
        assert low - 1e-6 <= getattr(mixed, name) <= high + 1e-6
    assert (one.mix(other, 0), one.mix(other, 1)) == (one, other)


@given(boxes)
def test_center_and_area(box):
    assert box.center == pytest.approx((box.x + box.width / 2, box.y + box.height / 2))
    assert box.area == box.width * box.height


@pytest.mark.parametrize("size", [(0, 1), (1, -1), (math.nan, 1)])
def test_a_box_without_size_is_refused(size):
    with pytest.raises(ValueError, match="positive size"):
        Box(0, 0, *size)


@pytest.mark.parametrize("roll", [-170, -90, -20, 0, 35, 90, 179])
def test_roll_is_the_clockwise_turn_of_the_eye_line(roll):
    assert detection_of(turned(roll_degrees=roll)).roll_degrees == pytest.approx(roll)


def test_yaw_grows_with_the_turn_and_ignores_roll():
    angles = [-80, -40, -15, 0, 15, 40, 80]
    yaws = [detection_of(turned(yaw_degrees=yaw)).yaw_degrees for yaw in angles]
    assert np.all(np.diff(yaws) > 0)
    assert yaws[3] == pytest.approx(0, abs=1e-6)
    assert yaws == pytest.approx([-yaw for yaw in reversed(yaws)])
    assert yaws == pytest.approx(angles, abs=30)  # it is coarse
    tilted = [detection_of(turned(yaw, 50)).yaw_degrees for yaw in angles]
    assert tilted == pytest.approx(yaws)


def test_keypoints_that_coincide_give_finite_angles():
    still = replace(detection_of(HEAD), keypoints=np.zeros((len(KEYPOINTS), 2)))
    assert math.isfinite(still.roll_degrees)
    assert still.yaw_degrees == 0


@pytest.mark.parametrize(("index", "emotion"), list(enumerate(EMOTIONS)))
def test_the_emotion_is_the_likeliest(index, emotion):
    probabilities = np.full(7, 0.1)
    probabilities[index] = 0.4
    face = Face(
        track_id=1, box=Box(0, 0, 1, 1), roll_degrees=0, probabilities=probabilities, certainty=1, presence=1
    )  # fmt: skip
    assert face.emotion == Scene(time=0, probabilities=probabilities).emotion == emotion


def test_a_scene_of_nothing_is_neutral_and_uncertain():
    scene = Scene(time=1.5)
    assert (scene.emotion, scene.certainty, scene.faces, scene.person, scene.cut) == ("neutral", 0.0, (), None, False)
    assert scene.probabilities[NEUTRAL] == neutral_probabilities().sum() == 1
    scene.probabilities[0] = 9
    assert Scene(time=2).probabilities[0] == 0  # every scene has an array of its own
