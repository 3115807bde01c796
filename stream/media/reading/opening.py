"""Opens inputs with FFmpeg: files, numbered images, network streams, and pipes whose waits a stop can end.

What an input may open in turn, such as the segments of a playlist, is limited by the protocols that FFmpeg may use:
what comes from the network never reaches a local file, and a local file reaches the network only where that is asked
for.
"""

import contextlib
import re
import sys
from collections.abc import Mapping
from typing import Final

import av

from emocolor.errors import SourceError

from ...files.pipes import STANDARD_INPUT, PipeReader, is_pipe
from ...files.stop_request import StopRequest
from .. import probe
from ..locations import (
    display_name,
    ffmpeg_url,
    first_number,
    is_image_pattern,
    is_readable_twice,
    is_standard_stream,
    is_url,
    local_path,
    open_failure,
)
from .ffmpeg_log import recorded_log
from .frame_size import decoder_options, is_too_large, too_large
from .source_options import SourceOptions

NETWORK_TIMEOUT_SECONDS: Final = 15.0
LARGER_PROBE: Final = {"probesize": "50000000", "analyzeduration": "60000000"}
"""Bytes and microseconds that are analysed where FFmpeg's own amount, 5 MB and 5 s, leaves a stream unknown."""
NETWORK_SCHEMES: Final = frozenset(
    {"http", "https", "hls", "rtsp", "rtp", "udp", "tcp", "tls", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts"}
)
NETWORK_PROTOCOLS: Final = ",".join(
    sorted(NETWORK_SCHEMES | {"httpproxy", "ffrtmphttp", "ffrtmpcrypt", "srtp", "udplite", "crypto", "data"})
)
FILE_PROTOCOLS: Final = "file,crypto,data"
PIPE_PROTOCOLS: Final = "crypto,data"
_FLV_HEADER_BYTES: Final = 5
_FLV_HAS_AUDIO: Final = 4
_REFUSED_PROTOCOL: Final = re.compile(r"Protocol '(\w+)' not on whitelist")
_REFUSED_SIZE: Final = re.compile(r" size (\d+)x(\d+) exceeds")
_NEEDS_SDP: Final = re.compile(r"RTP payload type \d+ without an SDP file")


def open_container(
    location: str, options: SourceOptions, stop: StopRequest | None = None
) -> av.container.InputContainer:
    """The input as FFmpeg opens it; raises ``SourceError`` with one line that says what to do.

    Where FFmpeg finds too little of a stream, and the input can be read twice, more of it is analysed.
    """
    if is_standard_stream(location) and sys.stdin is not None and sys.stdin.isatty():
        raise SourceError("Nothing is piped into standard input. Pipe a video into it, or name a file.")
    settings = _settings(location, options)
    try:
        container = _open(location, options, settings, stop)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _refusal(location, options, settings, error) or open_failure(location, error) from error
    if not is_repeatable(location) or _is_complete(container, location):
        return container
    try:
        larger = _open(location, options, {**LARGER_PROBE, **settings}, stop)
    except (av.FFmpegError, OSError, ValueError):
        return container
    container.close()
    if not _has_size(larger) and (size := _REFUSED_SIZE.search(_log_of_opening(location, options, settings))):
        larger.close()
        raise too_large(display_name(location), (int(size[1]), int(size[2])), options.max_pixels)
    return larger


def main_video(container: av.container.InputContainer, location: str, options: SourceOptions) -> av.VideoStream:
    """The video to process; raises ``SourceError`` where there is none, or none that may be processed."""
    stream, name = probe.main_video(container), display_name(location)
    if stream is None:
        if any(other.type == "video" and other.codec_context is None for other in container.streams):
            raise SourceError(f"FFmpeg has no decoder for the video of {name} here. Convert it with another program.")
        kinds = sorted({"still images" if probe.is_still(other) else str(other.type) for other in container.streams})
        held = f"only {' and '.join(kinds)}" if kinds else "no streams at all"
        raise SourceError(f"{name} has no video that can be decoded, {held}. Give a file with moving frames.")
    context = stream.codec_context
    if context.width <= 0 and context.codec.canonical_name == "webp":
        raise SourceError(
            f"{name} is animated or damaged: FFmpeg reads still WebP images alone. Convert it to GIF, APNG or a video."
        )
    if context.width <= 0 or context.height <= 0:
        raise SourceError(
            f"The size of the frames of {name} is not found. It may be damaged, larger than the option "
            "input.max_pixels allows, or begin late: then set the option input.analyzeduration to more."
        )
    if is_too_large(context, options.max_pixels):
        raise too_large(name, (context.width, context.height), options.max_pixels)
    return stream


def allowed_protocols(location: str) -> str | None:
    """The protocols that an input there may use, as FFmpeg's option takes them; ``None`` for FFmpeg's own choice."""
    if is_url(location):
        return NETWORK_PROTOCOLS if location.split(":", 1)[0].lower() in NETWORK_SCHEMES else None
    path = local_path(location)
    return PIPE_PROTOCOLS if path is None or is_pipe(path) else FILE_PROTOCOLS


def _settings(location: str, options: SourceOptions) -> dict[str, str]:
    """FFmpeg's options for the demuxer and the protocol."""
    settings = {
        "protocol_whitelist": options.protocol_whitelist or allowed_protocols(location),
        "probesize": options.probesize,
        "analyzeduration": options.analyzeduration,
        "start_number": first_number(location) if is_image_pattern(location) else None,
    }
    return {name: str(value) for name, value in settings.items() if value is not None} | options.options


def _open(
    location: str, options: SourceOptions, settings: Mapping[str, str], stop: StopRequest | None
) -> av.container.InputContainer:
    # A local file that may use the network, such as an SDP file, may wait for it.
    may_wait = is_url(location) or options.protocol_whitelist is not None
    return av.open(
        _file(location, stop or StopRequest()),
        "r",
        format=options.format,
        options=decoder_options(options.max_pixels),  # for the frames that are decoded to find the streams
        container_options=dict(settings),
        timeout=NETWORK_TIMEOUT_SECONDS if may_wait else None,
        metadata_errors="replace",
    )


def _file(location: str, stop: StopRequest) -> str | PipeReader:
    """What PyAV opens: a name, or a pipe whose waits a stop can end."""
    path = local_path(location)
    if is_standard_stream(location):
        return PipeReader(STANDARD_INPUT, stop)
    return PipeReader(path, stop) if path is not None and is_pipe(path) else ffmpeg_url(location)


def is_repeatable(location: str) -> bool:
    """Whether the input gives the same when it is opened again."""
    if is_url(location):
        return location.lower().startswith(("http:", "https:"))
    return is_readable_twice(location) or is_image_pattern(location)


def _is_complete(container: av.container.InputContainer, location: str) -> bool:
    """Whether all is known of the streams that would be taken."""
    unknown = any(stream.codec_context is not None and not probe.is_known(stream) for stream in container.streams.audio)
    missing = container.format.name == "flv" and not container.streams.audio and _flv_has_audio(location)
    return _has_size(container) and not unknown and not missing


def _has_size(container: av.container.InputContainer) -> bool:
    video = probe.main_video(container)
    return video is not None and video.codec_context.width > 0


def _flv_has_audio(location: str) -> bool:
    """Whether the header of a flash video names audio."""
    path = local_path(location)
    if path is None:
        return False
    with path.open("rb") as file:
        header = file.read(_FLV_HEADER_BYTES)
    return len(header) == _FLV_HEADER_BYTES and bool(header[-1] & _FLV_HAS_AUDIO)


def _refusal(
    location: str, options: SourceOptions, settings: Mapping[str, str], error: Exception
) -> SourceError | None:
    """The error for an input that FFmpeg refused for a reason that stands in its log alone; ``None`` for others."""
    if not (is_repeatable(location) or location.startswith("rtp:")):
        return None
    if not isinstance(error, (av.error.InvalidDataError, av.error.ArgumentError)):
        return None
    log, name = _log_of_opening(location, options, settings), display_name(location)
    if (protocol := _REFUSED_PROTOCOL.search(log)) is not None:
        return SourceError(
            f"{name} wants to use the protocol {protocol[1]!r}, and only {settings['protocol_whitelist']} are allowed. "
            f"If you trust it, add that to the option input.protocol_whitelist (SDP files need file,rtp,udp)."
        )
    if _NEEDS_SDP.search(log) is not None:
        return SourceError(f"{name} does not say what it sends. Give the SDP file that describes it.")
    return None


def _log_of_opening(location: str, options: SourceOptions, settings: Mapping[str, str]) -> str:
    """The errors that FFmpeg logs while the input is opened once more."""
    with recorded_log(av.logging.ERROR) as texts, contextlib.suppress(av.FFmpegError, OSError, ValueError):
        _open(location, options, settings, None).close()
    return "\n".join(texts)
