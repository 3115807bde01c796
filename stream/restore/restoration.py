"""Restoration of old footage before it is recoloured.

    deinterlace -> deflicker -> denoise

In this order, because exposure is measured on progressive frames, and grain by comparing frames of equal exposure. Each
shot is filtered by itself, so that nothing of a frame gets across a cut.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from emocolor.frames import ColorSpec, Frame, PixelFormat
from emocolor.restoration.flicker import FlickerFilter
from emocolor.restoration.grain import GrainFilter

from ..media.frames import frame_to_av, planes_of
from ..media.source import MediaUnit
from .interlacing import Deinterlacer
from .restoration_options import RestorationOptions

_FrameFormat = tuple[PixelFormat, tuple[int, int], ColorSpec]


class ShotFilter(Protocol):
    """Filters one shot after the other; gives as many frames as it takes, in order."""

    def add(self, frame: Frame) -> Iterator[Frame]:
        """Take the shot's next frame; the frames that are done."""

    def end(self) -> Iterator[Frame]:
        """The frames that are still held; what is added afterwards belongs to another shot."""


def restore(units: Iterable[MediaUnit], options: RestorationOptions) -> Iterator[MediaUnit]:
    """The same units with restored frames: as many, with the same times and packets.

    A frame that no filter changes is the same object. Others have new luma, and new chroma where they were
    deinterlaced; the frames that they come from are used up. Frames are held while a filter needs later ones: at most
    21 at 25 frames per second. Where a new shot begins, those of the last one are completed.
    """
    filters = make_filters(options)
    waiting: deque[MediaUnit] = deque()
    frame_format: _FrameFormat | None = None
    for unit in units:
        if unit.frame is not None:
            if unit.cut or _frame_format(unit.frame) != frame_format:
                yield from _completed(waiting, _end(filters))
            frame_format = _frame_format(unit.frame)
        waiting.append(unit)
        done = iter(()) if unit.frame is None else _through(filters, unit.frame)
        yield from _completed(waiting, done)
    yield from _completed(waiting, _end(filters))


def make_filters(options: RestorationOptions) -> list[ShotFilter]:
    """The filters that the options turn on, in the order in which they apply."""
    filters: list[ShotFilter] = []
    if options.deinterlace != "off":
        filters.append(Deinterlacer(always=options.deinterlace == "on"))
    if options.deflicker:
        filters.append(FlickerFilter())
    if options.denoise > 0:
        filters.append(GrainFilter(options.denoise))
    return filters


def _through(filters: Sequence[ShotFilter], frame: Frame) -> Iterator[Frame]:
    """What comes out of the last filter when ``frame`` goes into the first."""
    if not filters:
        yield frame
        return
    for done in filters[0].add(frame):
        yield from _through(filters[1:], done)


def _end(filters: Sequence[ShotFilter]) -> Iterator[Frame]:
    """What comes out of the last filter when the shot ends."""
    for index, each in enumerate(filters):
        for done in each.end():
            yield from _through(filters[index + 1 :], done)


def _completed(waiting: deque[MediaUnit], frames: Iterator[Frame]) -> Iterator[MediaUnit]:
    """The waiting units with the frames that are done, and the units without a frame among them."""
    for frame in frames:
        yield from _without_frame(waiting)
        unit = waiting.popleft()
        yield unit if frame is unit.frame else replace(unit, frame=_in_own_memory(frame))
    yield from _without_frame(waiting)


def _without_frame(waiting: deque[MediaUnit]) -> Iterator[MediaUnit]:
    while waiting and waiting[0].frame is None:
        yield waiting.popleft()


def _in_own_memory(frame: Frame) -> Frame:
    """The frame with its planes in its handle's memory: only then can later stages make it writable."""
    av_frame = frame_to_av(frame)
    return replace(frame, planes=planes_of(av_frame, frame.format), handle=av_frame)


def _frame_format(frame: Frame) -> _FrameFormat:
    """What frames must share for filters to combine them."""
    return frame.format, frame.size_wh, frame.color
