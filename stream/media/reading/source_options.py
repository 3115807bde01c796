"""Which part of an input to read, how to find its streams, and what it may open and hold."""

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, ClassVar, Final

from emocolor.errors import ConfigurationError
from emocolor.options import Options, Spelling, TextForm, option

MAX_PIXELS: Final = 4096 * 2304
_MICROSECONDS: Final = 1_000_000
_THOUSANDS: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}


def parse_time(text: str) -> float:
    """A time as FFmpeg writes it: seconds, MM:SS or HH:MM:SS, with decimals. Raises ``ConfigurationError``."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(number < 0 for number in numbers):
        raise ConfigurationError(f"'{text}' is not a time; write seconds, MM:SS or HH:MM:SS.")
    return sum((number * 60.0**place for place, number in enumerate(reversed(numbers))), 0.0)


def parse_amount(text: str) -> int:
    """A whole number as FFmpeg writes it, with k, M or G for thousands. Raises ``ConfigurationError``."""
    found = re.fullmatch(r"(\d{1,15})([kKMG]?)", text)
    if found is None:
        raise ConfigurationError(f"'{text}' is no amount; write a whole number, or one such as 50M.")
    return int(found[1]) * _THOUSANDS[found[2]]


MOST_SECONDS: Final = 1e9
"""30 years; FFmpeg's microseconds overflow at 292,000."""


@dataclass(frozen=True, kw_only=True)
class SourceOptions(Options):
    """Which part of an input to read, and how."""

    section: ClassVar[str] = "input"

    start_seconds: Annotated[
        float | None,
        option(
            "Start here: seconds or [HH:]MM:SS; the output begins there.",
            unit="s",
            cli=Spelling(flag="ss", metavar="TIME"),
            text=TextForm(parse=parse_time),
        ),
    ] = None
    end_seconds: Annotated[
        float | None,
        option(
            "End here, counted from the input's start.",
            unit="s",
            cli=Spelling(flag="to", metavar="TIME"),
            text=TextForm(parse=parse_time),
        ),
    ] = None
    max_pixels: Annotated[int, option("Refuse larger frames, width times height.", ge=1, le=10**9)] = MAX_PIXELS
    format: Annotated[
        str | None, option("Input format, for pipes and raw data.", cli=Spelling(flag="input-format", metavar="NAME"))
    ] = None
    probesize: (
        Annotated[
            int,
            option(
                "How much to read to find the streams, such as 50M; by default 5M, or more if that is too little.",
                ge=32,
                le=2**31 - 1,
                unit="bytes",
                cli=Spelling(metavar="BYTES"),
                text=TextForm(parse=parse_amount),
            ),
        ]
        | None
    ) = None
    analyzeduration: (
        Annotated[
            int,
            option(
                "How much playing time to analyse for that, in microseconds, such as 60M.",
                ge=0,
                le=2**53,
                unit="µs",
                cli=Spelling(metavar="MICROSECONDS"),
                text=TextForm(parse=parse_amount),
            ),
        ]
        | None
    ) = None
    protocol_whitelist: Annotated[
        str | None,
        option(
            "Protocols that the input may use, such as file,rtp,udp for an SDP file; by default network protocols for "
            "URLs, and files alone for files.",
            cli=Spelling(metavar="NAMES"),
        ),
    ] = None
    options: dict[str, str] = field(default_factory=dict)
    """More options of FFmpeg's demuxer and protocol, such as the ``framerate`` of image sequences."""

    def __post_init__(self) -> None:
        super().__post_init__()
        start, end = self.start_seconds or 0.0, math.inf if self.end_seconds is None else self.end_seconds
        if not 0 <= start <= MOST_SECONDS:
            raise ConfigurationError(f"The start must lie between 0 s and {MOST_SECONDS:g} s, got {start:g} s.")
        if not end > start:
            raise ConfigurationError(f"The end must lie after the start ({start:g} s), got {end:g} s.")
        if self.format is not None:
            _check_format(self.format)

    @property
    def start(self) -> Fraction:
        """Seconds before the part that is read."""
        return _exact(self.start_seconds or 0.0)

    @property
    def length(self) -> Fraction | None:
        """Seconds from start to end, or ``None`` without an end."""
        if self.end_seconds is None or math.isinf(self.end_seconds):
            return None
        return _exact(self.end_seconds) - self.start


def _check_format(name: str) -> None:
    import av  # here, because options are read where nothing is decoded, and loading codecs takes its time

    if name not in av.formats_available:
        raise ConfigurationError(f"FFmpeg has no format {name!r}.")


def _exact(seconds: float) -> Fraction:
    """In whole microseconds, as FFmpeg counts: 0.4 is the time of frame 10 at 25 fps, and not a little later."""
    return Fraction(round(seconds * _MICROSECONDS), _MICROSECONDS)
