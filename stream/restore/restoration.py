"""Old footage put in order before it is coloured: fields made whole, flicker evened out, grain taken away.

    deinterlace -> deflicker -> denoise

In this order: exposure is told from whole frames, and grain by comparing frames of one exposure. Each
shot is treated by itself, so that nothing of a frame gets across a cut.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Protocol

from emocolor.cuts import CutDetector
from emocolor.frames import ColorSpec, Frame, PixelFormat
from emocolor.options import Options, option
from emocolor.restoration.flicker import FlickerFilter
from emocolor.restoration.grain import GrainFilter

from ..media.frames import frame_to_av, planes_of
from ..media.source import MediaUnit
from .interlacing import Deinterlacer

Deinterlacing = Literal["auto", "on", "off"]
_Form = tuple[PixelFormat, tuple[int, int], ColorSpec]


@dataclass(frozen=True, kw_only=True)
class RestorationOptions(Options):
    """What is done to old footage before it is analysed or recoloured."""

    section: ClassVar[str] = "restoration"

    deinterlace: Annotated[
        Deinterlacing, option("Make interlaced frames progressive: where they are found, everywhere, or nowhere.")
    ] = "off"
    denoise: Annotated[float, option("How much grain is taken out of luma; 0.5 suits most film.", ge=0, le=1)] = 0.0
    deflicker: Annotated[bool, option("Even out exposure that varies from frame to frame.")] = False

    @property
    def is_needed(self) -> bool:
        """Whether anything is done."""
        return self != RestorationOptions()


class ShotFilter(Protocol):
    """Works on one shot after the other, and gives as many frames as it takes, in order."""

    def add(self, frame: Frame) -> Iterator[Frame]:
        """Take the shot's next frame, and give those that are done."""

    def end(self) -> Iterator[Frame]:
        """The frames that are still held; what is added after belongs to another shot."""


def restore(units: Iterable[MediaUnit], options: RestorationOptions) -> Iterator[MediaUnit]:
    """The same units with their frames restored: as many, at the same times, with the packets they came with.

    A frame that nothing is done to is the same object. Others have new luma, and new chroma where fields
    were made whole; the frames they come from are used up. While what follows a frame counts too it is held
    back, at 25 frames a second 21 frames at most, and each shot is over where the next begins.
    """
    filters = make_filters(options)
    cuts = CutDetector()
    waiting: deque[MediaUnit] = deque()
    form: _Form | None = None
    for unit in units:
        if unit.frame is not None:
            cut = cuts.is_cut(unit.frame)
            if cut or _form(unit.frame) != form:
                yield from _merged(waiting, _end(filters))
            form = _form(unit.frame)
        waiting.append(unit)
        done = iter(()) if unit.frame is None else _through(filters, unit.frame)
        yield from _merged(waiting, done)
    yield from _merged(waiting, _end(filters))


def make_filters(options: RestorationOptions) -> list[ShotFilter]:
    """The filters that the options ask for, in the order they apply."""
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


def _merged(waiting: deque[MediaUnit], frames: Iterator[Frame]) -> Iterator[MediaUnit]:
    """The waiting units whose frames are done, with those, and the units without a frame among them."""
    for frame in frames:
        yield from _without_frame(waiting)
        unit = waiting.popleft()
        yield unit if frame is unit.frame else replace(unit, frame=_settled(frame))
    yield from _without_frame(waiting)


def _without_frame(waiting: deque[MediaUnit]) -> Iterator[MediaUnit]:
    while waiting and waiting[0].frame is None:
        yield waiting.popleft()


def _settled(frame: Frame) -> Frame:
    """The frame with its planes in its frame's own memory, so that it can be made writable further on."""
    av_frame = frame_to_av(frame)
    return replace(frame, planes=planes_of(av_frame, frame.format), handle=av_frame)


def _form(frame: Frame) -> _Form:
    """What must be the same for the filters to work on frames together."""
    return frame.format, frame.size_wh, frame.color
