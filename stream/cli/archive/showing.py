"""``archive show``: how far films are."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from ...archive.remote.mirror import outline_of
from ...archive.status import FilmStatus, film_statuses
from ...media.locations import is_url
from ..messages import printable_json, show
from .tables import aligned, duration

HEAD = ("film", "state", "pieces", "frames", "done", "frames/s", "left")
NUMERIC = (2, 3, 4, 5, 6)


def show_films(place: str | Path, *, as_json: bool) -> int:
    """Print a line for each film that has pieces there: in a folder, or behind a URL."""
    name = str(place)
    if not is_url(name):
        return _show_films(Path(place), name, as_json=as_json)
    with outline_of(name) as folder:
        return _show_films(folder, name.rstrip("/"), as_json=as_json)


def _show_films(folder: Path, place: str, *, as_json: bool) -> int:
    """``place`` is what the folder is called."""
    statuses = [replace(status, problem=status.problem.replace(str(folder), place)) for status in film_statuses(folder)]
    if as_json:
        for status in statuses:
            output = f"{place}/{status.output.relative_to(folder)}"
            show(printable_json(json.dumps({**asdict(status), "output": output})))
        return 0
    if not statuses:
        show("No film is unfinished.")
        return 0
    for line in aligned([HEAD, *(_row(status, folder) for status in statuses)], NUMERIC):
        show(line)
    for status in statuses:
        if status.problem:
            show(f"{status.problem} The next run plans it anew.")
    return 0


def _row(status: FilmStatus, folder: Path) -> tuple[str, ...]:
    name = str(status.output.relative_to(folder))
    if not status.frames:
        return (name, status.state, "", "", "", "", "")
    return (
        name,
        status.state,
        f"{status.pieces_rendered}/{status.pieces}",
        f"{status.frames_rendered}/{status.frames}",
        f"{100 * status.frames_rendered // status.frames} %",
        "" if status.fps is None else f"{status.fps:.1f}",
        "" if status.seconds_left is None or status.state == "finished" else duration(status.seconds_left),
    )
