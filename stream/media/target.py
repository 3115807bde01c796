"""Where an output goes: a file that appears when it is whole, or straight into a pipe, a URL or numbered images."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

import av
from av.format import ContainerFormat

from emocolor.errors import ConfigurationError, SinkError

from .locations import PROTOCOLS, ffmpeg_name, is_image_pattern, is_standard_stream, is_url, shown

STANDARD_OUTPUT: Final = "pipe:1"
WRITES_FILES_ITSELF: Final = 1
"""FFmpeg's AVFMT_NOFILE."""
PIPE_FORMAT: Final = "matroska"
"""For standard output, which has no ending to tell; it needs no seeking."""
URL_FORMATS: Final = {
    "rtmp": "flv",
    "rtmps": "flv",
    "rtsp": "rtsp",
    "udp": "mpegts",
    "tcp": "mpegts",
    "rtp": "rtp",
}


class Target:
    """Checks a place to write to, and puts the finished file there."""

    def __init__(self, target: str, *, format_name: str | None, overwrite: bool, source: str) -> None:
        """``source`` is the input's location, which the output must not replace.

        Raises ConfigurationError for an unknown format and SinkError for a place that cannot be
        written to. Nothing is created yet.
        """
        self.shown = "standard output" if is_standard_stream(target) else shown(target)
        self._path = None if is_standard_stream(target) or is_url(target) else Path(target.removeprefix("file:"))
        self._temporary: Path | None = None
        if self._path is not None:
            _check_folder(self._path)
        self.format = _format(target, format_name)
        self.is_pattern = self.format == "image2" and is_image_pattern(target)
        if self._path is None:
            self.name = STANDARD_OUTPUT if is_standard_stream(target) else target
            return
        if not self.is_pattern:
            _check_existing(self._path, overwrite=overwrite, source=source)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        _check_writable(fresh)
        if self._direct:
            self.name = ffmpeg_name(target)
        else:
            self._temporary = fresh
            self.name = ffmpeg_name(str(fresh))

    @property
    def _direct(self) -> bool:
        """Whether FFmpeg makes the files itself: images, and playlists with their segments."""
        return bool(ContainerFormat(self.format, "w").flags & WRITES_FILES_ITSELF)

    @property
    def ending(self) -> str:
        return "" if self._path is None else self._path.suffix

    def place(self) -> None:
        """Make the finished file last, and give it its name. Raises OSError."""
        if self._temporary is None or self._path is None:
            return
        _sync(self._temporary)
        os.replace(self._temporary, self._path)
        _sync(self._path.parent)

    def remove(self) -> None:
        """Remove what was written, as far as it has a temporary name."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def room(self) -> str:
        """What is written and what is left on the disk, for messages."""
        if self._path is None:
            return "the other side takes no more"
        free = shutil.disk_usage(self._path.parent).free
        written = self._temporary.stat().st_size if self._temporary and self._temporary.exists() else 0
        return f"{written / 1e6:.1f} MB were written and {free / 1e6:.1f} MB are left in {self._path.parent.resolve()}"


def _format(target: str, name: str | None) -> str:
    if name is not None:
        try:
            return ContainerFormat(name, "w").name
        except ValueError as error:
            raise ConfigurationError(
                f"FFmpeg has no output format {name!r}. Leave --format out, or try mp4."
            ) from error
    if is_standard_stream(target):
        return PIPE_FORMAT
    if is_url(target):
        return _url_format(target)
    return _format_by_ending(target)


def _url_format(target: str) -> str:
    scheme = target.split(":", 1)[0].lower()
    if scheme in URL_FORMATS:
        return URL_FORMATS[scheme]
    if scheme in PROTOCOLS:
        return _format_by_ending(target)
    raise ConfigurationError(
        f"The protocol {scheme!r} of {shown(target)} is not supported; use one of {', '.join(PROTOCOLS)}."
    )


def _format_by_ending(target: str) -> str:
    try:
        # Nothing is opened before the first packet, so this only looks at the name.
        return av.open(target, "w").format.name
    except ValueError as error:
        ending = Path(target).suffix
        seen = f"The ending {ending!r} tells" if ending else "A name without an ending tells"
        raise ConfigurationError(
            f"{seen} no video format: {shown(target)}. Name the output .mp4, .mkv, .mov or .webm, or pass --format."
        ) from error


def _check_folder(path: Path) -> None:
    if path.is_dir():
        raise SinkError(f"The output {path} is a folder. Name a file.")
    if not path.parent.is_dir():
        raise SinkError(f"The folder {path.parent} does not exist. Make it first, or write elsewhere.")


def _check_writable(fresh: Path) -> None:
    """Make and remove a file; permissions alone do not tell of read-only disks."""
    try:
        fresh.touch()
        fresh.unlink()
    except OSError as error:
        raise SinkError(
            f"The folder {fresh.parent} cannot be written to: {error.strerror}. "
            "Check its permissions, or write elsewhere."
        ) from error


def _check_existing(path: Path, *, overwrite: bool, source: str) -> None:
    if not path.exists():
        return
    if Path(source).exists() and path.samefile(source):
        raise SinkError(f"The output {path} is the input itself. Give it another name.")
    if not overwrite:
        raise SinkError(f"{path} exists. Pass --overwrite to replace it.")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
