"""What a user may name as input or output: files, patterns of image files, pipes and network addresses.

FFmpeg takes all of them as one string; here they are told apart, and FFmpeg's errors get one line
that says what to do.
"""

import errno
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av

from emocolor.errors import SinkError, SourceError

PROTOCOLS: Final = ("file", "http", "https", "hls", "rtsp", "rtmp", "rtmps", "rtp", "udp", "tcp", "tls", "pipe")
"""What the FFmpeg inside PyAV can reach; SRT is not among them."""
STANDARD_STREAM: Final = "-"
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")
_PATTERN = re.compile(r"%0?\d*d")
_NETWORK_ERRNOS: Final = {
    errno.ECONNREFUSED: "the connection was refused; check the address, and that the server runs",
    errno.ECONNRESET: "the other side closed the connection",
    errno.ETIMEDOUT: "nobody answered in time; check the address and the network",
    errno.EHOSTUNREACH: "the host cannot be reached",
    errno.ENETUNREACH: "the network cannot be reached",
    errno.EIO: "the host name is unknown or the connection failed",
}


def is_standard_stream(location: str) -> bool:
    return location in (STANDARD_STREAM, "pipe:", "pipe:0", "pipe:1")


def is_url(location: str) -> bool:
    """Whether the location has a protocol other than a local file's; an existing file never does."""
    scheme = _SCHEME.match(location)
    return bool(scheme) and not location.startswith("file:") and not Path(location).exists()


def is_image_pattern(location: str) -> bool:
    """Whether the location stands for numbered files, as ``frames/%04d.png`` does."""
    return not is_url(location) and _PATTERN.search(Path(location).name) is not None


def first_number(pattern: str) -> int | None:
    """The lowest number for which the image pattern names an existing file, or ``None``."""
    path = Path(pattern)
    place = _PATTERN.search(path.name)
    if place is None or not path.parent.is_dir():
        return None
    before, after = path.name[: place.start()], path.name[place.end() :]
    numbered = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    matches = (numbered.fullmatch(entry.name) for entry in path.parent.iterdir())
    numbers = (int(match[1]) for match in matches if match and place[0] % int(match[1]) == match[1])
    return min(numbers, default=None)


def ffmpeg_name(location: str) -> str:
    """The location as FFmpeg takes it; a path with a colon is not mistaken for a protocol."""
    if is_standard_stream(location) or is_url(location) or ":" not in location:
        return location
    return location if location.startswith("file:") else f"file:{location}"


def shown(location: str) -> str:
    """The location for messages, without a password in it."""
    if not is_url(location):
        return "standard input" if is_standard_stream(location) else location
    password = urlsplit(location).password
    return location.replace(f":{password}@", ":***@") if password else location


def open_failure(location: str, error: Exception) -> SourceError:
    """FFmpeg's error from opening ``location`` as one line that says what happened and what to do."""
    return SourceError(f"Cannot read {shown(location)}: {_reason(location, error)}.")


def _reason(location: str, error: Exception) -> str:
    if isinstance(error, av.error.ProtocolNotFoundError):
        scheme = location.split(":", 1)[0]
        return f"the protocol {scheme!r} is not supported; use one of {', '.join(PROTOCOLS)}"
    if isinstance(error, (av.error.ExitError, av.error.TimeoutError)):
        return _NETWORK_ERRNOS[errno.ETIMEDOUT]
    if isinstance(error, av.error.HTTPError):
        return f"the server answered {reason_of(error)!r}"
    if is_url(location) and isinstance(error, OSError) and error.errno in _NETWORK_ERRNOS:
        return _NETWORK_ERRNOS[error.errno]
    if isinstance(error, FileNotFoundError):
        return "no file matches the pattern" if is_image_pattern(location) else "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder; name a file, or images as folder/%04d.png"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, av.error.InvalidDataError):
        return _invalid(location)
    return reason_of(error)


def _invalid(location: str) -> str:
    path = Path(location.removeprefix("file:"))
    if is_url(location):
        return "the server sent nothing in time, or nothing that FFmpeg knows as video"
    if not path.is_file():
        return "the data is not in a format FFmpeg knows; pass --input-format if it is raw"
    if path.stat().st_size == 0:
        return "the file is empty"
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "its index (the moov atom) is missing; the recording or download did not finish"
    return "it is not a video in a format FFmpeg knows, or its header is damaged"


def write_failure(target: str, error: Exception, *, disk_full: str) -> SinkError:
    """FFmpeg's error from writing as one line about ``target``, a name for messages.

    ``disk_full`` says what it means and what to do where the disk is full.
    """
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SinkError(f"The disk is full: {disk_full}.")
    if number == errno.EPIPE:
        return SinkError(f"The reader of {target} went away before the video ended.")
    return SinkError(f"Cannot write {target}: {reason_of(error)}.")


def reason_of(error: Exception) -> str:
    """The error's own words, without numbers and file names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
