"""The commands for files: ``run``, and ``remaster``, which is the same with other beginnings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from emocolor.errors import ConfigurationError

from ..presets import read_preset
from ..settings import RUN_GROUPS, JobSettings, RawValues, job_settings, without_pieces
from .ending import Quiet, Verbose, perform
from .layers import OverlayFlag, PresetOption, SavePreset, applicable, raw_values, save_preset
from .parameters import chain_parameter, flags_for, parameters_of, with_parameters

REMASTER_PRESET: Final = "archive"
"""What ``remaster`` starts from."""

Input = Annotated[
    str,
    typer.Argument(metavar="INPUT", help="Video file, URL, image pattern (frames/%04d.png), or - for standard input."),
]
Output = Annotated[str | None, typer.Option("--output", "-o", help="Where the result goes; - for standard output.")]
Timeline = Annotated[
    Path | None, typer.Option("--timeline", metavar="FILE", help="Write the emotions to this .jsonl or .csv file.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and stop.")]
STRIP: Final = Parameter(
    "strip",
    Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None,
        typer.Option(
            "--strip", metavar="FILE.png", help="Where frames before and after go (default: beside the output)."
        ),
    ],
)


def run_command() -> Callable[..., None]:
    """The function of ``emocolor-stream run``."""

    def run(values: RawValues, job: _JobArguments) -> int:
        if job.output is None and job.timeline is None and not job.dry_run:
            raise ConfigurationError("Nothing to write: pass -o OUTPUT, or --timeline FILE for the emotions alone.")
        settings = job_settings(values, input=job.input, output=job.output, timeline=job.timeline)
        return _render(values, settings, job)

    return _job_command(run)


def remaster_command() -> Callable[..., None]:
    """The function of ``emocolor-stream remaster``."""

    def remaster(values: RawValues, job: _JobArguments) -> int:
        from .remaster import strip_of, with_quality

        if job.output is None and not job.dry_run:
            raise ConfigurationError("Nothing to write: pass -o OUTPUT.")
        values = with_quality(values, job.output)
        settings = job_settings(values, input=job.input, output=job.output, timeline=job.timeline)
        return _render(values, replace(settings, strip=strip_of(settings, job.strip)), job)

    return _job_command(remaster, base=REMASTER_PRESET, strip=STRIP)


def _render(values: RawValues, settings: JobSettings, job: "_JobArguments") -> int:
    """Do the job, at once or in pieces, or print its plan. Returns the exit code."""
    from .console import print_plan, run_job
    from .resumable import film_job, is_in_pieces, run_in_pieces

    values, options = without_pieces(values)
    film = film_job(settings, values) if is_in_pieces(settings, options) else None
    if job.dry_run:
        print_plan(settings, pieces=None if film is None else film.folder)
        return 0
    if film is not None:
        return run_in_pieces(film, options, show_progress=not job.quiet)
    return run_job(settings, show_progress=not job.quiet)


@dataclass(frozen=True, kw_only=True)
class _JobArguments:
    """What a command for files is told beside its options."""

    input: str
    output: str | None
    timeline: Path | None
    strip: Path | None
    dry_run: bool
    quiet: bool


def _job_command(
    body: Callable[[RawValues, _JobArguments], int], *, base: str | None = None, strip: Parameter | None = None
) -> Callable[..., None]:
    """A command for files around ``body``, starting from the preset ``base``."""
    flags = flags_for(RUN_GROUPS)

    def command(
        *,
        input: Input,
        output: Output = None,
        preset: PresetOption = None,
        effect: str | None = None,
        overlay: OverlayFlag = False,
        timeline: Timeline = None,
        save: SavePreset = None,
        dry_run: DryRun = False,
        quiet: Quiet = False,
        verbose: Verbose = 0,
        **others: Any,
    ) -> None:
        def work() -> int:
            start = read_preset(base).values if base else {}
            values = raw_values(flags, others, base=start, preset=preset, effect=effect, overlay=overlay)
            save_preset(save, values, RUN_GROUPS)
            values = applicable(values, flags)
            job = _JobArguments(
                input=input,
                output=output,
                timeline=timeline,
                strip=others.get("strip"),
                dry_run=dry_run,
                quiet=quiet,
            )
            return body(values, job)

        perform(work, verbose)

    chain = chain_parameter()
    own = [chain if one.name == chain.name else one for one in parameters_of(command)]
    return with_parameters(command, body, [*own, *([strip] if strip else []), *(flag.parameter for flag in flags)])
