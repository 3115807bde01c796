"""What a page and the server say to each other over the data channel "control": JSON objects, one a message.

page -> server    {"type": "controls", "values": {NAME: VALUE, ...}}      any of the fields of ``Controls``
server -> page    {"type": "controls", "values": {...}}                   all of them, at first and after a change
server -> page    {"type": "state", ...}                                  see ``state_message``
server -> page    {"type": "error", "message": LINE}                      what could not be done; all goes on
server -> page    {"type": "bye", "reason": LINE}                         the server is about to close
"""

import json
from typing import Any, Final

from emocolor.errors import ConfigurationError
from emocolor.faces import Face, Scene, Vector

from ..controls import Controls
from ..quality import LEVELS
from ..statistics import Snapshot

LONGEST: Final = 4_096
"""Characters of a message from a page."""


def changed_controls(text: str | bytes, controls: Controls) -> Controls:
    """``controls`` as a message from a page changes them.

    Raises ``ConfigurationError``, one line, for anything that is not such a message.
    """
    if isinstance(text, bytes) or len(text) > LONGEST:
        raise ConfigurationError(f"Messages are JSON text of at most {LONGEST} characters.")
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
    return json.dumps({"type": "controls", "values": controls.as_message()})


def error_message(error: Exception) -> str:
    return json.dumps({"type": "error", "message": str(error)})


def bye_message(reason: str) -> str:
    return json.dumps({"type": "bye", "reason": reason})


def state_message(
    size_wh: tuple[int, int], painted_wh: tuple[int, int], scene: Scene, figures: Snapshot, level: int
) -> str:
    """What is seen and measured, for the page's readout.

    ``size_wh`` is the picture's size as it came; ``painted_wh`` that of the planes that the scene's boxes lie in.
    Boxes are sent as x, y, width, height in parts of the picture; probabilities in the order of ``EMOTIONS``.
    """
    return json.dumps(
        {
            "type": "state",
            "size": size_wh,
            "faces": [_face(face, painted_wh) for face in scene.faces],
            "probabilities": _rounded(scene.probabilities),
            "certainty": round(scene.certainty, 3),
            "fps_in": round(figures.fps_in, 1),
            "fps_out": round(figures.fps_out, 1),
            "delay_ms": figures.delay_ms,
            "latency_ms": figures.latency_ms,
            "drops": figures.drops,
            "level": level,
            "levels": len(LEVELS),
            "quality": _quality(level),
            "stage_ms": figures.stage_ms,
        }
    )


def _face(face: Face, painted_wh: tuple[int, int]) -> dict[str, Any]:
    width, height = painted_wh
    box = face.box
    return {
        "id": face.track_id,
        "box": [round(v, 4) for v in (box.x / width, box.y / height, box.width / width, box.height / height)],
        "emotion": face.emotion,
        "probabilities": _rounded(face.probabilities),
        "certainty": round(face.certainty, 3),
        "presence": round(face.presence, 3),
    }


def _quality(level: int) -> dict[str, Any]:
    quality = LEVELS[level]
    return {"rate_hz": quality.rate_hz, "passes": quality.passes, "net": quality.net, "scale": quality.scale}


def _rounded(probabilities: Vector) -> list[float]:
    return [round(float(p), 3) for p in probabilities]
