"""Messages of the data channel: what a page may send, and what it gets."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emocolor.effects import EFFECTS, TintOptions
from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from emocolor.faces import Box, Face, Scene
from stream.live.controls import DEFAULT_CONTROLS, Controls
from stream.live.quality import LEVELS
from stream.live.statistics import Statistics
from stream.live.webrtc.control_messages import (
    MAX_CHARACTERS,
    bye_message,
    changed_controls,
    controls_message,
    error_message,
    state_message,
)


def test_a_message_changes_the_controls_that_it_names():
    text = '{"type": "controls", "values": {"tint.alpha": 0.25, "tint.base": "color"}}'
    controls = changed_controls(text, DEFAULT_CONTROLS)
    assert controls == Controls.of((TintOptions(alpha=0.25, base="color"),))
    assert json.loads(controls_message(controls)) == {"type": "controls", "values": controls.as_message()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{}", "JSON text"),
        (" " * (MAX_CHARACTERS + 1), f"at most {MAX_CHARACTERS}"),
        ("{", "not JSON"),
        ("[" * MAX_CHARACTERS, "not JSON"),
        ("[]", "only message"),
        ('{"type": "bye"}', "only message"),
        ('{"type": "controls"}', "no .values."),
        ('{"type": "controls", "values": []}', "no .values."),
        ('{"type": "controls", "values": {"tint.alpha": NaN}}', "alpha must be a number"),
        ('{"type": "controls", "values": {"tint.alhpa": 1}}', "did you mean 'tint.alpha'"),
    ],
)
def test_anything_else_is_refused_in_one_line(text, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        changed_controls(text, DEFAULT_CONTROLS)
    assert "\n" not in str(caught.value)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=20)))
@example('{"type": "controls", "values": {"style.style": "\\n"}}')
@example('{"type": "controls", "values": {"tint.palette": "<script>"}}')
@example('{"type": "controls", "values": {"tint.alpha": 1e999}}')
@example("9" * MAX_CHARACTERS)
def test_a_message_changes_controls_or_is_refused(text):
    try:
        refusal = str(changed_controls(text, DEFAULT_CONTROLS))
    except ConfigurationError as error:
        refusal = str(error)
    assert "\n" not in refusal


NUMBERS = st.sampled_from(
    [10**400, -(10**400), 10**4299, 2**64, -(2**63), 1e308, 5e-324, math.inf, -math.inf, math.nan]
)
VALUES = st.recursive(
    NUMBERS | st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMED = st.sampled_from(sorted(DEFAULT_CONTROLS.as_message()))
CHAINS = st.lists(st.sampled_from([*EFFECTS, "none", "x"]), max_size=4).map(",".join) | st.builds(
    lambda name, value: f"{name}:{value}", st.sampled_from([*EFFECTS]), NUMBERS.map(str).map(lambda text: text[:180])
)


@settings(max_examples=300)
@given(st.dictionaries(NAMED | st.text(max_size=8), VALUES | CHAINS, max_size=3))
@example({"tint.alpha": 10**400})
@example({"effect": "tint:" + "9" * 190})
def test_any_value_changes_controls_within_their_bounds_or_is_refused(values):
    """Whatever comes, the controls that follow can be sent, and built again."""
    try:
        controls, refusal = changed_controls(json.dumps({"type": "controls", "values": values}), DEFAULT_CONTROLS), ""
    except ConfigurationError as error:
        controls, refusal = DEFAULT_CONTROLS, str(error)
    assert len(refusal) < 1000
    message = json.loads(json.dumps(controls.as_message(), allow_nan=False))
    assert DEFAULT_CONTROLS.changed(message).as_message() == message


def test_errors_and_the_end_are_told_in_one_line():
    assert json.loads(error_message(ConfigurationError("No."))) == {"type": "error", "message": "No."}
    assert json.loads(bye_message("the server is stopping")) == {"type": "bye", "reason": "the server is stopping"}


def test_the_state_is_relative_to_the_frame_and_in_plain_numbers():
    mixed = np.eye(7)[3] * 0.75 + np.eye(7)[6] * 0.25
    face = Face(track_id=7, box=Box(80, 45, 160, 90), roll_degrees=0, probabilities=mixed, certainty=0.5, presence=1.0)
    statistics = Statistics()
    statistics.frame_in(9.5)
    statistics.frame_out(9.6, 0.02)
    statistics.dropped("newer frame")
    statistics.stage_took("render", 0.001)
    scene = Scene(time=1.0, faces=(face,), probabilities=mixed, certainty=0.5)
    text = state_message((640, 360), (320, 180), scene, statistics.snapshot(10.0), LEVELS, level=4, viewers=2)
    assert json.loads(text, parse_constant=pytest.fail) == {
        "type": "state",
        "size": [640, 360],
        "faces": [
            {
                "id": 7,
                "box": [0.25, 0.25, 0.5, 0.5],
                "emotion": "happy",
                "probabilities": [0, 0, 0, 0.75, 0, 0, 0.25],
                "certainty": 0.5,
                "presence": 1.0,
            }
        ],
        "probabilities": [0, 0, 0, 0.75, 0, 0, 0.25],
        "certainty": 0.5,
        "fps_in": 0.5,
        "fps_out": 0.5,
        "recent_latency_ms": 20.0,
        "latency_ms": {"p50": 20.0, "p95": 20.0, "p99": 20.0},
        "drops": {"newer frame": 1},
        "level": 4,
        "levels": len(LEVELS),
        "quality": {"rate_hz": 3, "passes": 4, "net": "tiny", "scale": 0.75},
        "stage_ms": {"render": 1.0},
        "viewers": 2,
    }
    assert len(EMOTIONS) == 7
