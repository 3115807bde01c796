"""How an output is encoded, as a user sets it. Apart from the sink, so that reading options loads no codecs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from emocolor.options import Options, Spelling, option

AudioPolicy = Literal["copy", "aac", "none"]


@dataclass(frozen=True, kw_only=True)
class SinkOptions(Options):
    """How to encode, and what to do with the other streams."""

    section: ClassVar[str] = "output"

    codec: Annotated[
        str | None,
        option("FFmpeg's name of the video encoder; by default what suits the output.", cli=Spelling(metavar="NAME")),
    ] = None
    crf: Annotated[float | None, option("Constant quality, lower is better; by default the encoder's own.")] = None
    preset: Annotated[
        str | None,
        option("Speed preset of the encoder, such as veryfast.", cli=Spelling(flag="encoder-preset", metavar="NAME")),
    ] = None
    pix_fmt: Annotated[
        str | None,
        option(
            "Pixel format; by default the input's, or the nearest that the encoder takes.",
            cli=Spelling(metavar="NAME"),
        ),
    ] = None
    audio: Annotated[AudioPolicy, option("Copy the audio, encode it as AAC, or leave it out.")] = "copy"
    format: Annotated[
        str | None,
        option("Container format; by default told by the output's name.", cli=Spelling(letter="f", metavar="NAME")),
    ] = None
    overwrite: Annotated[bool, option("Replace existing outputs.", cli=Spelling(letter="y"))] = False
    options: Mapping[str, str] = field(default_factory=dict)
    """More options of the encoder, by FFmpeg's names."""
