"""Old gray film in, restored and coloured film out, with frames of both: what ``emocolor-stream remaster`` runs."""

import os
from pathlib import Path
from typing import Final

from emocolor.errors import ConfigurationError

from ..files.temporary_names import MAX_NAME_BYTES
from ..media.locations import is_image_pattern, is_readable_twice, local_path
from ..settings import JobSettings, RawValues, layered

CRF: Final = 18.0
"""Constant quality where nothing else is asked for: film is restored to be kept, and grain wants bits."""
CRF_ENDINGS: Final = (".mp4", ".m4v", ".mov", ".mkv")
"""Outputs that are encoded by x264 where no codec is named."""


STRIP_ENDING: Final = ".compare.png"


def with_quality(values: RawValues, output: str | None) -> RawValues:
    """The values of options, with high quality where neither codec nor quality are chosen."""
    chosen = any(values.get("output", {}).get(name) is not None for name in ("crf", "codec", "format"))
    if chosen or not (output or "").lower().endswith(CRF_ENDINGS):
        return values
    return layered(values, {"output": {"crf": CRF}})


def strip_of(settings: JobSettings, strip: Path | None) -> Path | None:
    """Where the strip of frames before and after goes.

    Without ``strip`` that is beside the output, if input and output are files. Raises ``ConfigurationError`` where it
    was asked for and cannot be.
    """
    output = None if settings.output is None else local_path(settings.output)
    if output is None or not _may_be_film(output) or not is_readable_twice(settings.input):
        if strip is not None and _is_there(settings.input):
            raise ConfigurationError("--strip needs a file as input and a file as output. Leave it out.")
        return None
    strip = strip or _beside(output)
    if strip.suffix.lower() != ".png":
        raise ConfigurationError(f"--strip writes PNG; name it so: {strip.with_suffix('.png')}.")
    return strip


def _may_be_film(output: Path) -> bool:
    is_free = os.path.isfile(output) or not os.path.exists(output)
    return is_free and not is_image_pattern(str(output))


def _is_there(location: str) -> bool:
    """Whether there is an input at all; where there is none, opening it says so."""
    path = local_path(location)
    return path is None or os.path.exists(path) or is_image_pattern(location)


def _beside(output: Path) -> Path:
    """The output's name with another ending, at most as long as names may be."""
    stem = output.stem
    while len(os.fsencode(stem + STRIP_ENDING)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return output.with_name(stem + STRIP_ENDING)
