"""The messages between a page and the server on the data channel "control": JSON objects, one a message.

page -> server    {"type": "controls", "values": {NAME: VALUE, ...}}      any of ``Controls.as_message``
server -> page    {"type": "controls", "values": {...}}                   all of them, at the start and after a change
server -> page    {"type": "state", ...}                                  see ``state_message``
server -> page    {"type": "error", "message": LINE}                      a request failed; the session goes on
server -> page    {"type": "warning", "message": LINE}                    something else failed, such as a recording
server -> page    {"type": "bye", "reason": LINE}                         the server is about to close the session
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from emocolor.arrays import Vector
from emocolor.errors import ConfigurationError, EmocolorError
from emocolor.faces import Face, Scene

from ..controls import Controls
from ..quality import Quality
from ..statistics import Snapshot

MAX_CHARACTERS: Final = 4_096
"""Of a message from a page."""


def changed_controls(text: str | bytes, controls: Controls) -> Controls:
    """``controls`` with the changes that a message from a page asks for.

    Raises ``ConfigurationError`` for anything that is not such a message.
    """
    if isinstance(text, bytes) or len(text) > MAX_CHARACTERS:
        raise ConfigurationError(f"Messages are JSON text of at most {MAX_CHARACTERS} characters.")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError("The message is not JSON.") from None
    if not isinstance(message, dict) or message.get("type") != "controls":
        raise ConfigurationError('The only message to send is {"type": "controls", "values": {...}}.')
    values = message.get("values")
    if not isinstance(values, dict):
        raise ConfigurationError('The message has no "values" object.')
    return controls.changed(values)


def controls_message(controls: Controls) -> str:
    """All controls."""
    return json.dumps({"type": "controls", "values": controls.as_message()})


def error_message(error: EmocolorError) -> str:
    """Why a request of the page failed."""
    return json.dumps({"type": "error", "message": str(error)})


def warning_message(text: str) -> str:
    """What failed while the session goes on."""
    return json.dumps({"type": "warning", "message": text})


def bye_message(reason: str) -> str:
    """Why the server is about to close the session."""
    return json.dumps({"type": "bye", "reason": reason})


def state_message(
    received_wh: tuple[int, int],
    rendered_wh: tuple[int, int],
    scene: Scene,
    statistics: Snapshot,
    levels: Sequence[Quality],
    level: int,
    viewers: int,
) -> str:
    """What is seen and measured, for the page.

    ``received_wh`` is the size of the received frames, ``rendered_wh`` that of the frame that the scene's boxes lie in,
    both in pixels. Boxes are sent as x, y, width and height relative to the frame, in [0, 1]; probabilities in the
    order of ``EMOTIONS``. ``level`` is the index of the quality in use, ``viewers`` how many clients watch.
    """
    return json.dumps(
        {
            "type": "state",
            "size": received_wh,
            "faces": [_face(face, rendered_wh) for face in scene.faces],
            "probabilities": _rounded(scene.probabilities),
            "certainty": round(scene.certainty, 3),
            "fps_in": round(statistics.fps_in, 1),
            "fps_out": round(statistics.fps_out, 1),
            "recent_latency_ms": statistics.recent_latency_ms,
            "latency_ms": statistics.latency_ms,
            "drops": statistics.drops,
            "level": level,
            "levels": len(levels),
            "quality": asdict(levels[level]),
            "stage_ms": statistics.stage_ms,
            "viewers": viewers,
        }
    )


def _face(face: Face, rendered_wh: tuple[int, int]) -> dict[str, Any]:
    width, height = rendered_wh
    box = face.box
    return {
        "id": face.track_id,
        "box": [round(v, 4) for v in (box.x / width, box.y / height, box.width / width, box.height / height)],
        "emotion": face.emotion,
        "probabilities": _rounded(face.probabilities),
        "certainty": round(face.certainty, 3),
        "presence": round(face.presence, 3),
    }


def _rounded(probabilities: Vector) -> list[float]:
    return [round(float(p), 3) for p in probabilities]
