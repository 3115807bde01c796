"""Joins the timelines of a film's pieces: faces are numbered as in one run.

Each piece counts its faces from 1. After a cut the numbers go on from those before; at a joint a face that goes on
keeps its number, which is told by where it was last.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from emocolor.errors import SinkError
from emocolor.scenes import MAX_GAP_SECONDS

from ..files.output_file import OutputFile, Placeable
from ..report.timeline import FIELDS
from .manifest import Piece

Record = dict[str, Any]
Part = tuple[Piece, Callable[[], bytes]]
"""A piece, and what reads its timeline."""
SAME_FACE: Final = 0.3
"""Boxes that overlap by this share of both together show the same face, a moment later."""


class JoinedTimeline:
    """The timeline of a whole film as an output of the job that joins it; it holds one piece's at a time."""

    def __init__(self, path: Path, parts: Sequence[Part], *, overwrite: bool, inputs: Sequence[Path] = ()) -> None:
        """``parts``: of all pieces, in order. Raises ``SinkError`` for a place that cannot be used."""
        self._parts, self._is_csv = parts, path.suffix.lower() == ".csv"
        self._output = OutputFile(path, overwrite=overwrite, inputs=inputs)

    @property
    def outputs(self) -> list[Placeable]:
        """What waits for its name once the timeline is complete."""
        return [self._output]

    def complete(self) -> None:
        """Write it. Raises ``SinkError``, and what reading the parts raises."""
        records = joined_records((piece, _records(read(), is_csv=self._is_csv)) for piece, read in self._parts)
        try:
            with self._output.open() as file, io.TextIOWrapper(file, newline="", encoding="utf-8") as text:
                self._write(records, text)
        except OSError as error:
            raise SinkError(f"Cannot write the timeline {self._output.path}: {error.strerror}.") from error

    def abort(self) -> None:
        """Remove what was written, unless it has its name."""
        self._output.discard()

    def _write(self, records: Iterator[Record], text: io.TextIOWrapper) -> None:
        if not self._is_csv:
            text.writelines(json.dumps(record) + "\n" for record in records)
            return
        table = csv.DictWriter(text, FIELDS)
        table.writeheader()
        table.writerows(records)


def joined_records(parts: Iterable[tuple[Piece, Sequence[Record]]]) -> Iterator[Record]:
    """The records of all pieces, in order, with the numbers of one run."""
    used, before = 0, list[Record]()
    for piece, records in parts:
        numbers = _continued(before, records) if piece.start == "joint" else {}
        for record in records:
            track = int(record["track"])
            if track not in numbers:
                numbers[track] = used = used + 1
            yield {**record, "track": numbers[track]}
        if records:
            before = [{**record, "track": numbers[int(record["track"])]} for record in records]


def _continued(before: Sequence[Record], records: Sequence[Record]) -> dict[int, int]:
    """Numbers of the faces of a piece that were seen at the end of the one before."""
    if not before or not records:
        return {}
    start = float(records[0]["time"])
    last = {int(one["track"]): one for one in before if start - float(one["time"]) <= MAX_GAP_SECONDS}
    first = {int(one["track"]): one for one in reversed(records) if float(one["time"]) - start <= MAX_GAP_SECONDS}
    pairs = sorted(
        ((_overlap(old, new), old_id, new_id) for old_id, old in last.items() for new_id, new in first.items()),
        reverse=True,
    )
    numbers: dict[int, int] = {}
    for overlap, old_id, new_id in pairs:
        if overlap >= SAME_FACE and new_id not in numbers and old_id not in numbers.values():
            numbers[new_id] = old_id
    return numbers


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Intersection over union of two boxes."""
    (x, y, width, height), (x2, y2, width2, height2) = (
        [float(record[name]) for name in ("x", "y", "width", "height")] for record in (one, other)
    )
    across = min(x + width, x2 + width2) - max(x, x2)
    down = min(y + height, y2 + height2) - max(y, y2)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (width * height + width2 * height2 - shared)


def _records(content: bytes, *, is_csv: bool) -> list[Record]:
    text = content.decode()
    if is_csv:
        return list(csv.DictReader(io.StringIO(text, newline="")))
    return [json.loads(line) for line in text.splitlines()]
