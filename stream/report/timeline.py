"""The emotion timeline: one record per analysed frame and face, as JSON lines or CSV."""

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError, SinkError
from emocolor.faces import Face, Observation, ObservedFace, Scene

from ..files.output_file import OutputFile, Placeable, place_all
from ..files.stop_request import Cancelled, StopRequest

TimelineFormat = Literal["jsonl", "csv"]

FIELDS: Final = (
    *("time", "cut", "track", "x", "y", "width", "height", "score", "yaw", "roll", "emotion", "certainty"),
    *("entropy", "mutual_information", "confidence"),
    *EMOTIONS,
    *(f"raw_{name}" for name in EMOTIONS),
)
"""The fields of a record, in order."""


class TimelineWriter:
    """Writes records under a temporary name; ``finish`` puts the file in place, ``abort`` removes it.

    A record holds ``time`` (seconds), ``cut``, ``track``, ``x``, ``y``, ``width`` and ``height`` (luma pixels),
    ``score``, ``yaw`` and ``roll`` (degrees), ``emotion`` and ``certainty`` (smoothed), ``entropy`` and
    ``mutual_information`` (nats), ``confidence``, the smoothed probability of each emotion under its name, and that of
    this frame alone under its name after ``raw_``.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        inputs: Sequence[Path] = (),
        stop: StopRequest | None = None,
    ) -> None:
        """``inputs`` are files that must not be replaced. ``stop`` ends waits for the reader of a pipe.

        Raises ``ConfigurationError`` for an unknown extension, ``SinkError`` for a place that cannot be used.
        """
        self._path = path
        self._format = _format_of(path)
        self._output = OutputFile(path, overwrite=overwrite, inputs=inputs)
        try:
            self._file = io.TextIOWrapper(self._output.open(stop), newline="", encoding="utf-8")
        except OSError as error:
            self._output.discard()
            raise self._failure(error) from error
        self._table = csv.DictWriter(self._file, FIELDS)
        if self._format == "csv":
            self._table.writeheader()

    def write(self, observation: Observation, scene: Scene) -> None:
        """Add one record per face of ``observation``; ``scene`` is the scene at the same time."""
        try:
            for record in records_of(observation, scene):
                self._write_record(record)
        except OSError as error:
            raise self._failure(error) from error

    @property
    def outputs(self) -> list[Placeable]:
        """What waits for its name once the timeline is complete."""
        return [self._output]

    def finish(self) -> None:
        """Put the file in place; raises ``SinkError``."""
        self.complete()
        place_all(self.outputs)

    def complete(self) -> None:
        """Write what is left; the file waits under its temporary name. Raises ``SinkError``."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error

    def abort(self) -> None:
        """Remove what was written, unless it has its name."""
        with contextlib.suppress(OSError, Cancelled):  # closing flushes, so a full disk fails again here
            self._file.close()
        self._output.discard()

    def _write_record(self, record: dict[str, Any]) -> None:
        if self._format == "jsonl":
            self._file.write(json.dumps(record) + "\n")
            return
        self._table.writerow(record)

    def _failure(self, error: OSError) -> SinkError:
        return SinkError(f"Cannot write the timeline {self._path}: {error.strerror}.")


def records_of(observation: Observation, scene: Scene) -> Iterator[dict[str, Any]]:
    """One record per observed face, in the order of the observation."""
    smoothed = {face.track_id: face for face in scene.faces}
    for seen in observation.faces:
        face = smoothed.get(seen.track_id)
        if face is not None:
            yield _record(observation, seen, face)


def _record(observation: Observation, seen: ObservedFace, face: Face) -> dict[str, Any]:
    box, detection, estimate = seen.detection.box, seen.detection, seen.estimate
    return {
        "time": round(observation.time, 6),
        "cut": observation.cut,
        "track": seen.track_id,
        "x": round(box.x, 1),
        "y": round(box.y, 1),
        "width": round(box.width, 1),
        "height": round(box.height, 1),
        "score": round(detection.score, 4),
        "yaw": round(detection.yaw_degrees, 1),
        "roll": round(detection.roll_degrees, 1),
        "emotion": face.emotion,
        "certainty": round(face.certainty, 4),
        "entropy": round(estimate.entropy, 4),
        "mutual_information": round(estimate.mutual_information, 4),
        "confidence": round(seen.confidence, 4),
        **{name: round(float(p), 5) for name, p in zip(EMOTIONS, face.probabilities, strict=True)},
        **{f"raw_{name}": round(float(p), 5) for name, p in zip(EMOTIONS, estimate.probabilities, strict=True)},
    }


def _format_of(path: Path) -> TimelineFormat:
    endings: dict[str, TimelineFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
    if path.suffix.lower() not in endings:
        raise ConfigurationError(f"A timeline ends in .jsonl or .csv, got '{path.name}'.")
    return endings[path.suffix.lower()]
