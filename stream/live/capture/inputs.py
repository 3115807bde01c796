"""What a user may name as a live input, parsed and checked before anything is opened."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from emocolor.errors import ConfigurationError, SourceError
from stream.media.locations import (
    PROTOCOLS,
    display_name,
    ffmpeg_url,
    first_number,
    is_image_pattern,
    is_standard_stream,
    is_url,
    open_failure,
)
from stream.media.reading.opening import allowed_protocols
from stream.media.reading.source_options import MAX_PIXELS, SourceOptions

InputKind = Literal["camera", "network", "file", "pipe"]

NETWORK_TIMEOUT_S: Final = 10.0
"""A network peer that sends nothing for this long counts as dead."""
SEGMENT_TIMEOUT_S: Final = 30.0
"""The same for HLS, whose segments come whole and seldom."""
DEVICES: Final = Path("/dev")
CAMERA_FORMAT: Final = "video4linux2,v4l2"
MAX_SIDE_PX: Final = 8192
MAX_FPS: Final = 240.0
SESSION_SUFFIX: Final = ".sdp"

NETWORK_OPTIONS: Final = {
    # How much FFmpeg reads before it names the streams. What it read is kept ("nobuffer" is not set): the reader
    # consumes it faster than it was sent, and the first frame need not wait for a second key frame.
    "analyzeduration": "1000000",
    "probesize": "2000000",
}
PROTOCOL_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    # RTP over UDP loses packets on most links but cables, and every loss smears until the next key frame. So it is only
    # for servers that refuse TCP.
    "rtsp": {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"},
    # A late reader loses the oldest data, not the connection.
    "udp": {"overrun_nonfatal": "1"},
}


@dataclass(frozen=True, kw_only=True)
class LiveInput:
    """An input that can be opened again and again."""

    location: str
    """As FFmpeg takes it."""
    kind: InputKind
    format: str | None = None
    """FFmpeg's name of the input format, where FFmpeg cannot tell."""
    options: tuple[Mapping[str, str], ...] = field(default=({},))
    """Options for FFmpeg's demuxer; where it refuses the first ones, the next are tried."""
    timeout_s: float | None = None
    """Longest wait for data, on opening and on reading; ``None`` waits forever."""
    max_pixels: int = MAX_PIXELS
    """Larger frames are refused, width times height."""

    @property
    def shown(self) -> str:
        """For messages, without a password."""
        return display_name(self.location)

    @property
    def reopens(self) -> bool:
        """Whether it makes sense to open it again when it has ended."""
        return self.kind in ("camera", "network")


def parse_input(
    text: str,
    *,
    size: str | None = None,
    fps: float | None = None,
    options: SourceOptions | None = None,
    devices: Path = DEVICES,
    system: str = sys.platform,
) -> LiveInput:
    """The input that ``text`` names: ``webcam``, ``webcam:1``, ``/dev/video0``, a URL, a file, or ``-``.

    ``size`` such as ``1280x720`` and ``fps`` are what a camera is asked for; cameras are found in ``devices`` on the
    operating system ``system``, named as in ``sys.platform``. Of the ``options`` those count that limit frames and
    protocols, and that say how much is analysed to find the streams. Raises ``ConfigurationError`` for values that make
    no sense, and ``SourceError`` for what is not there.
    """
    options = options or SourceOptions()
    found = _parse(text, _camera_options(size, fps), options, devices, system)
    asked = {"probesize": options.probesize, "analyzeduration": options.analyzeduration}
    analysis = {name: str(amount) for name, amount in asked.items() if amount is not None}
    return replace(
        found,
        options=tuple({**one, **analysis, **_protocols(text, found, options)} for one in found.options),
        max_pixels=options.max_pixels,
    )


def _protocols(text: str, found: LiveInput, options: SourceOptions) -> dict[str, str]:
    """FFmpeg's option for the protocols that an input may use; empty where FFmpeg's own choice is right."""
    allowed = options.protocol_whitelist or (None if found.kind in ("camera", "pipe") else allowed_protocols(text))
    return {} if allowed is None else {"protocol_whitelist": allowed}


def _parse(text: str, wanted: dict[str, str], options: SourceOptions, devices: Path, system: str) -> LiveInput:
    """The input without the options that all kinds have; a camera is asked for what is ``wanted``."""
    device = _camera_device(text, devices)
    if device is not None:
        _check_camera(device, system)
        # Most cameras reach their larger sizes at full rate as JPEG only; those without JPEG refuse to open with it.
        attempts = ({**wanted, "input_format": "mjpeg"}, wanted)
        return LiveInput(location=str(device), kind="camera", format=CAMERA_FORMAT, options=attempts)
    if wanted:
        raise ConfigurationError(
            f"Only cameras can be asked for a size or a frame rate, not {display_name(text)}. Leave them out."
        )
    if is_standard_stream(text):
        if sys.stdin is not None and sys.stdin.isatty():
            raise SourceError("Nothing is piped into standard input. Pipe a video into it, or name an input.")
        return LiveInput(location="pipe:0", kind="pipe")
    if is_url(text):
        return _network_input(text)
    return _session_input(text, options) if text.lower().endswith(SESSION_SUFFIX) else _file_input(text)


def _camera_options(size: str | None, fps: float | None) -> dict[str, str]:
    options = {}
    if size is not None:
        sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
        if sides is None or not all(0 < int(side) <= MAX_SIDE_PX for side in sides.groups()):
            raise ConfigurationError(f"'{size}' is no size of a camera; write WIDTHxHEIGHT, such as 1280x720.")
        options["video_size"] = size
    if fps is not None:
        if not 0 < fps <= MAX_FPS:
            raise ConfigurationError(f"The frame rate must be above 0 and at most {MAX_FPS:g} fps, got {fps:g}.")
        options["framerate"] = f"{fps:g}"
    return options


def _camera_device(text: str, devices: Path) -> Path | None:
    """The device that ``text`` names, or ``None`` where it names none."""
    if text == "webcam":
        return devices / "video0"
    if text.startswith("webcam:"):
        number = text.removeprefix("webcam:")
        if not (number.isascii() and number.isdigit()):
            raise ConfigurationError(f"'{text}' is no camera; write webcam, or webcam:1 for the second.")
        return devices / f"video{int(number)}"
    return Path(text) if re.fullmatch(r"/dev/video\d+", text) else None


def _check_camera(device: Path, system: str) -> None:
    if not system.startswith("linux"):
        raise SourceError(f"Cameras are read through Video4Linux2, which '{system}' lacks. Name a URL or a file.")
    if device.exists():
        return
    others = sorted(path.name for path in device.parent.glob("video*") if re.fullmatch(r"video\d+", path.name))
    if others:
        names = ", ".join(f"webcam:{name.removeprefix('video')}" for name in others)
        raise SourceError(f"There is no camera {device}. There are: {names}.")
    raise SourceError(
        f"There is no camera: no {device.parent}/video* exists. Connect one (a container must be given the device), "
        "or name a URL or a file."
    )


def _network_input(text: str) -> LiveInput:
    scheme = text.split(":", 1)[0].lower()
    if scheme not in PROTOCOLS:
        raise SourceError(
            f"Cannot read {display_name(text)}: the protocol {scheme!r} is not supported; "
            f"use one of {', '.join(PROTOCOLS)}."
        )
    segments = scheme == "hls" or text.split("?", 1)[0].endswith(".m3u8")
    return LiveInput(
        location=text,
        kind="network",
        options=({**NETWORK_OPTIONS, **PROTOCOL_OPTIONS.get(scheme, {})},),
        timeout_s=SEGMENT_TIMEOUT_S if segments else NETWORK_TIMEOUT_S,
    )


def _session_input(text: str, options: SourceOptions) -> LiveInput:
    """The streams that an SDP file describes, which come over the network."""
    found = _file_input(text)
    if options.protocol_whitelist is None:
        raise SourceError(
            f"{text} describes streams of the network. If you trust it, set the option input.protocol_whitelist to "
            "file,rtp,udp."
        )
    return replace(found, kind="network", format="sdp", options=(dict(NETWORK_OPTIONS),), timeout_s=NETWORK_TIMEOUT_S)


def _file_input(text: str) -> LiveInput:
    path = Path(text.removeprefix("file:"))
    if is_image_pattern(text):
        number = first_number(text)
        if number is None:
            raise open_failure(text, FileNotFoundError())
        return LiveInput(location=ffmpeg_url(text), kind="file", options=({"start_number": str(number)},))
    if path.is_dir():
        raise open_failure(text, IsADirectoryError())
    if not path.exists():
        raise open_failure(text, FileNotFoundError())
    return LiveInput(location=ffmpeg_url(text), kind="file")
