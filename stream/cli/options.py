"""Options that several commands of ``emocolor-stream`` have, and how their words are read."""

from pathlib import Path
from typing import Annotated

import typer

from emocolor.chroma.reference import ReferenceOptions
from emocolor.effects import ColorizeOptions
from emocolor.errors import ConfigurationError
from engines.runners.selection import Device
from engines.spec import colorizer_names

from ..media.sink import AudioPolicy
from ..media.source import SourceOptions
from ..settings import DecoderChoice

COLORIZE, MEDIA = "Colorize", "Input and output"
"""Panels of the help."""
DEFAULT_COLORS, DEFAULT_SOURCE = ColorizeOptions(), SourceOptions()

Input = Annotated[
    str,
    typer.Argument(metavar="INPUT", help="Video file, URL, image pattern (frames/%04d.png), or - for standard input."),
]
Output = Annotated[str | None, typer.Option("--output", "-o", help="Where the result goes; - for standard output.")]

Vividness = Annotated[
    float,
    typer.Option(rich_help_panel=COLORIZE, help="From the safest colours the net knows (0) to the boldest (1)."),
]
Saturation = Annotated[float, typer.Option(rich_help_panel=COLORIZE, help="Multiplies learned colours, 0 to 3.")]
Warmth = Annotated[
    float, typer.Option(rich_help_panel=COLORIZE, help="Moves learned colours toward orange (1) or blue (-1).")
]
Reference = Annotated[
    Path | None,
    typer.Option(rich_help_panel=COLORIZE, metavar="PICTURE", help="Photo whose palette learned colours move toward."),
]
ColorizerOption = Annotated[
    str,
    typer.Option(
        rich_help_panel=COLORIZE,
        help=f"Net that gives colours: {', '.join(colorizer_names())}, or an .onnx file with its card beside it.",
    ),
]
ColorRate = Annotated[
    float,
    typer.Option(
        rich_help_panel=COLORIZE,
        help="Looks of that net a second of video; in between colours travel with the motion. 0 for every frame.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", rich_help_panel=COLORIZE, help="Give new colours to footage that is in colour.")
]

Codec = Annotated[
    str | None, typer.Option(rich_help_panel=MEDIA, help="Video encoder (default: by the output's format).")
]
Crf = Annotated[float | None, typer.Option(rich_help_panel=MEDIA, help="Constant quality of the encoder.")]
Preset = Annotated[str | None, typer.Option(rich_help_panel=MEDIA, help="Preset of the encoder.")]
PixFmt = Annotated[
    str | None, typer.Option(rich_help_panel=MEDIA, help="Pixel format (default: the input's where it can be).")
]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", rich_help_panel=MEDIA, help="Start here: seconds or [HH:]MM:SS.")
]
End = Annotated[
    str | None,
    typer.Option(metavar="TIME", rich_help_panel=MEDIA, help="End here, counted from the input's start."),
]
Audio = Annotated[
    AudioPolicy, typer.Option(rich_help_panel=MEDIA, help="Copy the sound, re-encode it, or leave it out.")
]
Format = Annotated[
    str | None, typer.Option("--format", "-f", rich_help_panel=MEDIA, help="Output format (default: by the name).")
]
InputFormat = Annotated[str | None, typer.Option(rich_help_panel=MEDIA, help="Input format, for raw pipes.")]
MaxPixels = Annotated[int, typer.Option(rich_help_panel=MEDIA, help="Refuse larger frames, width times height.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", rich_help_panel=MEDIA, help="Replace existing outputs.")]
DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where nets run; auto takes an NVIDIA GPU that torch can use.")
]
DecoderOption = Annotated[
    DecoderChoice,
    typer.Option(
        "--decoder",
        rich_help_panel=MEDIA,
        help="What decodes: FFmpeg's own decoders, NVDEC on the GPU that nets run on, or NVDEC where it can (auto).",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and stop.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say more; twice: also where errors come from.")
]


def source_options(start: str | None, end: str | None, max_pixels: int, input_format: str | None) -> SourceOptions:
    """Which part of the input to read; raises ``ConfigurationError`` for what is no time."""
    return SourceOptions(
        start_seconds=None if start is None else seconds(start),
        end_seconds=None if end is None else seconds(end),
        max_pixels=max_pixels,
        format=input_format,
    )


def colorize_options(
    net: str, rate: float, vividness: float, saturation: float, warmth: float, reference: Path | None, *, force: bool
) -> ColorizeOptions:
    """How gray is coloured; raises ``ConfigurationError`` and, where the reference is no picture, ``SourceError``."""
    return ColorizeOptions(
        net=net,
        rate_hz=rate,
        vividness=vividness,
        saturation=saturation,
        warmth=warmth,
        reference=None if reference is None else _read_reference(reference),
        force=force,
    )


def _read_reference(path: Path) -> ReferenceOptions:
    from ..restore.reference_photo import read_reference

    return ReferenceOptions(statistics=read_reference(path))


def seconds(text: str) -> float:
    """A time as FFmpeg writes it: seconds, MM:SS or HH:MM:SS, with decimals."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(n < 0 for n in numbers):
        raise ConfigurationError(f"'{text}' is not a time; write seconds, MM:SS or HH:MM:SS.")
    return sum((number * 60.0**place for place, number in enumerate(reversed(numbers))), 0.0)


def band(text: str) -> tuple[float, float]:
    """Two numbers with a dash between; either may be left out, for no lower or no upper end."""
    low, dash, high = text.partition("-")
    try:
        if not dash:
            raise ValueError
        return float(low or 0), float(high or "inf")
    except ValueError:
        raise ConfigurationError(f"'{text}' is not a band; write LOW-HIGH, such as 0-40 or 4-.") from None
