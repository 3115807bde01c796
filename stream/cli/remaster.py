"""Old gray film in, restored and coloured film out, with a frame of both: what ``emocolor-stream remaster`` runs."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from emocolor.errors import ConfigurationError, EmocolorError, SinkError

from ..media.locations import is_image_pattern, is_standard_stream, is_url
from ..report.comparison import write_comparison
from ..settings import JobSettings
from .console import print_plan, run_job

CRF: Final = 18.0
"""Constant quality where nothing else is asked for: film is restored to be kept, and grain wants bits."""
CRF_ENDINGS: Final = (".mp4", ".m4v", ".mov", ".mkv")
"""Outputs that are encoded by x264 where no codec is named."""


def run_remaster(settings: JobSettings, strip: Path | None, *, show_progress: bool) -> int:
    """Run the job, draw frames before and after into ``strip``, and return the exit code.

    Without ``strip`` the frame lies beside the output, if input and output are files. Raises an ``EmocolorError``
    where the job fails; a frame that cannot be drawn is only warned of.
    """
    frame = _frame_of(settings, strip)
    code = run_job(_with_quality(settings), show_progress=show_progress)
    if frame is not None and settings.output is not None and Path(settings.output).exists():
        try:
            start = settings.source.start_seconds or 0.0
            write_comparison(Path(settings.input), Path(settings.output), frame, start=start)
        except EmocolorError as error:  # the film is done and whole
            print(f"warning: frames before and after could not be drawn: {error}", file=sys.stderr)
    return code


def print_remaster_plan(settings: JobSettings, strip: Path | None) -> None:
    """Print what :func:`run_remaster` would do, and write nothing."""
    frame = _frame_of(settings, strip)
    print_plan(_with_quality(settings))
    if frame is not None:
        print(f"strip     {frame}")


def _frame_of(settings: JobSettings, strip: Path | None) -> Path | None:
    """Where frames before and after are drawn; raises where that was asked for and cannot be."""
    ends = [end for end in (settings.input, settings.output) if end is not None]
    if len(ends) < 2 or any(is_url(end) or is_standard_stream(end) or is_image_pattern(end) for end in ends):
        if strip is not None:
            raise ConfigurationError("--strip needs a file as input and a file as output. Leave it out.")
        return None
    frame = strip or Path(ends[1]).with_suffix(".compare.png")
    if frame.suffix.lower() != ".png":
        raise ConfigurationError(f"--strip writes PNG; name it so: {frame.with_suffix('.png')}.")
    if frame.exists() and not settings.sink.overwrite:
        raise SinkError(f"{frame} exists already. Pass --overwrite to replace it, or --strip with another name.")
    if not frame.parent.is_dir():
        raise SinkError(f"There is no folder {frame.parent} for {frame.name}. Make it first.")
    return frame


def _with_quality(settings: JobSettings) -> JobSettings:
    """High quality where neither codec nor quality are chosen."""
    sink, target = settings.sink, settings.output or ""
    chosen = sink.crf is not None or sink.codec is not None or sink.format is not None
    if chosen or not target.lower().endswith(CRF_ENDINGS):
        return settings
    return replace(settings, sink=replace(sink, crf=CRF))
