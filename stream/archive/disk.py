"""Space on the disk: estimated before a film starts, and waited for on the way where there is too little."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from emocolor.errors import SinkError

from ..files.stop_request import StopRequest
from ..files.temporary_names import not_writable
from ..media.encoder_choice import default_encoder
from ..media.source_info import SourceInfo
from ..media.target import output_format
from ..settings import JobSettings

MARGIN_BYTES: Final = 64_000_000
"""Left free beside what is expected, for whatever else writes to the disk; of small films not more than they take."""
SPREAD: Final = 2.0
"""A piece may be larger than pieces of its length on average, by this factor."""
UNDERRUN: Final = 0.25
"""Before the first piece an estimate may be too high; below this share of it a film clearly does not fit."""
CHECK_INTERVAL_S: Final = 5.0
"""How often free space is read while work waits for it."""

LOSSLESS: Final = frozenset({"ffv1", "ffvhuff", "huffyuv", "utvideo", "magicyuv", "png", "qtrle", "libx264rgb"})
STUDIO: Final = frozenset({"prores", "prores_ks", "prores_aw", "dnxhd", "cfhd", "mjpeg", "dvvideo"})
"""Encoders of editing formats: every frame by itself, at a high rate."""
BITS_PER_PIXEL: Final = {"lossless": 5.0, "studio": 2.5, "delivery": 0.05}
"""Of encoded film: half of 4:2:0 in 8 bits, ProRes between LT and 422, and x264 at its own quality."""

FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """What this process may still write to the disk of ``folder``. Raises ``SinkError`` where it is gone."""
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise SinkError(not_writable(folder, error)) from error


def check_space(info: SourceInfo, settings: JobSettings, folder: Path, *, free: FreeBytes = free_bytes) -> None:
    """Raises ``SinkError`` where pieces and film together clearly do not fit on the disk of ``folder``.

    What earlier runs left in the folder counts as written.
    """
    needed = 2 * expected_bytes(info, settings)
    there = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    available = free(folder) + there
    if available < UNDERRUN * needed:
        raise SinkError(
            f"The film and its pieces take about {_size(needed)}; {_size(available)} are free in "
            f"{folder.resolve().parent}. Free some space, or write to another disk."
        )


def expected_bytes(info: SourceInfo, settings: JobSettings) -> int:
    """Of the encoded video, by what its encoder takes for a pixel on average; 0 for an input of unknown length."""
    container = output_format(settings.output or "", settings.sink.format)
    codec = settings.sink.codec or default_encoder(container, Path(settings.output or "").suffix)
    kind = "lossless" if codec in LOSSLESS else "studio" if codec in STUDIO else "delivery"
    return round(BITS_PER_PIXEL[kind] * info.width * info.height * (info.frame_count or 0) / 8)


class DiskSpace:
    """Makes the work on a film wait while its disk is nearly full."""

    def __init__(
        self,
        folder: Path,
        stop: StopRequest,
        tell: Callable[[str], None],
        *,
        workers: int = 1,
        free: FreeBytes = free_bytes,
        interval_s: float = CHECK_INTERVAL_S,
    ) -> None:
        """``folder`` holds the film's pieces; ``tell`` gets a line when work pauses and when it goes on."""
        self._folder, self._stop, self._tell, self._workers = folder, stop, tell, workers
        self._free, self._interval_s = free, interval_s
        self._finished: dict[int, tuple[int, int]] = {}

    def note(self, piece: int, frames: int, size: int) -> None:
        """Note how many bytes a finished piece takes."""
        self._finished[piece] = frames, size

    def wait_for_pieces(self, waiting: Iterable[int]) -> None:
        """Wait until the next pieces have room. ``waiting``: frames of those that are left.

        Returns at a stop. Raises ``Cancelled``, and ``SinkError`` where the disk is gone, as ``wait_for_film`` does.
        """
        frames = sum(count for count, _ in self._finished.values())
        in_work = sum(sorted(waiting, reverse=True)[: self._workers])
        if frames:
            self._wait_for(round(SPREAD * self._bytes * in_work / frames))

    def wait_for_film(self) -> None:
        """Wait until the film that is joined of the pieces has room."""
        self._wait_for(self._bytes)

    @property
    def _bytes(self) -> int:
        return sum(size for _, size in self._finished.values())

    def _wait_for(self, expected: int) -> None:
        needed, paused = expected + min(expected, MARGIN_BYTES), False
        while (free := self._free(self._folder)) < needed and not self._stop.is_stopping:
            if paused:
                self._stop.pause(self._interval_s)
            else:
                self._tell(
                    f"Paused: the disk is nearly full. {_size(free)} are free in {self._folder.resolve().parent}, and "
                    f"{_size(needed)} are needed to go on. Free some space."
                )
            paused = True
        if paused and not self._stop.is_stopping:
            self._tell("There is room on the disk again: the work goes on.")


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
