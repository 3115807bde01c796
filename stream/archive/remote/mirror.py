"""Films whose results lie behind a URL: each machine works in a folder of its own, which mirrors what is there.

So all that is true of a folder on a disk is true of them. A piece is rendered into a local file and put behind the URL
when it is whole, its record last.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from emocolor.errors import SinkError

from ...files.stop_request import StopRequest
from ...files.temporary_names import make_folder, reserve
from .. import film
from ..film import FINISHED, FOLDER_ENDING, MANIFEST, FilmJob
from ..manifest import Manifest, read_manifest
from .storage import Storage

SCRATCH: Final = "emocolor-stream"
"""Name of the folders that machines work in, below that for temporary files."""
TOLD_BY: Final = (".json", ".jsonl")
"""Endings of plans and records."""


class Mirror:
    """One film's results behind a URL, and the folder of this process that mirrors them."""

    def __init__(self, job: FilmJob, scratch: Path) -> None:
        """``job`` has a ``store``. Raises what ``Storage`` raises."""
        assert job.store is not None
        self.job, url = job, job.store.rstrip("/")
        self.here = _at(job, scratch)
        """The same job, with its results in ``scratch``."""
        self._films, self._pieces = Storage(url), Storage(f"{url}/{job.folder}")

    def was_done(self, *, keep_pieces: bool) -> bool:
        """Whether the finished film is there, and no unfinished one with it.

        Raises ``SinkError`` where something else is there under the film's name.
        """
        there = self._films.size(str(self.job.output))
        if there is None:
            return False
        finished = self._finished_size()
        if finished not in (None, there):
            raise SinkError(f"{self.job.place} exists. Set output.overwrite to replace it, or choose another place.")
        if finished is not None and not keep_pieces:
            self.clear()
        return True

    def fetch(self) -> None:
        """Fetch the plan, and all pieces that are there."""
        self._pieces.get_all(self._pieces.sizes(), self.here.folder)

    def fetch_plan(self) -> Manifest:
        self._pieces.get(MANIFEST, self.here.folder / MANIFEST)
        return read_manifest(self.here.folder / MANIFEST)

    def put_plan(self) -> Manifest:
        """Put the plan there; of another one, what it does not know is removed."""
        path, there = self.here.folder / MANIFEST, self._pieces.sizes()
        known = self.here.folder.parent / f"{MANIFEST}.there"
        if MANIFEST in there:
            self._pieces.get(MANIFEST, known)
        if MANIFEST not in there or known.read_bytes() != path.read_bytes():
            self._pieces.remove(name for name in there if not (self.here.folder / name).exists())
            self._pieces.put(path, MANIFEST)
        return read_manifest(path)

    def fetch_piece(self, manifest: Manifest, index: int) -> None:
        self._pieces.get_all((path.name for path in _files(manifest, index, self.here)), self.here.folder)

    def put_piece(self, manifest: Manifest, index: int) -> None:
        for path in _files(manifest, index, self.here):
            self._pieces.put(path, path.name)

    def put_film(self, *, keep_pieces: bool) -> None:
        """Put the finished film there, and then remove its pieces."""
        size = self.here.output.stat().st_size
        note = self.here.folder.parent / FINISHED
        note.write_text(str(size))
        self._pieces.put(note, FINISHED)
        for there, path in _outputs(self.job, self.here):
            self._films.put(path, str(there))
        if not keep_pieces:
            self.clear()

    def clear(self) -> None:
        """Remove all pieces and the plan."""
        self._pieces.remove_all()

    def _finished_size(self) -> int | None:
        """Of the film whose pieces are still there; 0 if that is not finished, ``None`` without pieces."""
        names = self._pieces.sizes()
        if FINISHED not in names:
            return 0 if names else None
        path = self.here.folder.parent / FINISHED
        self._pieces.get(FINISHED, path)
        text = path.read_text()
        return int(text) if text.isdecimal() else 0


def render(
    job: FilmJob,
    index: int,
    *,
    cores: int,
    stop: StopRequest | None = None,
    progress: Callable[[int], None] = lambda frames: None,
) -> bool:
    """As :func:`stream.archive.film.render`, wherever the film's results lie. Raises ``StorageError`` too."""
    if job.store is None:
        return film.render(job, index, cores=cores, stop=stop, progress=progress)
    with mirror_of(job) as mirror:
        manifest = mirror.fetch_plan()
        if not film.render(mirror.here, index, cores=cores, stop=stop, progress=progress):
            return False
        mirror.put_piece(manifest, index)
    return True


@contextlib.contextmanager
def mirror_of(job: FilmJob) -> Iterator[Mirror]:
    """The mirror of a job for as long as the block runs."""
    with _scratch() as scratch:
        yield Mirror(job, scratch)


@contextlib.contextmanager
def outline_of(url: str) -> Iterator[Path]:
    """A folder that tells how far films behind the URL are.

    It holds plans and records, and in place of all else empty files of the same size. Raises what ``Storage`` raises.
    """
    storage = Storage(url)
    with _scratch() as scratch:
        files = storage.files_below()
        storage.get_all((file.name for file in files if file.name.endswith(TOLD_BY)), scratch)
        for file in files:
            path = scratch / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.truncate(path, file.size)
            os.utime(path, (file.modified, file.modified))
        for note in scratch.rglob(FINISHED):
            output = note.parent.with_name(note.parent.name.removesuffix(FOLDER_ENDING))
            if output.exists() and note.read_text() == str(output.stat().st_size):
                film.note_finished(FilmJob(input=output, output=output), output)
        yield scratch


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of this process, removed in the end. What killed processes have left is removed by the next."""
    scratch, lock = reserve(Path(tempfile.gettempdir()) / SCRATCH, make_folder, alone=False)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def _at(job: FilmJob, scratch: Path) -> FilmJob:
    def moved(path: Path | None) -> Path | None:
        return None if path is None else scratch / path

    here = replace(job, store=None, output=scratch / job.output, timeline=moved(job.timeline), strip=moved(job.strip))
    here.folder.mkdir(parents=True)
    return here


def _files(manifest: Manifest, index: int, job: FilmJob) -> Iterator[Path]:
    """The files of a piece, the record last: with it the piece counts as rendered."""
    files = film.files_of(manifest, manifest.pieces[index], job)
    return (path for path in (files.video, files.timeline, files.record) if path is not None)


def _outputs(there: FilmJob, here: FilmJob) -> Iterator[tuple[Path, Path]]:
    """Finished files: where they go, and where they are; the film last."""
    pairs = [(there.timeline, here.timeline), (there.strip, here.strip), (there.output, here.output)]
    return ((name, path) for name, path in pairs if name is not None and path is not None)
