"""Where a live video may be written to, parsed and checked before anything is opened."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from emocolor.errors import ConfigurationError, SinkError
from stream.files.places import check_place, check_writable
from stream.media.locations import display_name, ffmpeg_url, files_of, is_standard_stream, is_url, local_path
from stream.media.target import output_format

DestinationKind = Literal["file", "pipe", "network"]

LOW_LATENCY: Final = {
    # How long a stream without packets holds the others back, in microseconds; FFmpeg's default is 10 s.
    "max_interleave_delta": "200000",
    "flush_packets": "1",
}
FRAGMENTED: Final = {
    # Fragments of one second while it is written, one index when it is finished. FFmpeg also cuts them at key frames.
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
"""Formats that can be played even if they were never finished, with the muxer options that this takes."""
FRAGMENTS_ONLY: Final = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
STREAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "matroska": {"cluster_time_limit": "100"},  # a cluster is sent when it is complete
    "mp4": FRAGMENTS_ONLY,
    "mov": FRAGMENTS_ONLY,
}
"""Options for pipes and networks: nothing can be rewritten, and someone waits at the other end."""
CARRIERS: Final = {"rtsp": "mpegts"}
"""The container in which streams travel to the process that sends them, where it is not the format itself."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A place that was checked."""

    kind: DestinationKind
    shown: str
    """For messages, without a password or a stream key."""
    name: str
    """As FFmpeg takes it."""
    format: str
    """FFmpeg's name."""

    @property
    def stream_format(self) -> str:
        """The container that is written here; for a network, the one that the sending process reads."""
        return CARRIERS.get(self.format, self.format) if self.kind == "network" else self.format

    @property
    def options(self) -> dict[str, str]:
        """For FFmpeg's muxer of ``stream_format``."""
        streamed = STREAMED.get(self.stream_format, {}) if self.kind != "file" else {}
        return {**LOW_LATENCY, **FORMATS[self.stream_format], **streamed}


def parse_output(text: str, *, format_name: str | None, overwrite: bool, source: str) -> Destination:
    """The place that ``text`` names: a file, a URL, or ``-`` for standard output.

    ``format_name`` overrides the format that the name implies. ``source`` is the input's location, which must not be
    overwritten. Raises ``ConfigurationError`` for formats that cannot be streamed and ``SinkError`` for a place that
    cannot be written to.
    """
    if is_standard_stream(text) and sys.stdout.isatty():
        raise SinkError("Standard output is a terminal. Pipe it into a player or a file, or name a file.")
    shown = "standard output" if is_standard_stream(text) else display_name(text)
    name = output_format(text, format_name)
    if name not in FORMATS:
        raise ConfigurationError(
            f"{shown} would be {name}, which cannot hold a live video. "
            f"Use .mkv, .mp4, .mov, .ts or .flv, or set one of these formats: {', '.join(FORMATS)}."
        )
    if is_standard_stream(text):
        kind: DestinationKind = "pipe"
    else:
        kind = "network" if is_url(text) else "file"
    if name == "rtsp" and kind != "network":
        raise SinkError(f"RTSP cannot be written to {shown}. Name a URL such as rtsp://host/name.")
    if (path := local_path(text)) is not None:
        check_place(path, overwrite=overwrite, inputs=files_of(source))
        check_writable(path)
    return Destination(kind=kind, shown=shown, name=ffmpeg_url(text), format=name)
