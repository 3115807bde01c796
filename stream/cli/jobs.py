"""The commands for files: ``run``, and ``remaster``, which is the same with other beginnings."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from emocolor.errors import ConfigurationError

from ..presets import read_preset
from ..settings import FILE_GROUPS, RawValues, job_settings
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
        from .console import print_plan, run_job

        if job.output is None and job.timeline is None and not job.dry_run:
            raise ConfigurationError("Nothing to write: pass -o OUTPUT, or --timeline FILE for the emotions alone.")
        settings = job_settings(values, input=job.input, output=job.output, timeline=job.timeline)
        if job.dry_run:
            print_plan(settings)
            return 0
        return run_job(settings, show_progress=not job.quiet)

    return _job_command(run)


def remaster_command() -> Callable[..., None]:
    """The function of ``emocolor-stream remaster``."""

    def remaster(values: RawValues, job: _JobArguments) -> int:
        from .console import print_plan, run_job
        from .remaster import remaster_settings

        if job.output is None and not job.dry_run:
            raise ConfigurationError("Nothing to write: pass -o OUTPUT.")
        settings = job_settings(values, input=job.input, output=job.output, timeline=job.timeline)
        settings = remaster_settings(settings, job.strip)
        if job.dry_run:
            print_plan(settings)
            return 0
        return run_job(settings, show_progress=not job.quiet)

    return _job_command(remaster, base=REMASTER_PRESET, strip=STRIP)


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
    flags = flags_for(FILE_GROUPS)

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
            save_preset(save, values, FILE_GROUPS)
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
