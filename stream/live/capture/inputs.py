"""What a user may name as a live input, told apart and checked before anything is opened."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from emocolor.errors import ConfigurationError, SourceError
from stream.media.locations import (
    PROTOCOLS,
    ffmpeg_name,
    first_number,
    is_image_pattern,
    is_standard_stream,
    is_url,
    open_failure,
    shown,
)

Kind = Literal["camera", "network", "file", "pipe"]

SILENCE_S: Final = 10.0
"""A network peer that sends nothing for so long is taken for dead."""
SEGMENT_SILENCE_S: Final = 30.0
"""The same for HLS, whose pieces come whole and seldom."""
DEVICES: Final = Path("/dev")
CAMERA_FORMAT: Final = "video4linux2,v4l2"
MOST_PIXELS_A_SIDE: Final = 8192
FASTEST: Final = 240.0

NETWORK_OPTIONS: Final = {
    # What FFmpeg looks through before it names the streams. What it read meanwhile is kept ("nobuffer" is not set):
    # the reader takes it faster than it was sent, and the first picture does not wait for a second key frame.
    "analyzeduration": "1000000",
    "probesize": "2000000",
}
PROTOCOL_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    # RTP over UDP loses packets on most ways that are not a cable, and every loss smears until the next key frame.
    "rtsp": {"rtsp_transport": "tcp"},
    # A reader that is late loses the oldest data, not the connection.
    "udp": {"overrun_nonfatal": "1"},
}


@dataclass(frozen=True, kw_only=True)
class LiveInput:
    """An input that can be opened again and again."""

    location: str
    """As FFmpeg takes it."""
    kind: Kind
    format: str | None = None
    """FFmpeg's name of the input format, where it cannot tell."""
    options: tuple[Mapping[str, str], ...] = field(default=({},))
    """Options for FFmpeg's demuxer; where it refuses the first, the next are tried."""
    silence_s: float | None = None
    """Longest wait for data, on opening and on reading; ``None`` waits as long as it takes."""

    @property
    def shown(self) -> str:
        """For messages, without a password."""
        return shown(self.location)

    @property
    def comes_back(self) -> bool:
        """Whether it makes sense to open it again when it has ended."""
        return self.kind in ("camera", "network")


def parse_input(text: str, *, size: str | None = None, fps: float | None = None) -> LiveInput:
    """The input that ``text`` names: ``webcam``, ``webcam:1``, ``/dev/video0``, a URL, a file, or ``-``.

    ``size`` such as ``1280x720`` and ``fps`` are what a camera is asked for. Raises ``ConfigurationError`` where they
    make no sense, and ``SourceError`` for what is not there.
    """
    wanted = _camera_options(size, fps)
    device = _camera_device(text)
    if device is not None:
        _check_camera(device)
        # Most cameras reach their larger sizes at full rate as JPEG alone; those without JPEG refuse to open so.
        attempts = ({**wanted, "input_format": "mjpeg"}, wanted)
        return LiveInput(location=str(device), kind="camera", format=CAMERA_FORMAT, options=attempts)
    if wanted:
        raise ConfigurationError(f"--size and --fps are for cameras; {shown(text)} comes as it is.")
    if is_standard_stream(text):
        if sys.stdin is not None and sys.stdin.isatty():
            raise SourceError("Nothing is piped into standard input. Pipe a video into it, or name an input.")
        return LiveInput(location="pipe:0", kind="pipe")
    return _network_input(text) if is_url(text) else _file_input(text)


def _camera_options(size: str | None, fps: float | None) -> dict[str, str]:
    options = {}
    if size is not None:
        sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
        if sides is None or not all(0 < int(side) <= MOST_PIXELS_A_SIDE for side in sides.groups()):
            raise ConfigurationError(f"'{size}' is no size; write WIDTHxHEIGHT, such as 1280x720.")
        options["video_size"] = size
    if fps is not None:
        if not 0 < fps <= FASTEST:
            raise ConfigurationError(f"--fps must lie above 0 and up to {FASTEST:g}, got {fps:g}.")
        options["framerate"] = f"{fps:g}"
    return options


def _camera_device(text: str) -> Path | None:
    """The device that ``text`` stands for, or ``None`` where it is none."""
    if text == "webcam":
        return DEVICES / "video0"
    if text.startswith("webcam:"):
        number = text.removeprefix("webcam:")
        if not (number.isascii() and number.isdigit()):
            raise ConfigurationError(f"'{text}' is no camera; write webcam, or webcam:1 for the second.")
        return DEVICES / f"video{int(number)}"
    return Path(text) if re.fullmatch(r"/dev/video\d+", text) else None


def _check_camera(device: Path) -> None:
    if not sys.platform.startswith("linux"):
        raise SourceError("Cameras are read by Video4Linux2, which is on Linux alone. Give a URL or a file.")
    if device.exists():
        return
    others = sorted(path.name for path in device.parent.glob("video*") if re.fullmatch(r"video\d+", path.name))
    if others:
        names = ", ".join(f"webcam:{name.removeprefix('video')}" for name in others)
        raise SourceError(f"There is no camera {device}. There are: {names}.")
    raise SourceError(
        f"There is no camera: no {device.parent}/video* exists. Plug one in (a container must be given the device), "
        "or name a URL or a file."
    )


def _network_input(text: str) -> LiveInput:
    scheme = text.split(":", 1)[0].lower()
    if scheme not in PROTOCOLS:
        raise SourceError(
            f"Cannot read {shown(text)}: the protocol {scheme!r} is not supported; use one of {', '.join(PROTOCOLS)}."
        )
    segments = scheme == "hls" or text.split("?", 1)[0].endswith(".m3u8")
    return LiveInput(
        location=text,
        kind="network",
        options=({**NETWORK_OPTIONS, **PROTOCOL_OPTIONS.get(scheme, {})},),
        silence_s=SEGMENT_SILENCE_S if segments else SILENCE_S,
    )


def _file_input(text: str) -> LiveInput:
    path = Path(text.removeprefix("file:"))
    if is_image_pattern(text):
        number = first_number(text)
        if number is None:
            raise open_failure(text, FileNotFoundError())
        return LiveInput(location=ffmpeg_name(text), kind="file", options=({"start_number": str(number)},))
    if path.is_dir():
        raise open_failure(text, IsADirectoryError())
    if not path.exists():
        raise open_failure(text, FileNotFoundError())
    return LiveInput(location=ffmpeg_name(text), kind="file")
