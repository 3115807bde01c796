"""What users may name as input or output: files, patterns of image files, pipes and network addresses.

FFmpeg takes all of them as one string. Here they are told apart, and FFmpeg's errors become one line that says what
happened and what to do.
"""

import errno
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Final

import av

from emocolor.errors import SinkError, SourceError

from ..redaction import redacted

PROTOCOLS: Final = ("file", "http", "https", "hls", "rtsp", "rtmp", "rtmps", "rtp", "udp", "tcp", "tls", "pipe")
"""Protocols of the FFmpeg inside PyAV's wheels, which is built without SRT."""
PREFIXES: Final = frozenset({*PROTOCOLS, "async", "cache", "concat", "concatf", "crypto", "data", "fd", "tee", "unix"})
"""Protocols that FFmpeg takes without two slashes too, as in ``concat:a.ts|b.ts``."""
FILE_PREFIX: Final = "file:"
STANDARD_STREAM: Final = "-"
STANDARD_INPUT: Final = Path("/dev/stdin")
STANDARD_INPUT_NAME: Final = "standard input"
# At least two characters, so that a drive letter of Windows is no scheme.
_SCHEME = re.compile(r"(?P<name>[a-zA-Z][a-zA-Z0-9+.-]+):(?P<slashes>//)?")
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
    """Whether the location has a protocol other than ``file``.

    The name of an existing file never has one, and a colon alone makes none: ``Film: Part 2.mp4`` is a file.
    """
    scheme = _SCHEME.match(location)
    if scheme is None or location.startswith(FILE_PREFIX) or os.path.exists(location):
        return False
    return bool(scheme["slashes"]) or scheme["name"] in PREFIXES


def local_path(location: str) -> Path | None:
    """The file, or the pattern of files, that the location names, as FFmpeg reads it; ``None`` for streams and URLs."""
    if is_standard_stream(location) or is_url(location):
        return None
    return Path(location.removeprefix(FILE_PREFIX) if not os.path.exists(location) else location)


def is_image_pattern(location: str) -> bool:
    """Whether the location stands for numbered files, as ``frames/%04d.png`` does."""
    path = local_path(location)
    return path is not None and _PATTERN.search(path.name) is not None and not os.path.exists(path)


def is_readable_twice(location: str) -> bool:
    """Whether the location is one file on a disk, whose frames can be looked up at any time."""
    path = local_path(location)
    return path is not None and os.path.isfile(path)


def numbered_name(pattern: str, number: int) -> str:
    """The name that the image pattern gives to a number."""
    return _PATTERN.sub(lambda found: found[0] % number, pattern, count=1).replace("%%", "%")


def files_of(location: str) -> list[Path]:
    """The files that the location, or its name for messages, stands for."""
    if is_standard_stream(location) or location == STANDARD_INPUT_NAME:
        return [STANDARD_INPUT]
    path = local_path(location)
    if path is None:
        return []
    return [found for _, found in numbered_files(location)] if is_image_pattern(location) else [path]


def numbered_files(pattern: str) -> list[tuple[int, Path]]:
    """Existing files that the image pattern names, with their numbers, in order."""
    path = local_path(pattern)
    placeholder = None if path is None else _PATTERN.search(path.name)
    if path is None or placeholder is None or not os.path.isdir(path.parent):
        return []
    before, after = path.name[: placeholder.start()], path.name[placeholder.end() :]
    numbered = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    matches = ((numbered.fullmatch(entry.name), entry) for entry in path.parent.iterdir())
    found = [(int(match[1]), entry) for match, entry in matches if match and placeholder[0] % int(match[1]) == match[1]]
    return sorted(found)


def missing_image(pattern: str) -> tuple[int, int] | None:
    """The first number that the image pattern lacks, and how many images come after it; ``None`` without a gap."""
    numbers = [number for number, _ in numbered_files(pattern)]
    for index, (number, following) in enumerate(pairwise(numbers), start=1):
        if following != number + 1:
            return number + 1, len(numbers) - index
    return None


def first_number(pattern: str) -> int | None:
    """The lowest number for which the image pattern names an existing file, or ``None``.

    FFmpeg itself looks for the numbers 0 to 4 only.
    """
    return min((number for number, _ in numbered_files(pattern)), default=None)


def ffmpeg_url(location: str) -> str:
    """The location as FFmpeg takes it: a path with a colon must not be mistaken for a protocol."""
    path = local_path(location)
    if path is None or (location.startswith(FILE_PREFIX) and "%" not in location):
        return location
    if is_image_pattern(location):
        path = Path(str(path.parent).replace("%", "%%")) / path.name  # FFmpeg takes the whole path for the pattern
    return f"{FILE_PREFIX}{path}" if ":" in str(path) else str(path)


def display_name(location: str) -> str:
    """The location for messages, without what lets anyone in: see :func:`redacted`."""
    if is_standard_stream(location):
        return STANDARD_INPUT_NAME
    return redacted(location) if is_url(location) else location


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
    if isinstance(error, (av.error.InvalidDataError, av.error.EOFError)):
        return _invalid_data_reason(location)
    if isinstance(error, OSError) and error.errno == errno.EIO and is_readable_twice(location):
        return f"{error_text(error)}: its disk is damaged, or it ends before its streams begin"
    return error_text(error)


def _invalid_data_reason(location: str) -> str:
    path = local_path(location)
    if path is None and not is_standard_stream(location):
        return "the server sent nothing in time, or nothing that FFmpeg recognises as video"
    if path is None or not os.path.isfile(path):
        return "FFmpeg does not recognise its format; set the option input.format if it is raw data"
    if path.stat().st_size == 0:
        return "the file is empty"
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "its index (the moov atom) is missing; the recording or download did not finish"
    return "it is not a video in a format that FFmpeg knows, or its header is damaged"
