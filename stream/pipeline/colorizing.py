"""Colorization stages: from gray frames to stable chroma planes.

predict_chroma -> stabilize_chroma -> apply_chroma
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import Final

from emocolor.effects.colorize import (
    Cadence,
    ChromaStabilizer,
    ColorizeOptions,
    ColorizerOutput,
    FrameChroma,
    run_colorizer,
    write_chroma,
)
from emocolor.frames import Frame
from emocolor.protocols import Colorizer

from .parallel import ordered_parallel_map
from .rendering import with_chroma_planes
from .steps import Pending, Step

FIRST_FRAMES: Final = 25
"""Units that are held to detect whether a source that cannot be sampled beforehand is in colour."""


def predict_chroma(
    steps: Iterable[Step],
    make_colorizer: Callable[[], Colorizer],
    options: ColorizeOptions,
    leave: Callable[[Sequence[Frame]], bool] | None = None,
    workers: int = 1,
) -> Iterator[Pending[ColorizerOutput]]:
    """Run the colorizer on the frames that are due.

    ``leave`` is called with the frames of the first ``FIRST_FRAMES`` units and decides whether the video keeps its
    colours; then no frame gets chroma. Each of ``workers`` has a colorizer and a thread of its own.
    """
    steps = iter(steps)
    if leave is not None:
        first = list(islice(steps, FIRST_FRAMES))
        steps = chain(first, steps)
        if leave([step.frame for step in first if step.frame is not None]):
            yield from map(Pending, steps)
            return
    cadence = Cadence(options.rate_hz)
    scheduled = ((step, step.frame is not None and cadence.is_due(step.frame.time, cut=step.is_cut)) for step in steps)

    def make_predictor() -> Callable[[tuple[Step, bool]], Pending[ColorizerOutput]]:
        return partial(_predicted, colorizer=make_colorizer(), vividness=options.vividness)

    yield from ordered_parallel_map(scheduled, make_predictor, workers)


def stabilize_chroma(
    predicted: Iterable[Pending[ColorizerOutput]], options: ColorizeOptions
) -> Iterator[Pending[FrameChroma]]:
    """Stabilize the chroma of every frame that went through the colorizer; frames are held for look-ahead."""
    stabilizer = ChromaStabilizer(options)
    waiting: deque[Pending[ColorizerOutput]] = deque()
    for pending in predicted:
        waiting.append(pending)
        step = pending.step
        if step.frame is not None and pending.payload is not None:
            for chroma in stabilizer.add(step.frame.time, pending.payload, cut=step.is_cut):
                yield from _up_to_chroma(waiting, chroma)
        yield from _without_output(waiting)
    for chroma in stabilizer.end():
        yield from _up_to_chroma(waiting, chroma)
    yield from (Pending(pending.step) for pending in waiting)


def apply_chroma(stabilized: Iterable[Pending[FrameChroma]]) -> Iterator[Step]:
    """Write the chroma of every frame that has some into planes of its own."""
    for pending in stabilized:
        step, chroma = pending.step, pending.payload
        if step.frame is None or chroma is None:
            yield step
            continue
        frame = with_chroma_planes(step.frame)
        write_chroma(frame, chroma.gray, chroma.ab)
        yield replace(step, unit=replace(step.unit, frame=frame))


def _predicted(scheduled: tuple[Step, bool], *, colorizer: Colorizer, vividness: float) -> Pending[ColorizerOutput]:
    step, is_due = scheduled
    if step.frame is None:
        return Pending(step)
    return Pending(step, run_colorizer(step.frame, colorizer if is_due else None, vividness))


def _up_to_chroma(waiting: deque[Pending[ColorizerOutput]], chroma: FrameChroma) -> Iterator[Pending[FrameChroma]]:
    """The steps up to the first that went through the colorizer, which gets the chroma."""
    yield from _without_output(waiting)
    yield Pending(waiting.popleft().step, chroma)


def _without_output(waiting: deque[Pending[ColorizerOutput]]) -> Iterator[Pending[FrameChroma]]:
    while waiting and waiting[0].payload is None:
        yield Pending(waiting.popleft().step)
