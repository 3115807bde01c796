"""When quality steps down and up again, at given times."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.live.quality import LEVELS, ControllerOptions, QualityController, levels_for

OPTIONS = ControllerOptions(budget_s=0.1, relief=0.5, patience_down_s=1, patience_up_s=4, max_patience_up_s=16)


def run(controller, latency_s, start, seconds, step=0.1):
    """Times at which the level changed, and where it then was."""
    times = [start + step * k for k in range(round(seconds / step))]
    return [(round(time - start, 6), controller.level) for time in times if controller.update(time, latency_s)]


def test_within_the_budget_nothing_changes():
    assert run(QualityController(OPTIONS), 0.09, 0, 60) == []


def test_late_frames_step_down_one_level_a_second_to_the_last():
    changes = run(QualityController(OPTIONS), 0.3, 0, 30)
    assert [level for _, level in changes] == list(range(1, len(LEVELS)))
    assert changes[0][0] == pytest.approx(1, abs=0.15)
    assert changes[1][0] - changes[0][0] == pytest.approx(1.1, abs=0.15)


def test_a_short_delay_changes_nothing():
    controller = QualityController(OPTIONS)
    for start in range(0, 20, 2):
        assert run(controller, 0.3, start, 0.8) == []
        assert run(controller, 0.09, start + 0.8, 1.2) == []


def test_quality_rises_after_a_while_of_low_latency():
    controller = QualityController(OPTIONS)
    run(controller, 0.3, 0, 1.2)
    assert controller.level == 1
    changes = run(controller, 0.02, 10, 10)
    assert changes == [(pytest.approx(4, abs=0.15), 0)]


def test_between_relief_and_budget_it_stays():
    controller = QualityController(OPTIONS)
    run(controller, 0.3, 0, 1.2)
    assert run(controller, 0.07, 10, 100) == []
    assert controller.level == 1


def test_a_rise_that_does_not_last_is_tried_ever_less_often():
    """Level 0 is too slow and level 1 is fast: each try must come later, up to the longest wait."""
    controller, tries, now = QualityController(OPTIONS), [], 0.0
    while now < 120:
        if controller.update(now, 0.3 if controller.level == 0 else 0.02) and controller.level == 0:
            tries.append(now)
        now += 0.1
    waits = [after - before for before, after in itertools.pairwise(tries)]
    assert waits[0] > 7
    assert waits[-1] == pytest.approx(17, abs=1.5)
    assert all(after > before - 0.5 for before, after in itertools.pairwise(waits))


def test_options_check_themselves():
    with pytest.raises(ValueError, match="relief"):
        replace(OPTIONS, relief=1.5)
    with pytest.raises(ValueError, match="budget"):
        ControllerOptions(budget_s=0)


def cheaper(before, after):
    return after.rate_hz <= before.rate_hz and after.passes <= before.passes and after.scale <= before.scale


def test_every_level_costs_no_more_than_the_one_before():
    for before, after in itertools.pairwise(LEVELS):
        assert cheaper(before, after)
        assert after != before


@given(st.floats(0, 60), st.integers(0, 100))
def test_levels_start_with_what_was_asked_for_and_never_exceed_it(rate_hz, passes):
    levels = levels_for("mine.onnx", rate_hz, passes)
    assert (levels[0].net, levels[0].passes) == ("mine.onnx", passes)
    assert levels[0].rate_hz == (rate_hz or math.inf), "0 means every frame"
    assert all(cheaper(before, after) for before, after in itertools.pairwise(levels))
    assert levels[-1].net == "tiny"


def test_the_defaults_are_the_levels_themselves():
    assert levels_for(LEVELS[0].net, LEVELS[0].rate_hz, LEVELS[0].passes) == LEVELS
