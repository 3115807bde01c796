"""What is known of an input before and after it is read: plain values for sinks, reports and people."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

from emocolor.frames import ColorSpec, PixelFormat, Rotation

StreamKind = Literal["audio", "subtitle", "cover", "attachment"]
MAX_LANGUAGE: Final = 16
"""Characters of a language that are printed."""
FieldOrder = Literal["progressive", "top first", "bottom first"]


@dataclass(frozen=True, kw_only=True)
class HdrMetadata:
    """Static HDR10 metadata: the mastering display (SMPTE ST 2086) and the light level of the content (CTA-861.3)."""

    red: tuple[Fraction, Fraction] | None = None
    """Chromaticity (x, y) of the mastering display's primaries and white point: all four, or none."""
    green: tuple[Fraction, Fraction] | None = None
    blue: tuple[Fraction, Fraction] | None = None
    white: tuple[Fraction, Fraction] | None = None
    luminance: tuple[Fraction, Fraction] | None = None
    """Minimum and maximum of the display, in cd/m²."""
    light_level: tuple[int, int] | None = None
    """MaxCLL and MaxFALL, in cd/m²."""


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A named part of the video."""

    start: Fraction
    """In seconds, from the same zero as the frames' times."""
    end: Fraction
    metadata: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class CompanionStream:
    """A stream that goes into the output beside the video: audio, subtitles, cover art or an attached file."""

    index: int
    kind: StreamKind
    codec: str
    """FFmpeg's name of the codec, empty for attachments."""
    metadata: dict[str, str]
    """Language, title and the like, by FFmpeg's keys."""
    disposition: int = 0
    """FFmpeg's flags of the stream."""
    content: bytes = field(default=b"", repr=False)
    """The cover image or the attached file; empty for other kinds."""
    beginning: tuple[Any, ...] = field(default=(), repr=False)
    """Its first packets, as far as they were read before the video's first frame; a sink changes them in place."""
    handle: Any = field(repr=False)
    """The input's own stream; valid until the source is closed."""

    @property
    def label(self) -> str:
        """The stream in a few words, for messages."""
        words = [self.kind, str(self.index), self.codec and f"({self.codec})"]
        language = self.metadata.get("language", "und")[:MAX_LANGUAGE]
        return " ".join(word for word in [*words, language if language != "und" else ""] if word)


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """The properties of an input, known once its first frame is decoded."""

    location: str
    """For messages, without a password."""
    container: str
    """FFmpeg's name of the container format."""
    codec: str
    width: int
    """In luma pixels, before rotation, as the height."""
    height: int
    pix_fmt: str
    """FFmpeg's pixel format of the input."""
    format: PixelFormat
    """The format of its frames; differs from ``pix_fmt`` where effects cannot process that."""
    color: ColorSpec
    frame_rate: Fraction | None
    """Nominal frames per second; ``None`` where unknown."""
    time_base: Fraction
    """Unit of the frames' times, in seconds."""
    duration: float | None
    """Seconds that will be read; ``None`` where unknown."""
    frame_count: int | None
    """Frames that will be read, stated by the container or estimated from its duration; ``None`` where unknown."""
    sample_aspect: Fraction
    rotation: Rotation
    """Degrees by which a player turns the frame clockwise."""
    display_matrix: tuple[int, ...] | None
    """FFmpeg's nine numbers, where the container has them; they may mirror the frame as well as rotate it."""
    field_order: FieldOrder
    hdr: HdrMetadata | None
    companions: tuple[CompanionStream, ...]
    """Streams that can go into the output."""
    left_out: tuple[str, ...]
    """Streams that cannot, each named in a few words."""
    metadata: dict[str, str]
    """The container's, by FFmpeg's keys."""
    video_metadata: dict[str, str]
    """The video stream's."""
    video_disposition: int
    """FFmpeg's flags of the video stream."""
    chapters: tuple[Chapter, ...]
    video_start: Fraction = Fraction(0)
    """Where the input's first frame would lie on the clock of the frames that are read, in seconds."""


@dataclass
class Damage:
    """Damage of the input, counted while it is read."""

    packets: int = 0
    """Packets of the video stream that could not be decoded."""
    frames: int = 0
    """Frames that the decoder gave, but marked as damaged."""
    companion_packets: int = 0
    """Packets of other streams that could not be decoded, or that the output's container refused."""
    truncated: bool = False
    """The input ends earlier than its header states."""
    end_seconds: float | None = None
    """Where the video of a truncated input ends."""
    promised_seconds: float | None = None
    """Where its header states that it ends, if it does."""

    @property
    def any(self) -> bool:
        return self.truncated or self.packets > 0 or self.frames > 0 or self.companion_packets > 0

    @property
    def text(self) -> str:
        """The counts in one line; empty where there is no damage."""
        parts = [
            f"{self.packets} damaged packets were skipped" if self.packets else "",
            f"{self.companion_packets} packets beside the video were left out" if self.companion_packets else "",
            f"{self.frames} frames are damaged" if self.frames else "",
            self._truncation if self.truncated else "",
        ]
        return ", ".join(part for part in parts if part)

    @property
    def _truncation(self) -> str:
        end, promised = (
            None if time is None else f"{time:.1f} s" for time in (self.end_seconds, self.promised_seconds)
        )
        at = "" if end is None else f", at {end}"
        instead = "" if promised in (None, end) else f" instead of {promised}"
        return f"the input ends too early{at}{instead}"
