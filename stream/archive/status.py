"""How far films are, from what lies on the disk: whoever renders them, and whether anybody does now."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final, Literal

from emocolor.errors import SourceError
from engines.system_files import lock

from .film import FOLDER_ENDING, MANIFEST, FilmJob, files_of, is_finished
from .manifest import Manifest, ManifestError, read_manifest
from .records import read_record
from .run import LOCK

RECENT: Final = 20
"""A rate is measured over so many pieces."""
PAUSE: Final = 8.0
"""Between two pieces, so many times the usual interval means that nobody rendered."""

State = Literal["in work", "waiting", "finished", "planning", "damaged"]
"""``waiting``: somebody must go on with it. ``finished``: the film is there, and its pieces were kept."""


@dataclass(frozen=True, kw_only=True)
class FilmStatus:
    """How far one film is."""

    output: Path
    state: State
    input: str | None = None
    pieces: int = 0
    pieces_rendered: int = 0
    frames: int = 0
    frames_rendered: int = 0
    fps: float | None = None
    """Frames rendered a second, by all workers together, of late."""
    seconds_left: float | None = None
    """For rendering, at that rate."""
    problem: str = ""
    """What is wrong with its manifest."""


def film_statuses(folder: Path) -> list[FilmStatus]:
    """Of all films that are to lie in the folder, or below it, and have pieces. Raises ``SourceError``."""
    if not os.path.isdir(folder):
        raise SourceError(f"The folder {folder} does not exist. Name the folder of finished films.")
    return [_status(path) for path in _piece_folders(folder)]


def is_in_work(folder: Path) -> bool:
    """Whether a process renders the film whose pieces lie in the folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        lock(descriptor, shared=True)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


def recent_fps(finished: Sequence[tuple[float, int]]) -> float | None:
    """Frames a second, from when pieces were finished and how many frames each has; pauses do not count."""
    last = sorted(finished)[-RECENT - 1 :]
    steps = [(now[0] - before[0], now[1]) for before, now in pairwise(last)]
    if not steps:
        return None
    usual = median(seconds for seconds, _ in steps)
    steps = [(seconds, frames) for seconds, frames in steps if seconds <= PAUSE * usual]
    seconds = sum(seconds for seconds, _ in steps)
    return sum(frames for _, frames in steps) / seconds if seconds > 0 else None


def _piece_folders(top: Path) -> Iterator[Path]:
    for parent, folders, _ in os.walk(top):
        yield from (Path(parent, name) for name in sorted(folders) if name.endswith(FOLDER_ENDING))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(FOLDER_ENDING))


def _status(folder: Path) -> FilmStatus:
    output, in_work = folder.with_name(folder.name.removesuffix(FOLDER_ENDING)), is_in_work(folder)
    try:
        manifest = read_manifest(folder / MANIFEST)
    except FileNotFoundError:
        return FilmStatus(output=output, state="planning" if in_work else "waiting")
    except (ManifestError, OSError) as error:
        return FilmStatus(output=output, state="damaged", problem=str(error))
    job = FilmJob(input=Path(manifest.header.input.path), output=output, values=manifest.header.values)
    finished = list(_finished(manifest, job))
    frames, fps = sum(count for _, count in finished), recent_fps(finished)
    return FilmStatus(
        output=output,
        state="in work" if in_work else "finished" if is_finished(job) else "waiting",
        input=manifest.header.input.path,
        pieces=len(manifest.pieces),
        pieces_rendered=len(finished),
        frames=manifest.frame_count,
        frames_rendered=frames,
        fps=fps,
        seconds_left=(manifest.frame_count - frames) / fps if fps else None,
    )


def _finished(manifest: Manifest, job: FilmJob) -> Iterator[tuple[float, int]]:
    """When each rendered piece was finished, and its frames."""
    for piece in manifest.pieces:
        files = files_of(manifest, piece, job)
        if read_record(files) is not None:
            with contextlib.suppress(FileNotFoundError):  # the film is finished just now
                yield files.video.stat().st_mtime, len(piece.times)
