"""A job as a person runs it: progress, signals, a summary, an exit code."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emocolor.effects import ColorizeOptions, ColormapOptions, GradeOptions, StyleOptions, TintOptions

from ..effect_chain import EffectOptions
from ..graph import Job, open_job
from ..pipeline.steps import Step
from ..restore.restoration import RestorationOptions
from ..settings import AnalysisOptions, JobSettings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EXIT_DAMAGED = 3

log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What a job has done so far."""

    frames: int = 0
    analyses: int = 0
    faces: int = 0
    """Faces in the latest frame."""
    emotion: str = ""
    """The picture's emotion in the latest frame; empty where there is no face."""
    seen: bool = False
    """Whether there was a face in any frame."""
    media_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def add(self, step: Step) -> None:
        self.frames += 1
        self.analyses += step.observation is not None
        if step.frame is not None and step.scene is not None:
            self.media_seconds = step.frame.time
            self.faces = len(step.scene.faces)
            self.seen = self.seen or self.faces > 0
            self.emotion = step.scene.emotion if step.scene.faces else ""

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self.started, 1e-6)


class Interruption:
    """Turns the first Ctrl-C or SIGTERM into a proper end of the input, and a second into a cancellation."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.signal: int | None = None

    @contextlib.contextmanager
    def watch(self) -> Iterator["Interruption"]:
        """Handle signals while the block runs; must be entered inside a running event loop."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number, task)
        try:
            yield self
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _on_signal(self, number: int, task: "asyncio.Task[object]") -> None:
        if self.signal is None:
            self.signal = number
            self._job.stop()
        else:
            task.cancel()


def run_job(settings: JobSettings, *, show_progress: bool) -> int:
    """Run a job and return its exit code; raises an ``EmocolorError`` where it fails."""
    job = open_job(settings)
    try:
        return asyncio.run(_run(job, show_progress and sys.stderr.isatty()))
    except asyncio.CancelledError:
        print("error: stopped at once; nothing was kept.", file=sys.stderr)
        return 130


async def _run(job: Job, visible: bool) -> int:
    tally, interruption = Tally(), Interruption(job)
    with interruption.watch(), _progress(job, tally) if visible else contextlib.nullcontext() as show:
        async with job:
            async for step in job:
                tally.add(step)
                if show is not None:
                    show.update()
    return _conclude(job, tally, interruption.signal, visible)


def _conclude(job: Job, tally: Tally, signal_number: int | None, visible: bool) -> int:
    """Say what was done and return the exit code."""
    per_frame = (f"{name} {1000 * seconds / max(1, tally.frames):.2f}" for name, seconds in job.cpu_seconds.items())
    log.info("ms of the processor a frame, by stage: %s", ", ".join(per_frame))
    for warning in [*_warnings(job), *_unseen(job.settings.effects, tally)]:
        print(f"warning: {warning}", file=sys.stderr)
    target = job.settings.output or str(job.settings.timeline)
    if signal_number is not None:
        print(
            f"stopped: {target} is whole and holds the first {tally.media_seconds:.2f} s ({tally.frames} frames).",
            file=sys.stderr,
        )
        return 128 + signal_number
    if job.source.damage.any:
        print(f"warning: the input is damaged: {job.source.damage.text}. The rest was processed.", file=sys.stderr)
        return EXIT_DAMAGED
    if visible:
        speed = tally.media_seconds / tally.seconds
        analysis = job.settings.analysis
        analysed = f", {tally.analyses} analysed by {analysis.net}," if analysis else ""
        print(
            f"{target}: {tally.frames} frames{analysed} "
            f"in {tally.seconds:.1f} s ({tally.frames / tally.seconds:.0f} fps, {speed:.1f}x real time)",
            file=sys.stderr,
        )
    return 0


def _unseen(effects: Sequence[EffectOptions], tally: Tally) -> list[str]:
    """That effects which follow emotions and leave the picture as it is without one had none to follow."""
    waiting = ["grade" for options in effects if isinstance(options, GradeOptions)]
    waiting += ["style" for options in effects if isinstance(options, StyleOptions) and options.fixed is None]
    if tally.seen or not waiting:
        return []
    hint = " --style EMOTION paints whatever is seen." if "style" in waiting else ""
    return [f"No face was seen, so there was no emotion for {' and '.join(waiting)} to follow.{hint}"]


def _warnings(job: Job) -> list[str]:
    """What a user should know about the input and the output, each once."""
    warnings = [*job.source.warnings, *job.warnings]
    if job.sink is not None:
        left_out = job.facts.left_out
        warnings += [f"Left out of the output: {', '.join(left_out)}."] if left_out else []
        warnings += job.sink.warnings
    return list(dict.fromkeys(warnings))


@contextlib.contextmanager
def _progress(job: Job, tally: Tally) -> Iterator["_Bar"]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.percentage:>3.0f}%"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[fps]:.0f} fps  {task.fields[speed]:.1f}x"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[seen]}"),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=5, transient=True) as progress:
        task = progress.add_task("", total=job.facts.duration, fps=0.0, speed=0.0, seen="")
        yield _Bar(progress, task, tally)


class _Bar:
    """Shows the tally, some times a second."""

    def __init__(self, progress: "Progress", task: "TaskID", tally: Tally) -> None:
        self._progress = progress
        self._task = task
        self._tally = tally
        self._shown = 0.0

    def update(self) -> None:
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        tally = self._tally
        people = f"{tally.faces} face{'s' * (tally.faces != 1)}"
        self._progress.update(
            self._task,
            completed=tally.media_seconds,
            fps=tally.frames / tally.seconds,
            speed=tally.media_seconds / tally.seconds,
            seen=f"{people}, {tally.emotion}" if tally.emotion else people,
        )


def print_plan(settings: JobSettings) -> None:
    """Print what a job would do, from its input's facts and its settings, and write nothing."""
    job = open_job(settings)
    try:
        for line in _plan(job):
            print(line)
    finally:
        job.discard()


def _plan(job: Job) -> Iterator[str]:
    facts, settings = job.facts, job.settings
    length = f"{facts.duration:.2f} s" if facts.duration else "unknown length"
    rate = f"{float(facts.frame_rate):.3f} fps" if facts.frame_rate else "variable rate"
    yield f"input     {facts.location}: {facts.codec}, {facts.width}x{facts.height} {facts.pix_fmt}, {rate}, {length}"
    if settings.analysis is not None:
        yield from _plan_of_analysis(settings.analysis)
        smoothing = settings.smoothing
        yield f"smooth    time constant {smoothing.time_constant:g} s, look-ahead {smoothing.look_ahead:g} s"
    if settings.restoration is not None:
        yield _plan_of_restoration(settings.restoration)
    yield from (_plan_of_effect(options) for options in settings.effects)
    if settings.compare:
        yield "compare   the left half as it came in"
    if settings.overlay:
        yield "overlay   boxes, ids, probabilities"
    if job.sink is not None:
        yield f"output    {settings.output}: {job.sink.summary}"
    if settings.timeline is not None:
        yield f"timeline  {settings.timeline}"
    for warning in _warnings(job):
        yield f"warning   {warning}"


def _plan_of_analysis(analysis: AnalysisOptions) -> Iterator[str]:
    often = f"{analysis.rate_hz:g} times a second" if analysis.rate_hz else "in every frame"
    sampling = f"T = {analysis.passes}, seed {analysis.seed}" if analysis.passes else "no dropout"
    yield f"analyse   faces {often}; net {analysis.net}, {sampling}"


def _plan_of_restoration(options: RestorationOptions) -> str:
    deflicker = "even out flicker" if options.deflicker else "leave flicker"
    return f"restore   deinterlacing {options.deinterlace}, {deflicker}, denoise {options.denoise:g}"


def _plan_of_effect(options: EffectOptions) -> str:
    match options:
        case TintOptions():
            return (
                f"tint      palette {options.palette.name}, {options.mode} in {options.mix}, alpha {options.alpha:g}, "
                f"{options.region}, {options.several}, on {options.base}"
            )
        case ColormapOptions():
            return f"colormap  {options.gradient.name}, strength {options.strength:g}, preprocess {options.preprocess}"
        case GradeOptions():
            return f"grade     strength {options.strength:g}, skin kept {options.skin:g}"
        case StyleOptions():
            return _plan_of_style(options)
        case ColorizeOptions():
            often = f"{options.rate_hz:g} times a second" if options.rate_hz else "in every frame"
            return (
                f"colorize  net {options.net} {often}, vividness {options.vividness:g}, "
                f"saturation {options.saturation:g}, warmth {options.warmth:g}"
            )


def _plan_of_style(options: StyleOptions) -> str:
    fixed = options.fixed or {}
    what = ", ".join(f"{emotion} {part:g}" for emotion, part in fixed.items()) or "the scene's emotions"
    kept = "" if options.keep == "none" else f", {options.keep} kept"
    return (
        f"style     net {options.net} in {options.precision} at {options.size} px, {what}, "
        f"strength {options.strength:g}, {options.region}{kept}, detail {options.detail:g}"
    )
