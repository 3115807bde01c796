"""Scenes at any time: interpolated boxes, smoothed emotions, faces that fade in and out, and cuts."""

import numpy as np
import pytest

from emocolor.emotions import NEUTRAL
from emocolor.faces import Box, Detection, EmotionEstimate, Observation, ObservedFace
from emocolor.scenes import EASE_SECONDS, SceneBuilder
from emocolor.smoothing import SmoothingOptions

HAPPY, SAD = np.eye(7)[3], np.eye(7)[4]
STEP = 0.125


def seen(track_id, box, probabilities, confidence=1.0):
    x, y = box.center
    keypoints = np.array([[x - 10, y], [x + 10, y], [x, y + 5], [x, y + 10], [x - 20, y], [x + 20, y]], float)
    return ObservedFace(
        track_id=track_id,
        detection=Detection(box=box, keypoints=keypoints, score=0.9),
        estimate=EmotionEstimate(probabilities=probabilities, entropy=0.0, mutual_information=0.0),
        confidence=confidence,
    )


def observe(time, *faces, cut=False):
    return Observation(time=time, cut=cut, faces=faces)


def build(observations, weighting="largest", look_ahead=1.0):
    scenes = SceneBuilder(SmoothingOptions(time_constant=0.5, look_ahead=look_ahead), weighting)
    for observation in observations:
        scenes.add(observation)
    scenes.end()
    return scenes


def moving(time):
    return Box(100 + 80 * time, 50, 40, 40)


def test_boxes_are_interpolated_in_media_time():
    scenes = build(observe(k * STEP, seen(1, moving(k * STEP), HAPPY)) for k in range(17))
    for time in np.arange(0, 2, 0.0417):
        (face,) = scenes.scene_at(time).faces
        assert face.box.x == pytest.approx(moving(time).x)
        assert face.presence == 1


def test_a_short_occlusion_is_bridged_and_a_long_one_is_not():
    hidden = {4, 5, 6, 7}
    scenes = build(observe(k * STEP, *([] if k in hidden else [seen(1, moving(k * STEP), HAPPY)])) for k in range(17))
    (face,) = scenes.scene_at(5.5 * STEP).faces
    assert face.box.x == pytest.approx(moving(5.5 * STEP).x)

    hidden = set(range(4, 14))
    scenes = build(observe(k * STEP, *([] if k in hidden else [seen(1, moving(k * STEP), HAPPY)])) for k in range(17))
    assert scenes.scene_at(8.5 * STEP).faces == ()


def test_faces_ease_in_and_out():
    scenes = build(observe(k * STEP, *([seen(1, moving(0), HAPPY)] if 8 <= k <= 16 else [])) for k in range(33))
    presence = {t: [f.presence for f in scenes.scene_at(t).faces] for t in np.arange(0.5, 3.5, 0.05)}
    shown = np.array([p[0] if p else 0.0 for p in presence.values()])
    assert shown.max() == 1
    assert shown[0] == shown[-1] == 0
    assert np.abs(np.diff(shown)).max() <= 0.05 / EASE_SECONDS + 1e-6


@pytest.mark.parametrize("look_ahead", [0.0, 0.5, 1.0])
def test_emotions_do_not_jump_as_observations_enter_the_look_ahead(look_ahead):
    random = np.random.default_rng(0)
    scenes = build(
        (observe(k * STEP, seen(1, moving(0), random.dirichlet(np.ones(7)))) for k in range(40)), look_ahead=look_ahead
    )
    path = np.array([scenes.scene_at(t).faces[0].probabilities for t in np.arange(1, 3, 0.005)])
    steps = np.abs(np.diff(path, axis=0)).max()
    assert steps < 0.02  # 5 ms are a hundredth of the time constant


def test_nothing_crosses_a_cut():
    observations = [observe(k * STEP, seen(1, moving(0), HAPPY), cut=False) for k in range(9)]
    observations += [observe(k * STEP, seen(2, moving(0), SAD), cut=k == 9) for k in range(9, 18)]
    scenes = build(observations)
    before, after = scenes.scene_at(9 * STEP - 0.01), scenes.scene_at(9 * STEP)
    assert [f.track_id for f in before.faces] == [1]
    assert [f.track_id for f in after.faces] == [2]
    assert before.probabilities[3] == pytest.approx(1)
    assert after.probabilities[4] == pytest.approx(1)
    assert after.cut
    assert not before.cut


def test_the_frame_fades_to_neutral_where_no_face_is():
    scenes = build(observe(k * STEP, *([seen(1, moving(0), HAPPY)] if k < 16 else [])) for k in range(64))
    path = [scenes.scene_at(t) for t in np.arange(1, 7, 0.1)]
    neutral = np.array([scene.probabilities[NEUTRAL] for scene in path])
    assert neutral[0] < 0.15
    assert neutral[-1] > 0.99
    assert np.all(np.diff(neutral) > -1e-9)
    assert path[-1].certainty < 0.05 < 0.7 < path[0].certainty


def test_largest_wins_or_all_by_area():
    big, small = Box(0, 0, 60, 60), Box(100, 0, 30, 30)
    observations = [observe(k * STEP, seen(1, small, SAD), seen(2, big, HAPPY)) for k in range(17)]
    largest = build(observations).scene_at(1.0)
    assert largest.probabilities[3] == pytest.approx(1)
    assert [f.track_id for f in largest.faces] == [2, 1]
    by_area = build(observations, "area").scene_at(1.0)
    assert by_area.probabilities[3] == pytest.approx(0.8)
    assert by_area.probabilities[4] == pytest.approx(0.2)


def test_waits_for_the_look_ahead_but_not_across_a_cut():
    scenes = SceneBuilder(SmoothingOptions(look_ahead=0.5))
    scenes.add(observe(0.0))
    assert not scenes.is_ready(0.0)
    scenes.add(observe(0.375, cut=True))
    assert scenes.is_ready(0.2)
    assert not scenes.is_ready(0.375)
    scenes.end()
    assert scenes.is_ready(0.375)


def test_observations_beyond_the_look_ahead_change_nothing():
    def scene(last):
        observations = [observe(k * STEP, seen(1, moving(0), HAPPY if k < 12 else SAD)) for k in range(last)]
        return build(observations, look_ahead=0.5).scene_at(0.5).probabilities

    assert np.array_equal(scene(9), scene(30))


def test_memory_is_bounded():
    scenes = SceneBuilder(SmoothingOptions())
    for k in range(4000):
        scenes.add(observe(k * STEP, seen(1, moving(0), HAPPY)))
        if k > 20:
            scenes.scene_at((k - 10) * STEP)
    assert len(scenes._observations) < 100


def test_observations_out_of_order_are_refused():
    scenes = SceneBuilder(SmoothingOptions())
    scenes.add(observe(1.0))
    with pytest.raises(ValueError, match="follows"):
        scenes.add(observe(1.0))
