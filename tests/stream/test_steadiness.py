"""A still face before a camera keeps its emotion.

The portrait that ships, and other expressions of it, under camera noise and sub-pixel motion go through the
real stages: detector, tracks, crop, net with T = 10 held masks, and smoothing.
"""

from fractions import Fraction
from functools import cache

import cv2
import numpy as np
import pytest

from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from engines.spec import emotion_net_names
from stream.demo.portrait import EXPRESSIONS, ExpressivePortrait
from stream.media.source import MediaUnit
from stream.nets import WorkerNets
from stream.pipeline.analysis import classify, track_faces
from stream.pipeline.rendering import build_scenes
from stream.settings import AnalysisOptions

RATE_HZ = 8
FRAMES = 40
SETTLED_SECONDS = 1.0
"""Seconds after which the emotion must not change."""
NOISE = 3.0
"""Standard deviation of the camera's noise, of 255."""
MOTION = 0.5
"""Largest displacement across and down, in pixels."""
SIZE_WH = (480, 270)
MAX_CHANGE = 0.1
"""Most that a smoothed probability of a still face may differ between two times."""
UNDECIDED = 0.1
"""Two emotions closer than this, on average, are as likely for the net: which of them leads may change."""


@cache
def face(expression):
    """The portrait in gray, (270, 480) uint8; "happy" is the photograph itself."""
    rgb = ExpressivePortrait(detail=1).show({expression: 1.0})
    return np.ascontiguousarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[: SIZE_WH[1], : SIZE_WH[0]])


def filmed(still):
    """The frame as a camera sees it on a trembling stand, ``RATE_HZ`` times a second."""
    random = np.random.default_rng(7)
    for number in range(FRAMES):
        across, down = random.uniform(-MOTION, MOTION, 2)
        shift = np.array([[1, 0, across], [0, 1, down]])
        moved = cv2.warpAffine(
            still.astype(np.float32), shift, SIZE_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        seen = np.clip(moved + random.normal(0, NOISE, moved.shape) + 0.5, 0, 255).astype(np.uint8)
        yield MediaUnit(
            frame=Frame(
                planes=(seen,), format=PIXEL_FORMATS["gray"], color=ColorSpec(full_range=True), pts=number,
                time_base=Fraction(1, RATE_HZ),
            )
        )  # fmt: skip


@cache
def tracked_frames(net, expression):
    """Steps with the same one face in each frame, cropped for the net."""
    options = AnalysisOptions(net=net)
    steps = list(track_faces(filmed(face(expression)), lambda: WorkerNets().face_tracker(options.net), options.rate_hz))
    assert [[seen.track_id for seen in pending.payload.faces] for pending in steps] == [[1]] * FRAMES
    return steps


@cache
def classified(net, expression, fresh_masks=False):
    """The same steps with what the net estimates for each frame."""
    options = AnalysisOptions(net=net, fresh_masks=fresh_masks)
    return list(classify(tracked_frames(net, expression), lambda: WorkerNets().classifier(options)))


def raw(steps):
    """The probabilities of each analysis alone, (FRAMES, 7)."""
    return np.array([step.observation.faces[0].estimate.probabilities for step in steps])


@pytest.mark.parametrize("look_ahead", [0.0, 1.0])
@pytest.mark.parametrize("expression", list(EXPRESSIONS))
@pytest.mark.parametrize("net", emotion_net_names())
def test_a_still_face_keeps_its_emotion(net, expression, look_ahead):
    scenes = SceneBuilder(SmoothingOptions(look_ahead=look_ahead))
    directed = list(build_scenes(classified(net, expression), scenes, max_held=FRAMES))
    settled = np.array([s.scene.faces[0].probabilities for s in directed if s.scene.time >= SETTLED_SECONDS])
    assert len(settled) == FRAMES - RATE_HZ
    assert np.ptp(settled, axis=0).max() < MAX_CHANGE
    second, first = np.sort(settled.mean(axis=0))[-2:]
    assert len(set(settled.argmax(axis=1))) == 1 or first - second < UNDECIDED


@pytest.mark.parametrize("net", emotion_net_names())
def test_no_net_is_undecided_about_the_photo(net):
    """So that the test above asks for its label whatever the net."""
    second, first = np.sort(raw(classified(net, "happy")).mean(axis=0))[-2:]
    assert first - second > 3 * UNDECIDED


@pytest.mark.slow
@pytest.mark.parametrize("net", emotion_net_names())
def test_held_masks_jitter_less_than_fresh_ones(net):
    """The variance over time that is left with held masks comes from the frame; fresh ones add their own."""
    held, fresh = (
        sum(raw(classified(net, expression, fresh_masks)).var(axis=0).sum() for expression in ("sad", "angry"))
        for fresh_masks in (False, True)
    )
    assert held < fresh
