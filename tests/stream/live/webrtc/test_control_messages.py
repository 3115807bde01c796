"""Messages of the data channel: what a page may send, and what it gets."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from emocolor.faces import Box, Face, Scene
from stream.live.controls import Controls
from stream.live.quality import LEVELS
from stream.live.statistics import Statistics
from stream.live.webrtc.control_messages import LONGEST, changed_controls, controls_message, state_message


def test_a_message_changes_what_it_names():
    controls = changed_controls('{"type": "controls", "values": {"alpha": 0.25, "overlay": true}}', Controls())
    assert controls == Controls(alpha=0.25, overlay=True)
    assert json.loads(controls_message(controls)) == {"type": "controls", "values": controls.as_message()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{}", "JSON text"),
        (" " * (LONGEST + 1), f"at most {LONGEST}"),
        ("{", "not JSON"),
        ("[" * LONGEST, "not JSON"),
        ("[]", "only message"),
        ('{"type": "bye"}', "only message"),
        ('{"type": "controls"}', "no .values."),
        ('{"type": "controls", "values": []}', "no .values."),
        ('{"type": "controls", "values": {"alpha": NaN}}', "alpha must lie"),
        ('{"type": "controls", "values": {"alhpa": 1}}', "did you mean 'alpha'"),
    ],
)
def test_anything_else_is_told_in_one_line(text, words):
    with pytest.raises(ConfigurationError, match=words):
        changed_controls(text, Controls())


@given(st.one_of(st.text(max_size=60), st.binary(max_size=20)))
@example('{"type": "controls", "values": {"style": "\\n"}}')
@example('{"type": "controls", "values": {"palette": "<script>"}}')
@example('{"type": "controls", "values": {"alpha": 1e999}}')
@example("9" * LONGEST)
def test_no_message_does_more_than_change_or_be_refused(text):
    try:
        said = str(changed_controls(text, Controls()))
    except ConfigurationError as error:
        said = str(error)
    assert "\n" not in said


def test_the_state_is_in_parts_of_the_picture_and_plain_numbers():
    mixed = np.eye(7)[3] * 0.75 + np.eye(7)[6] * 0.25
    face = Face(track_id=7, box=Box(80, 45, 160, 90), roll_degrees=0, probabilities=mixed, certainty=0.5, presence=1.0)
    statistics = Statistics()
    statistics.came(9.5)
    statistics.went(9.6, 0.02)
    statistics.dropped("newer frame")
    statistics.took("paint", 0.001)
    scene = Scene(time=1.0, faces=(face,), probabilities=mixed, certainty=0.5)
    text = state_message((640, 360), (320, 180), scene, statistics.snapshot(10.0), level=4)
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
        "delay_ms": 20.0,
        "latency_ms": {"p50": 20.0, "p95": 20.0, "p99": 20.0},
        "drops": {"newer frame": 1},
        "level": 4,
        "levels": len(LEVELS),
        "quality": {"rate_hz": 3, "passes": 4, "net": "tiny", "scale": 0.75},
        "stage_ms": {"paint": 1.0},
    }
    assert len(EMOTIONS) == 7
