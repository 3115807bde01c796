"""Which films can be rendered in pieces, and which are unless somebody says otherwise."""

import os
from contextlib import closing
from pathlib import Path
from typing import Final

from emocolor.effects.chain import temporal_of
from emocolor.errors import ConfigurationError, EmocolorError
from emocolor.options import Options

from ..media.locations import is_image_pattern, is_readable_twice, local_path
from ..media.source import VideoSource
from ..media.target import output_format
from ..media.writing.metadata import MOV_FORMATS
from ..settings import JobSettings

JOINABLE: Final = MOV_FORMATS | {"matroska", "webm", "mpegts", "nut"}
"""Containers that keep the time of every frame."""
LONG_SECONDS: Final = 300
"""Longer inputs are rendered in pieces by default."""


def check_divisible(settings: JobSettings) -> None:
    """Raises ``ConfigurationError`` for settings whose result depends on the film before, however long ago."""
    temporal = temporal_of(settings.effects)
    if temporal is not None and getattr(temporal[0], "reference", None) is not None:
        raise _indivisible("The palette of colorize.reference follows the whole film")
    if settings.analysis is not None and settings.analysis.fresh_masks:
        raise _indivisible("With analysis.fresh_masks each analysis depends on all before it")
    if any(isinstance(item, Options) and item.section == "overlay" for item in settings.effects):
        raise _indivisible("The overlay shows numbers that count faces from the film's start")
    if not all(isinstance(item, Options) for item in settings.effects):
        raise _indivisible("An effect of your own may remember all frames before")
    container = output_format(settings.output or "", settings.sink.format)
    if container not in JOINABLE:
        raise ConfigurationError(
            f"Pieces cannot be joined in {container}, which does not keep the time of every frame. "
            f"Choose one of {', '.join(sorted(JOINABLE))}."
        )
    if settings.decoder != "software":
        raise ConfigurationError("Pieces are decoded in software: leave the option decoder out.")


def check_resumable(settings: JobSettings) -> None:
    """Raises ``ConfigurationError`` where a job cannot be rendered in pieces, for its settings or its files."""
    output = None if settings.output is None else local_path(settings.output)
    if output is None or is_image_pattern(str(output)) or (output.exists() and not output.is_file()):
        raise ConfigurationError("The option pieces.resumable needs a video file as the output.")
    if not is_readable_twice(settings.input) and _is_there(settings.input):
        raise ConfigurationError("The option pieces.resumable needs a file as the input.")
    check_divisible(settings)


def in_pieces_by_default(settings: JobSettings) -> bool:
    """Whether a job that can be rendered in pieces is long enough for that to be the default."""
    if not is_readable_twice(settings.input):
        return False
    try:
        check_resumable(settings)
        with closing(VideoSource(settings.input, settings.source)) as source:
            return (source.info.duration or 0) > LONG_SECONDS
    except EmocolorError:  # the job itself reports what is wrong
        return False


def _indivisible(reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{reason}, so the film cannot be rendered in pieces. Leave it out, or render in one piece."
    )


def _is_there(location: str) -> bool:
    """Whether there is an input at all; where there is none, opening it tells."""
    path: Path | None = local_path(location)
    return path is None or os.path.exists(path) or is_image_pattern(location)
