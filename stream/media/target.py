"""Where an output goes: files that appear when they are complete, a pipe or device, or a URL."""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import av
from av.format import ContainerFormat

from emocolor.errors import ConfigurationError, SinkError

from ..files.output_file import OutputFile, OutputFolder
from ..files.pipes import STANDARD_OUTPUT, PipeWriter
from ..files.places import check_folder, check_place, identities_of, identity_of
from ..files.stop_request import StopRequest
from .locations import (
    PROTOCOLS,
    display_name,
    ffmpeg_url,
    files_of,
    is_image_pattern,
    is_standard_stream,
    is_url,
    local_path,
    numbered_files,
    numbered_name,
)
from .writing.network_writer import NetworkWriter, carrier_of

PIPE_NAME: Final = "pipe:1"
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
NUMBER: Final = "%09d"
"""Numbers of images in their temporary folder."""


class Target:
    """A place that was checked. What is written to it has its own name after ``output`` was placed."""

    output: OutputFile | OutputFolder | None
    """What gets its name when it is complete; ``None`` for standard output and URLs."""

    def __init__(
        self,
        target: str,
        *,
        format_name: str | None,
        overwrite: bool,
        source: str,
        stop: StopRequest | None = None,
    ) -> None:
        """``source`` is the input's location, which the output must not replace. ``stop`` ends waits for pipes.

        Raises ConfigurationError for an unknown format, SinkError for a place that cannot be written to.
        """
        self.display_name = "standard output" if is_standard_stream(target) else display_name(target)
        """For messages, without a password."""
        self._path = local_path(target)
        if self._path is not None:
            check_folder(self._path)
        self.format = output_format(target, format_name)
        """FFmpeg's name of the container format."""
        self.is_pattern = self.format == "image2" and is_image_pattern(target)
        self.carrier = self.format
        """The container that is written here; the process that sends it may make another of it."""
        self.output = None
        if self._path is not None:
            self.output = _output(self._path, self.format, overwrite=overwrite, inputs=files_of(source))
        self._pipe = self._open_pipe(target, stop or StopRequest())
        self.name = self._name(target)
        """What FFmpeg is to open."""
        self.file = self._pipe or self.name
        """The same for PyAV: the name, or a pipe that a stop can end."""

    @property
    def extension(self) -> str:
        """The file's extension with its dot, such as ``.png``; empty for pipes and URLs."""
        return "" if self._path is None else self._path.suffix

    @property
    def is_seekable(self) -> bool:
        """Whether FFmpeg may go back and complete what it has written."""
        return isinstance(self.output, OutputFile) and not self.output.is_stream

    def finish(self) -> None:
        """Send what is left to a network address, and release a pipe or device. Raises SinkError."""
        if isinstance(self._pipe, NetworkWriter):
            self._pipe.finish()
        self._close()

    def remove(self) -> None:
        """Remove what was written, unless it has its name."""
        self._close()
        if self.output is not None:
            self.output.discard()

    def disk_usage(self) -> str:
        """How much was written and how much space is left, for messages."""
        if self._path is None or self._pipe is not None or self.output is None:
            return "the other side takes no more"
        free = shutil.disk_usage(self._path.parent).free
        written = sum(path.stat().st_size for path in (self.output.part, *self.output.part.glob("*")) if path.is_file())
        return f"{written / 1e6:.1f} MB were written and {free / 1e6:.1f} MB are left in {self._path.parent.resolve()}"

    def _close(self) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.close()

    def _open_pipe(self, target: str, stop: StopRequest) -> PipeWriter | NetworkWriter | None:
        """What Python writes to; nothing where FFmpeg opens a file by itself."""
        if is_standard_stream(target):
            return PipeWriter(STANDARD_OUTPUT, stop)
        if isinstance(self.output, OutputFile) and self.output.is_stream:
            return PipeWriter(self.output.path, stop)
        carrier = carrier_of(self.format)
        if self.output is not None or carrier is None:
            return None
        self.carrier = carrier
        return NetworkWriter(target, shown=self.display_name, format_name=self.format, carrier=carrier, stop=stop)

    def _name(self, target: str) -> str:
        if is_standard_stream(target):
            return PIPE_NAME
        if isinstance(self.output, OutputFolder):
            name = f"{NUMBER}{self.extension}" if self.format == "image2" else self.output.path.name
            return ffmpeg_url(str(self.output.part / name))
        return target if self.output is None else ffmpeg_url(str(self.output.part))


def output_format(target: str, name: str | None) -> str:
    """FFmpeg's name of the container format: ``name``, or what the target implies. Raises ConfigurationError."""
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


def _output(path: Path, format_name: str, *, overwrite: bool, inputs: Sequence[Path]) -> OutputFile | OutputFolder:
    """The file, or the folder for a muxer that names its files by itself: images, and playlists with their segments."""
    if not ContainerFormat(format_name, "w").flags & OPENS_FILES_ITSELF:
        return OutputFile(path, overwrite=overwrite, inputs=inputs)
    if not is_image_pattern(str(path)):
        check_place(path, overwrite=overwrite, inputs=inputs)
        single = path.name if format_name == "image2" else None
        return OutputFolder(path, overwrite=overwrite, inputs=inputs, name_of=lambda name: single or name)
    there = [found for number, found in numbered_files(str(path)) if number > 0]
    if own := next((one for one in there if identity_of(one.stat()) in identities_of(inputs)), None):
        raise SinkError(f"{own} is an image of the input. Give the output another name.")
    if there and not overwrite:
        raise SinkError(f"{there[0]} exists. The option output.overwrite replaces it.")
    return OutputFolder(
        path,
        overwrite=overwrite,
        inputs=inputs,
        name_of=lambda name: numbered_name(path.name, int(name.partition(".")[0])),
    )


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
