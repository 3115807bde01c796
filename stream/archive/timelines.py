"""Joins the timelines of a film's pieces: faces are numbered as in one run.

Each piece counts its faces from 1. After a cut the numbers go on from those before; at a joint a face that goes on
keeps its number, which is told by where it was last.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

from emocolor.scenes import MAX_GAP_SECONDS

from ..files.output_file import write_whole
from ..report.timeline import FIELDS
from .manifest import Manifest

Record = dict[str, Any]
SAME_FACE: Final = 0.3
"""Boxes that overlap by this share of both together show the same face, a moment later."""


def join_timelines(manifest: Manifest, parts: Sequence[Path], output: Path, *, overwrite: bool) -> None:
    """Write the timeline of the whole film. Raises ``SinkError``, and ``OSError`` where a part cannot be read."""
    table = StringIO(newline="")
    writer = csv.DictWriter(table, FIELDS)
    is_csv = output.suffix.lower() == ".csv"
    if is_csv:
        writer.writeheader()
    for record in joined_records(manifest, [_records(part) for part in parts]):
        if is_csv:
            writer.writerow(record)
        else:
            table.write(json.dumps(record) + "\n")
    write_whole(output, table.getvalue().encode(), overwrite=overwrite)


def joined_records(manifest: Manifest, parts: Sequence[Sequence[Record]]) -> Iterator[Record]:
    """The records of all pieces, in order, with the numbers of one run."""
    used, before = 0, list[Record]()
    for piece, records in zip(manifest.pieces, parts, strict=True):
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


def _records(part: Path) -> list[Record]:
    text = part.read_text(encoding="utf-8")
    if part.suffix.lower() == ".csv":
        return list(csv.DictReader(StringIO(text, newline="")))
    return [json.loads(line) for line in text.splitlines()]
