"""Opens inputs with FFmpeg: files, numbered images, network streams, and pipes whose waits a stop can end."""

import sys
from typing import TYPE_CHECKING, Final

import av

from emocolor.errors import SourceError

from ..files.pipes import STANDARD_INPUT, PipeReader, is_pipe
from ..files.stop_request import StopRequest
from .locations import ffmpeg_url, first_number, is_image_pattern, is_standard_stream, is_url, local_path, open_failure

if TYPE_CHECKING:
    from .source import SourceOptions

NETWORK_TIMEOUT_SECONDS: Final = 15.0


def open_container(
    location: str, options: "SourceOptions", stop: StopRequest | None = None
) -> av.container.InputContainer:
    """The input as FFmpeg opens it; raises ``SourceError`` with one line that says what to do."""
    if is_standard_stream(location) and sys.stdin is not None and sys.stdin.isatty():
        raise SourceError("Nothing is piped into standard input. Pipe a video into it, or name a file.")
    settings = dict(options.options)
    if is_image_pattern(location) and (number := first_number(location)) is not None:
        settings.setdefault("start_number", str(number))
    timeout = NETWORK_TIMEOUT_SECONDS if is_url(location) else None
    try:
        return av.open(
            _file(location, stop or StopRequest()),
            "r",
            format=options.format,
            container_options=settings,
            timeout=timeout,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise open_failure(location, error) from error


def _file(location: str, stop: StopRequest) -> str | PipeReader:
    """What PyAV opens: a name, or a pipe whose waits a stop can end."""
    path = local_path(location)
    if is_standard_stream(location):
        return PipeReader(STANDARD_INPUT, stop)
    return PipeReader(path, stop) if path is not None and is_pipe(path) else ffmpeg_url(location)
