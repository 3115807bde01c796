"""The one rule for everything that a job writes to a disk.

An output is written under a hidden temporary name beside its place and renamed when it is whole. Nothing is replaced
unless that was allowed, which is checked at the start and again at the renaming. The outputs of a job appear all or
not at all. Links are followed, a replaced file's mode and owner are kept, and pipes and devices are written straight
into.

A temporary file is locked by the process that writes it. The system releases the lock however that process ends, so
the next one that writes the same output tells what was left behind, and removes it.
"""

import contextlib
import io
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

from emocolor.errors import SinkError
from engines.system_files import RENAMES_OPEN_FILES

from .pipes import PipeWriter
from .places import check_folder, check_place, identities_of, identity_of, is_stream, status_of
from .renaming import Renamed, move_folder_aside, rename, rename_aside, sync_folder
from .stop_request import StopRequest
from .temporary_names import make_folder, reserve


class Placeable(Protocol):
    """An output that was written completely and waits for its name."""

    path: Path
    """As it was asked for."""

    def place(self) -> str:
        """Give it its name; what there is to say about it, if it had to be another one.

        Raises ``OSError``, and then nothing has changed.
        """
        ...

    def take_back(self) -> None:
        """Undo ``place``: what was replaced is there again."""
        ...

    def discard(self) -> None:
        """Release what is held; what was not placed is removed. Never raises."""
        ...


def place_all(outputs: Sequence[Placeable]) -> None:
    """Give all outputs of a job their names, or none.

    Raises ``SinkError`` where that fails, and where a place was taken meanwhile and must not be replaced: what was
    meant for it is kept under another name.
    """
    placed: list[Placeable] = []
    remarks = []
    try:
        for output in outputs:
            try:
                remarks.append(output.place())
            except OSError as error:
                for other in reversed(placed):
                    other.take_back()
                raise SinkError(f"Cannot write {output.path}: {error.strerror}.") from error
            placed.append(output)
    finally:
        for output in outputs:
            output.discard()
    if any(remarks):
        raise SinkError(" ".join(remark for remark in remarks if remark))


class OutputFile:
    """One output, from the check of its place until it has its name.

    Write to ``part``, or into what ``open`` returns. Then call ``place``, through :func:`place_all`, or ``discard``.
    """

    part: Path
    """Where to write to: the temporary file, or the pipe or device itself."""

    def __init__(self, path: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()) -> None:
        """``inputs`` are files that must not be replaced, whatever their names.

        Raises ``SinkError`` for a place that cannot be written to, and makes the temporary file.
        """
        self.path, self._overwrite = path, overwrite
        there = check_place(path, overwrite=overwrite, inputs=inputs)
        self.is_stream = is_stream(path, there)
        """Whether this is a pipe or a device, which is written straight into and never renamed."""
        self._place, self._lock = Path(os.path.realpath(path)), -1
        self._renamed: Renamed | None = None
        self._discarded = self.is_stream
        if self.is_stream:
            self.part = path
            return
        mode = 0o666 if there is None else stat.S_IMODE(there.st_mode) | stat.S_IRUSR | stat.S_IWUSR
        self.part, self._lock = reserve(
            self._place, lambda part: os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), alone=not overwrite
        )

    def open(self, stop: StopRequest | None = None) -> IO[bytes]:
        """For writing, buffered; ``stop`` ends waits for the reader of a pipe. Raises ``OSError``."""
        if self.is_stream:
            return io.BufferedWriter(PipeWriter(self.path, stop or StopRequest()))
        return self.part.open("wb")

    def place(self) -> str:
        if self.is_stream:
            return ""
        # File, name, folder, in this order: after a power failure there is the old file or the complete new one.
        os.fsync(self._lock)
        if not RENAMES_OPEN_FILES:
            self._close()
        remark = ""
        try:
            self._renamed = rename(self.part, self._place, overwrite=self._overwrite)
        except OSError as error:
            self._renamed = rename_aside(self.part, self._place)
            remark = _kept_aside(self.path, error, self._renamed.place)
        sync_folder(self._place.parent)
        return remark

    def take_back(self) -> None:
        if self._renamed is not None:
            self._renamed.undo()
            self._renamed = None

    def discard(self) -> None:
        if self._discarded:
            return
        self._discarded = True
        if self._renamed is not None:
            self._renamed.settle()
        else:
            with contextlib.suppress(OSError):
                self.part.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class OutputFolder:
    """Several files of one output, such as numbered images, which their writer names by itself.

    They are written into ``part``, a hidden folder beside their place.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        inputs: Sequence[Path] = (),
        name_of: Callable[[str], str] = lambda name: name,
    ) -> None:
        """``path``: the name of the output in its folder. ``name_of``: from a file's name in ``part`` to its own.

        Raises as ``OutputFile``. Which files would be replaced is known when they have been written.
        """
        check_folder(path)
        self.path, self._overwrite, self._name_of = path, overwrite, name_of
        self._inputs = identities_of(inputs)
        self._folder = Path(os.path.realpath(path.parent))
        self._renamed: list[Renamed] = []
        self._aside: Path | None = None
        self._discarded = False
        self.part, self._lock = reserve(self._folder / path.name, make_folder, alone=not overwrite)

    def place(self) -> str:
        remark = ""
        try:
            for part in sorted(self.part.iterdir()):
                self._renamed.append(self._rename(part))
        except OSError as error:
            self.take_back()
            self._aside = move_folder_aside(self.part, self._folder / self.path.name)
            remark = _kept_aside(Path(error.filename or self.path), error, self._aside)
        sync_folder(self._folder)
        return remark

    def take_back(self) -> None:
        if self._aside is not None:
            os.rename(self._aside, self.part)
            self._aside = None
        while self._renamed:
            self._renamed.pop().undo()

    def discard(self) -> None:
        if self._discarded:
            return
        self._discarded = True
        for renamed in self._renamed:
            renamed.settle()
        if self._aside is None:
            shutil.rmtree(self.part, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)

    def _rename(self, part: Path) -> Renamed:
        place = self._folder / self._name_of(part.name)
        there = status_of(place)
        is_input = there is not None and identity_of(there) in self._inputs
        return rename(part, place, overwrite=self._overwrite and not is_input)


def write_whole(path: Path, data: bytes, *, overwrite: bool, inputs: Sequence[Path] = ()) -> None:
    """Write a file by the same rule. Raises ``SinkError``."""
    output = OutputFile(path, overwrite=overwrite, inputs=inputs)
    try:
        with output.open() as file:
            file.write(data)
        place_all([output])
    except OSError as error:
        raise SinkError(f"Cannot write {path}: {error.strerror}. Free some space, or choose another place.") from error
    finally:
        output.discard()


def _kept_aside(path: Path, error: OSError, where: Path) -> str:
    taken = "another program made it meanwhile" if isinstance(error, FileExistsError) else error.strerror
    return f"{path} was not replaced: {taken}. The result is kept as {where}."
