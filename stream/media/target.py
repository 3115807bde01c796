"""Where an output goes: a file that appears when it is complete, or straight into a pipe, a URL or numbered images."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

import av
from av.format import ContainerFormat

from emocolor.errors import ConfigurationError, SinkError

from .locations import PROTOCOLS, display_name, ffmpeg_url, is_image_pattern, is_standard_stream, is_url

STANDARD_OUTPUT: Final = "pipe:1"
OPENS_FILES_ITSELF: Final = 1
"""FFmpeg's AVFMT_NOFILE: the muxer opens its files by itself."""
PIPE_FORMAT: Final = "matroska"
"""The format on standard output, which has no file extension to tell it; Matroska can be written without seeking."""
URL_FORMATS: Final = {
    "rtmp": "flv",
    "rtmps": "flv",
    "rtsp": "rtsp",
    "udp": "mpegts",
    "tcp": "mpegts",
    "rtp": "rtp",
}
"""The format that receivers expect, by protocol."""


class Target:
    """A place that was checked; a file is written under a temporary name, and ``place`` gives it its own."""

    def __init__(self, target: str, *, format_name: str | None, overwrite: bool, source: str) -> None:
        """``source`` is the input's location, which the output must not replace.

        Raises ConfigurationError for an unknown format, SinkError for a place that cannot be written to. Nothing is
        created yet.
        """
        self.display_name = "standard output" if is_standard_stream(target) else display_name(target)
        """For messages, without a password."""
        self._path = None if is_standard_stream(target) or is_url(target) else Path(target.removeprefix("file:"))
        self._temporary: Path | None = None
        if self._path is not None:
            _check_folder(self._path)
        self.format = _format(target, format_name)
        """FFmpeg's name of the container format."""
        self.is_pattern = self.format == "image2" and is_image_pattern(target)
        if self._path is None:
            self.name = STANDARD_OUTPUT if is_standard_stream(target) else target
            """What FFmpeg is to open."""
            return
        if not self.is_pattern:
            _check_existing(self._path, overwrite=overwrite, source=source)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        _check_writable(temporary)
        if self._opens_files_itself:
            self.name = ffmpeg_url(target)
        else:
            self._temporary = temporary
            self.name = ffmpeg_url(str(temporary))

    @property
    def extension(self) -> str:
        """The file's extension with its dot, such as ``.png``; empty for pipes and URLs."""
        return "" if self._path is None else self._path.suffix

    @property
    def _opens_files_itself(self) -> bool:
        """Whether the muxer names its files by itself: numbered images, and playlists with their segments."""
        return bool(ContainerFormat(self.format, "w").flags & OPENS_FILES_ITSELF)

    def place(self) -> None:
        """Flush the finished file to the disk, and give it its name. Raises OSError."""
        if self._temporary is None or self._path is None:
            return
        # File, name, folder, in this order: after a power failure there is the old file or the complete new one.
        _sync(self._temporary)
        os.replace(self._temporary, self._path)
        _sync(self._path.parent)

    def remove(self) -> None:
        """Remove what was written under the temporary name, if there is any."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def disk_usage(self) -> str:
        """How much was written and how much space is left, for messages."""
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
                f"FFmpeg has no output format {name!r}. Leave the option output.format out, or try mp4."
            ) from error
    if is_standard_stream(target):
        return PIPE_FORMAT
    if is_url(target):
        return _url_format(target)
    return _format_by_extension(target)


def _url_format(target: str) -> str:
    scheme = target.split(":", 1)[0].lower()
    if scheme in URL_FORMATS:
        return URL_FORMATS[scheme]
    if scheme in PROTOCOLS:
        return _format_by_extension(target)
    raise ConfigurationError(
        f"The protocol {scheme!r} of {display_name(target)} is not supported; use one of {', '.join(PROTOCOLS)}."
    )


def _format_by_extension(target: str) -> str:
    try:
        # This only guesses from the name: PyAV opens an output at its first packet.
        return av.open(target, "w").format.name
    except ValueError as error:
        extension = Path(target).suffix
        what = f"The extension {extension!r} belongs to" if extension else "A name without an extension tells"
        raise ConfigurationError(
            f"{what} no video format: {display_name(target)}. "
            "Name the output .mp4, .mkv, .mov or .webm, or set the option output.format."
        ) from error


def _check_folder(path: Path) -> None:
    if path.is_dir():
        raise SinkError(f"The output {path} is a folder. Name a file.")
    if not path.parent.is_dir():
        raise SinkError(f"The folder {path.parent} does not exist. Make it first, or write elsewhere.")


def _check_writable(temporary: Path) -> None:
    """Make and remove a file: permissions alone do not reveal a read-only disk."""
    try:
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise SinkError(
            f"The folder {temporary.parent} cannot be written to: {error.strerror}. "
            "Check its permissions, or write elsewhere."
        ) from error


def _check_existing(path: Path, *, overwrite: bool, source: str) -> None:
    if not path.exists():
        return
    if Path(source).exists() and path.samefile(source):
        raise SinkError(f"The output {path} is the input itself. Give it another name.")
    if not overwrite:
        raise SinkError(f"{path} exists. The option output.overwrite replaces it.")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
