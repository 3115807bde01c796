"""What users may name as input or output: files, patterns of image files, pipes and network addresses.

FFmpeg takes all of them as one string. Here they are told apart, and FFmpeg's errors become one line that says what
happened and what to do.
"""

import errno
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av

from emocolor.errors import SinkError, SourceError

PROTOCOLS: Final = ("file", "http", "https", "hls", "rtsp", "rtmp", "rtmps", "rtp", "udp", "tcp", "tls", "pipe")
"""Protocols of the FFmpeg inside PyAV's wheels, which is built without SRT."""
STANDARD_STREAM: Final = "-"
# At least two characters, so that a drive letter of Windows is no scheme.
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")
_PATTERN = re.compile(r"%0?\d*d")
_NETWORK_ERRNOS: Final = {
    errno.ECONNREFUSED: "the connection was refused; check the address, and that the server runs",
    errno.ECONNRESET: "the other side closed the connection",
    errno.ETIMEDOUT: "nobody answered in time; check the address and the network",
    errno.EHOSTUNREACH: "the host cannot be reached",
    errno.ENETUNREACH: "the network cannot be reached",
    # All that FFmpeg reports of a failed name lookup, for one.
    errno.EIO: "the host name is unknown or the connection failed",
}


def is_standard_stream(location: str) -> bool:
    """Whether the location stands for standard input or output."""
    return location in (STANDARD_STREAM, "pipe:", "pipe:0", "pipe:1")


def is_url(location: str) -> bool:
    """Whether the location has a protocol other than ``file``; the name of an existing file never has."""
    scheme = _SCHEME.match(location)
    return bool(scheme) and not location.startswith("file:") and not Path(location).exists()


def is_image_pattern(location: str) -> bool:
    """Whether the location stands for numbered files, as ``frames/%04d.png`` does."""
    return not is_url(location) and _PATTERN.search(Path(location).name) is not None


def first_number(pattern: str) -> int | None:
    """The lowest number for which the image pattern names an existing file, or ``None``.

    FFmpeg itself looks for the numbers 0 to 4 only.
    """
    path = Path(pattern)
    placeholder = _PATTERN.search(path.name)
    if placeholder is None or not path.parent.is_dir():
        return None
    before, after = path.name[: placeholder.start()], path.name[placeholder.end() :]
    numbered = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    matches = (numbered.fullmatch(entry.name) for entry in path.parent.iterdir())
    numbers = (int(match[1]) for match in matches if match and placeholder[0] % int(match[1]) == match[1])
    return min(numbers, default=None)


def ffmpeg_url(location: str) -> str:
    """The location as FFmpeg takes it: a path with a colon must not be mistaken for a protocol."""
    if is_standard_stream(location) or is_url(location) or ":" not in location:
        return location
    return location if location.startswith("file:") else f"file:{location}"


def display_name(location: str) -> str:
    """The location for messages, without a password in it."""
    if not is_url(location):
        return "standard input" if is_standard_stream(location) else location
    password = urlsplit(location).password
    return location.replace(f":{password}@", ":***@") if password else location


def open_failure(location: str, error: Exception) -> SourceError:
    """FFmpeg's error on opening ``location``, as one line that says what happened and what to do."""
    return SourceError(f"Cannot read {display_name(location)}: {_open_reason(location, error)}.")


def write_failure(target: str, error: Exception, *, disk_full: str) -> SinkError:
    """FFmpeg's error on writing, as one line about ``target``, a name for messages.

    ``disk_full`` says what a full disk means for the output, and what to do.
    """
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SinkError(f"The disk is full: {disk_full}.")
    if number == errno.EPIPE:
        return SinkError(f"The reader of {target} went away before the video ended.")
    return SinkError(f"Cannot write {target}: {error_text(error)}.")


def error_text(error: Exception) -> str:
    """The error in its own words, without numbers and file names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _open_reason(location: str, error: Exception) -> str:
    if isinstance(error, av.error.ProtocolNotFoundError):
        scheme = location.split(":", 1)[0]
        return f"the protocol {scheme!r} is not supported; use one of {', '.join(PROTOCOLS)}"
    if isinstance(error, (av.error.ExitError, av.error.TimeoutError)):
        return _NETWORK_ERRNOS[errno.ETIMEDOUT]  # PyAV interrupts FFmpeg with ExitError when its timeout is over
    if isinstance(error, av.error.HTTPError):
        return f"the server answered {error_text(error)!r}"
    if is_url(location) and isinstance(error, OSError) and error.errno in _NETWORK_ERRNOS:
        return _NETWORK_ERRNOS[error.errno]
    if isinstance(error, FileNotFoundError):
        return "no file matches the pattern" if is_image_pattern(location) else "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder; name a file, or images as folder/%04d.png"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, av.error.InvalidDataError):
        return _invalid_data_reason(location)
    return error_text(error)


def _invalid_data_reason(location: str) -> str:
    path = Path(location.removeprefix("file:"))
    if is_url(location):
        return "the server sent nothing in time, or nothing that FFmpeg recognises as video"
    if not path.is_file():
        return "FFmpeg does not recognise its format; set the option input.format if it is raw data"
    if path.stat().st_size == 0:
        return "the file is empty"
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "its index (the moov atom) is missing; the recording or download did not finish"
    return "it is not a video in a format that FFmpeg knows, or its header is damaged"
