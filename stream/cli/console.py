"""A job as a person runs it: progress, signals, a summary, an exit code."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from emocolor.effects import ChainItem
from emocolor.errors import EmocolorError
from emocolor.options import Options, options_of

from ..files.stop_request import StopRequest
from ..graph import unseen_followers
from ..job import Job
from ..media.locations import display_name, is_standard_stream
from ..media.source_info import Damage
from ..pipeline.steps import Step
from ..settings import JobSettings
from .messages import release_terminal, say, show, show_cursor
from .parameters import with_flags
from .signals import HANGUP, handled_on

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EXIT_DAMAGED = 3
PATIENCE_S: Final = 3.0
"""How long what is cancelled may take to end before the process leaves it."""
STALLS: Final = (TimeoutError, subprocess.TimeoutExpired)
"""Causes of errors that mean that an output accepts nothing."""
DROPPED: Final = "error: stopped at once; nothing was kept."

log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What a job has done so far."""

    frames: int = 0
    analyses: int = 0
    faces: int = 0
    """Faces in the latest frame."""
    emotion: str = ""
    """The frame's emotion in the latest frame; empty where there is no face."""
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
    """What signals do to a job: the first ends its input, the second drops everything.

    What has not ended some seconds after that, such as a call into a library that waits, is left behind.
    """

    def __init__(self) -> None:
        self.stop = StopRequest()
        """For the job; it also ends the waits of its opening."""
        self.signal: int | None = None
        """The first signal that came."""
        self.dropped = False
        """Whether everything is dropped."""
        self._job: Job | None = None
        self._loop = asyncio.get_running_loop()

    @contextlib.contextmanager
    def watch(self) -> Iterator["Interruption"]:
        """Handle signals while the block runs, on the event loop."""
        with handled_on(self._loop, self._on_signal):
            yield self

    async def opened(self, settings: JobSettings) -> Job | None:
        """The job, or ``None`` where a signal came before it was open."""
        try:
            job = await Job.open(settings, stop=self.stop)
        except EmocolorError:
            if self.signal is None:
                raise
            return None
        if self.signal is not None:
            job.discard()
            return None
        self._job = job
        return job

    def _on_signal(self, number: int) -> None:
        if number == HANGUP:
            release_terminal()
        if self.signal is not None:
            self._drop()
            return
        self.signal = number
        self.stop.stop()
        if self._job is None:
            say("stopped before anything was done.")
            self._loop.call_later(PATIENCE_S, self._leave)
            return
        say(f"finishing; {'press' if number == signal.SIGINT else 'signal'} again to drop all.")
        self._job.stop()

    def _drop(self) -> None:
        if self.dropped or self._job is None:
            self._leave()
        self.dropped = True
        self._job.cancel()
        self._loop.call_later(PATIENCE_S, self._leave)

    def _leave(self) -> NoReturn:
        """End the process without what does not return."""
        if self._job is not None:
            self._job.remove_parts()
            show_cursor()
            say(DROPPED)
        os._exit(128 + (self.signal or signal.SIGINT))


def run_job(settings: JobSettings, *, show_progress: bool) -> int:
    """Run a job and return its exit code; raises an ``EmocolorError`` where it fails."""
    return asyncio.run(_run(settings, show_progress and sys.stderr.isatty()))


async def _run(settings: JobSettings, visible: bool) -> int:
    tally, interruption = Tally(), Interruption()
    with interruption.watch():
        job = await interruption.opened(settings)
        if job is None:
            return 128 + (interruption.signal or 0)
        try:
            with _progress(job, tally) if visible else contextlib.nullcontext() as show:
                async with job:
                    async for step in job:
                        tally.add(step)
                        if show is not None:
                            show.update()
        except EmocolorError as error:
            if interruption.signal is None or not (interruption.dropped or isinstance(error.__cause__, STALLS)):
                raise
            say(DROPPED if interruption.dropped else f"stopped: {error} The rest is dropped.")
            return 128 + interruption.signal
        if interruption.dropped:
            say(DROPPED)
            return 128 + (interruption.signal or 0)
        return _conclude(job, tally, interruption.signal, visible)


def _conclude(job: Job, tally: Tally, signal_number: int | None, visible: bool) -> int:
    """Say what was done and return the exit code."""
    per_frame = (f"{name} {1000 * seconds / max(1, tally.frames):.2f}" for name, seconds in job.cpu_seconds.items())
    log.info("ms of the CPU a frame, by stage: %s", ", ".join(per_frame))
    for warning in [*_warnings(job), *unseen(job.settings.effects, seen=tally.seen)]:
        say(f"warning: {warning}")
    target = target_of(job.settings)
    if signal_number is not None:
        say(f"stopped: {target} is whole and holds the first {tally.media_seconds:.2f} s ({tally.frames} frames).")
        return 128 + signal_number
    if job.damage.any:
        say(damage_warning(job.damage))
        return EXIT_DAMAGED
    if visible:
        say(summary_of(job.settings, tally))
    return 0


def damage_warning(damage: Damage) -> str:
    return f"warning: the input is damaged: {damage.text}. The rest was processed."


def summary_of(settings: JobSettings, tally: Tally) -> str:
    """What was done, and how fast."""
    speed, analysis = tally.media_seconds / tally.seconds, settings.analysis
    analysed = f", {tally.analyses} analysed by {analysis.net}," if analysis else ""
    return (
        f"{target_of(settings)}: {tally.frames} frames{analysed} "
        f"in {tally.seconds:.1f} s ({tally.frames / tally.seconds:.0f} fps, {speed:.1f}x real time)"
    )


def target_of(settings: JobSettings) -> str:
    """What the job writes, for messages."""
    if settings.output is None:
        return str(settings.timeline)
    return "standard output" if is_standard_stream(settings.output) else display_name(settings.output)


def unseen(effects: Sequence[ChainItem], *, seen: bool) -> list[str]:
    """That effects which follow emotions and leave frames as they are without one had none to follow."""
    waiting = list(unseen_followers(effects))
    if seen or not waiting:
        return []
    hint = " --style EMOTION paints in a style of your choice." if "style" in waiting else ""
    return [f"No face was seen, so there was no emotion for {' and '.join(waiting)} to follow.{hint}"]


def _warnings(job: Job) -> list[str]:
    """What a user should know about the input and the output, each once."""
    warnings = [*job.source.warnings, *job.warnings]
    if job.sink is not None:
        left_out = job.info.left_out
        warnings += [f"Left out of the output: {', '.join(left_out)}."] if left_out else []
        warnings += job.sink.warnings
    return [with_flags(warning) for warning in dict.fromkeys(warnings)]


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
        task = progress.add_task("", total=job.info.duration, fps=0.0, speed=0.0, seen="")
        yield _Bar(progress, task, job, tally)


class _Bar:
    """Shows the tally, some times a second."""

    def __init__(self, progress: "Progress", task: "TaskID", job: Job, tally: Tally) -> None:
        self._progress, self._task = progress, task
        self._job, self._tally = job, tally
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
            total=self._job.source.duration,
            completed=tally.media_seconds,
            fps=tally.frames / tally.seconds,
            speed=tally.media_seconds / tally.seconds,
            seen=f"{people}, {tally.emotion}" if tally.emotion else people,
        )


def print_plan(settings: JobSettings, *, pieces: Path | None = None) -> None:
    """Print what a job would do, from its input's properties and its settings, and write nothing.

    ``pieces``: the folder of those in which it is rendered.
    """
    job = Job(settings)
    try:
        for line in _plan(job):
            show(line)
        if pieces is not None:
            show(f"pieces    {pieces}: from there the same command goes on")
    finally:
        job.discard()


def _plan(job: Job) -> Iterator[str]:
    info, settings = job.info, job.settings
    length = f"{info.duration:.2f} s" if info.duration else "unknown length"
    rate = f"{float(info.frame_rate):.3f} fps" if info.frame_rate else "variable rate"
    yield f"input     {info.location}: {info.codec}, {info.width}x{info.height} {info.pix_fmt}, {rate}, {length}"
    if settings.analysis is not None:
        yield from map(_plan_line, (settings.analysis, settings.smoothing))
    if settings.restoration.is_needed:
        yield _plan_line(settings.restoration)
    yield from map(_plan_line, settings.effects)
    if settings.compare:
        yield "compare   the left half as it came in"
    if job.sink is not None:
        yield f"output    {target_of(settings)}: {job.sink.summary}"
    if settings.timeline is not None:
        yield f"timeline  {settings.timeline}"
    if settings.strip is not None:
        yield f"strip     {settings.strip}"
    for warning in _warnings(job):
        yield f"warning   {warning}"


def _plan_line(group: object) -> str:
    """A group of options, or an effect of the user's own, on one line."""
    if isinstance(group, Options):
        values = (f"{one.flag} {one.text(getattr(group, one.name))}" for one in options_of(type(group)))
        return f"{group.section:<9} {', '.join(values)}".rstrip()
    return f"effect    {type(group).__module__}:{type(group).__qualname__}"
