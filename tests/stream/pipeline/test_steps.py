"""What travels between stages."""

import numpy as np

from emocolor.faces import Observation
from stream.media.source import MediaUnit
from stream.pipeline.steps import Pending, Step
from tests.stream.pipeline.made_steps import gray_units


def test_a_step_has_the_frame_of_its_unit():
    (unit,) = gray_units(np.zeros((1, 4, 4), np.uint8))
    assert Step(unit=unit).frame is unit.frame
    assert Step(unit=MediaUnit(frame=None)).frame is None


def test_a_cut_is_known_by_the_observation_alone():
    (unit,) = gray_units(np.zeros((1, 4, 4), np.uint8))
    assert not Step(unit=unit).is_cut
    for cut in (False, True):
        assert Step(unit=unit, observation=Observation(time=0, cut=cut, faces=())).is_cut is cut


def test_what_is_pending_may_have_no_payload():
    step = Step(unit=MediaUnit(frame=None))
    assert Pending(step) == Pending(step, None)
    assert Pending(step, 3).payload == 3
