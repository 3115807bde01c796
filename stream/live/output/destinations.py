"""Where a live picture may be written to, told apart and checked before anything is opened."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from emocolor.errors import ConfigurationError, SinkError
from stream.media.locations import ffmpeg_name, is_standard_stream, is_url
from stream.media.target import Target

Kind = Literal["file", "pipe", "network"]

SOON: Final = {
    # A stream that falls silent holds the others back so long, in microseconds; FFmpeg's own limit is 10 s.
    "max_interleave_delta": "200000",
    "flush_packets": "1",
}
FRAGMENTED: Final = {
    # Fragments of a second while it is written, one index when it is whole. FFmpeg cuts them at key frames too.
    "movflags": "hybrid_fragmented+frag_keyframe+default_base_moof",
    "frag_duration": "1000000",
}
FORMATS: Final[Mapping[str, Mapping[str, str]]] = {
    "matroska": {"cluster_time_limit": "1000"},
    "mp4": FRAGMENTED,
    "mov": FRAGMENTED,
    "mpegts": {},
    "flv": {"flvflags": "no_duration_filesize"},
    "nut": {},
    "rtsp": {"rtsp_transport": "tcp"},
}
"""Formats that can be played although they were never finished, with the muxer options that they need for it."""
IN_PIECES: Final = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
STREAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "matroska": {"cluster_time_limit": "100"},  # a cluster is sent when it is whole
    "mp4": IN_PIECES,
    "mov": IN_PIECES,
}
"""Options where nothing can be written twice, and someone waits at the other end."""
CARRIERS: Final = {"rtsp": "mpegts"}
"""In what the streams travel to the process that sends them, where that is not the format itself."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A place that was checked."""

    kind: Kind
    shown: str
    """For messages, without a password or a stream key."""
    name: str
    """As FFmpeg takes it."""
    format: str
    """FFmpeg's name."""

    @property
    def stream_format(self) -> str:
        """What the streams are put into here; for a network, on their way to the process that sends them."""
        return CARRIERS.get(self.format, self.format) if self.kind == "network" else self.format

    @property
    def options(self) -> dict[str, str]:
        """For FFmpeg's muxer of ``stream_format``."""
        streamed = STREAMED.get(self.stream_format, {}) if self.kind != "file" else {}
        return {**SOON, **FORMATS[self.stream_format], **streamed}


def parse_output(text: str, *, format_name: str | None, overwrite: bool, source: str) -> Destination:
    """The place that ``text`` names: a file, a URL, or ``-`` for standard output.

    ``format_name`` replaces what the name tells. ``source`` is the input's location, which must not be replaced.
    Raises ``ConfigurationError`` for what cannot be streamed into and ``SinkError`` for a place that cannot be
    written to.
    """
    if is_standard_stream(text) and sys.stdout.isatty():
        raise SinkError("Standard output is a terminal. Pipe it into a player or a file, or name a file.")
    target = Target(text, format_name=format_name, overwrite=overwrite, source=source)
    if target.format not in FORMATS:
        raise ConfigurationError(
            f"{target.shown} would be {target.format}, which a live picture cannot be written to. "
            f"Take .mkv, .mp4, .mov, .ts or .flv, or one of these with --format: {', '.join(FORMATS)}."
        )
    if is_standard_stream(text):
        kind: Kind = "pipe"
    else:
        kind = "network" if is_url(text) else "file"
    if target.format == "rtsp" and kind != "network":
        raise SinkError(f"{target.shown} is no place for RTSP, which needs a URL such as rtsp://host/name.")
    return Destination(kind=kind, shown=_without_key(target.shown), name=ffmpeg_name(text), format=target.format)


def _without_key(shown: str) -> str:
    """An RTMP address as far as its application: what follows lets anyone publish."""
    return re.sub(r"^(rtmps?://[^/]+/[^/]+/).+", r"\1***", shown, flags=re.IGNORECASE)
