"""Interlaced frames, two moments woven line by line, made whole again.

Whether a film is interlaced is measured, as flags are often wrong in both directions. What is done about it
happens in FFmpeg: ``fieldmatch`` puts together the two fields of one film frame where both are there (film
that was transferred to video by pulldown, or a field late, comes back exactly), and ``bwdif`` interpolates
where they are not. Each gives one frame for one frame. Matching is for frames of 8 bits only.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

import av
import numpy as np
from numpy.typing import NDArray

from emocolor.frames import Frame, Plane

from ..media.frames import convert, frame_from_av, frame_to_av, with_neutral_chroma

FieldOrder = Literal["top first", "bottom first"]

LOOK_AHEAD_SECONDS: Final = 0.4
"""Media time after a frame that is looked at before it is decided upon."""
MOST_HELD: Final = 16
"""Most frames that wait for those after them, at whatever frame rate."""
MEMORY_SECONDS: Final = 1.0
"""Evidence fades by ``exp(-t / MEMORY_SECONDS)``."""
INTERLACED_FROM: Final = 0.15
"""Asymmetry per motion from which frames are interlaced; see :class:`FieldDetector`."""
PROGRESSIVE_TO: Final = 0.08
"""The same up to which they are progressive; in between the verdict stays what it was."""
LEAST_MOTION: Final = 1.0
"""Motion without which nothing can be told."""
SAMPLED_COLUMNS: Final = 160
SMALLEST_SIDE: Final = 8
"""FFmpeg's filters refuse frames not much smaller."""
MATCHED_BITS: Final = 8
"""The one depth that FFmpeg matches fields in; frames of others are interpolated, all of them."""
MATCHING: Final = {"mode": "pc_n", "combmatch": "full", "cthresh": "6", "combpel": "40"}
"""FFmpeg's names; the thresholds are lower than its own, which miss combs that compression softened."""
FILTERED_AS: Final = {"nv12": "yuv420p", "nv16": "yuv422p", "yuv440p": "yuv444p"}
"""What FFmpeg's filters see instead of forms that they do not take."""

Lines = NDArray[np.int16]


class FieldDetector:
    """Tells from luma whether the frames of a shot are interlaced, and which field comes first.

    Where a thing moves, lines of two moments do not fit together. As FFmpeg's ``idet`` does, the fields of a
    frame are woven with those of its neighbours: in interlaced material those next to each other in time
    fit better than the others, in progressive material both alike. The logarithm of their ratio, the
    asymmetry, is summed over about a second and set against motion: how much worse the worse of the two fits
    than the frame's own fields. ``idet`` looks at the asymmetry alone.

    Measured on 21 progressive clips, old film among them, asymmetry per motion stays below 0.12, and below
    0.03 in 99.6 % of the frames. 0.10 is a test pattern that moves along even lines; ``idet`` calls every
    frame of it interlaced. Interlaced and pulled-down versions of 8 of the clips have medians of 0.5 to 0.9,
    coded as fields (x264, crf 23 and 30, 4 of them) 0.17 to 0.7, coded as if progressive 0.3 to 0.7 at crf 23;
    at crf 30 three of these fall below the threshold, where the codec blurred the combs.
    """

    order: FieldOrder | None
    """The field that comes first, or ``None`` for progressive."""

    def __init__(self) -> None:
        self.order = None
        self._recent: deque[Lines] = deque(maxlen=3)
        self._asymmetry, self._motion = 0.0, 0.0
        self._time: float | None = None

    def add(self, frame: Frame) -> None:
        """Take the shot's next frame into account."""
        self._recent.append(_sampled(frame.luma, frame.format.bits))
        gap = 0.0 if self._time is None else frame.time - self._time
        self._time = frame.time
        if len(self._recent) < 3 or len(self._recent[0]) < SMALLEST_SIDE:
            return
        fade = math.exp(-max(gap, 0.0) / MEMORY_SECONDS)
        asymmetry, motion = field_evidence(*self._recent)
        self._asymmetry = fade * self._asymmetry + asymmetry
        self._motion = fade * self._motion + motion
        self._decide()

    def _decide(self) -> None:
        if self._motion < LEAST_MOTION:
            return
        ratio = self._asymmetry / self._motion
        if abs(ratio) >= INTERLACED_FROM:
            self.order = "top first" if ratio > 0 else "bottom first"
        elif abs(ratio) <= PROGRESSIVE_TO:
            self.order = None


def field_evidence(before: Lines, here: Lines, after: Lines) -> tuple[float, float]:
    """Asymmetry and motion of a frame between its neighbours, sampled lines (H, W) of one form.

    Both are logarithms of ratios of roughness, the sum of second differences down the lines of a weave:
    asymmetry is positive where the top field comes first; motion is 0 or more, and not less than asymmetry.
    """
    from_before, own, from_after = (_roughness(here, other) for other in (before, here, after))
    # Row 0 of a roughness belongs to line 1, which is of the bottom field.
    bottom, top = slice(0, None, 2), slice(1, None, 2)
    if_top_first = from_before[bottom].sum() + from_after[top].sum() + 1.0
    if_bottom_first = from_before[top].sum() + from_after[bottom].sum() + 1.0
    asymmetry = math.log(if_bottom_first / if_top_first)
    motion = math.log(max(if_bottom_first, if_top_first) / (own.sum() + 1.0))
    return asymmetry, max(motion, abs(asymmetry))


def _roughness(outer: Lines, middle: Lines) -> NDArray[np.float64]:
    """How little each line of ``middle`` but the first and last fits between its neighbours in ``outer``, (H - 2,)."""
    bend = outer[:-2] + outer[2:] - 2 * middle[1:-1]
    return np.asarray(np.abs(bend, out=bend).sum(axis=1, dtype=np.float64))


def _sampled(luma: Plane, bits: int) -> Lines:
    """Some of the columns in at most 12 bits, an even number of lines."""
    height, width = luma.shape
    columns = luma[: height // 2 * 2, :: max(1, width // SAMPLED_COLUMNS)]
    return (columns >> max(0, bits - 12)).astype(np.int16)


class Deinterlacer:
    """Makes interlaced shots progressive, frame for frame, and leaves others as they are, bit for bit.

    On film pulled down to video without loss the film's own frames come back; interpolating alone comes
    within 46 to 51 dB of them. Not for two threads at once.
    """

    def __init__(self, *, always: bool = False) -> None:
        """``always`` takes every shot for interlaced; its order is measured, or as flagged where that fails."""
        self._always = always
        self._detector = FieldDetector()
        self._waiting: deque[Frame] = deque()
        self._weaver: _FieldGraph | None = None
        self._order: str | None = None

    def add(self, frame: Frame) -> Iterator[Frame]:
        """Take the shot's next frame, and give those that are done, in order."""
        self._detector.add(frame)
        self._waiting.append(frame)
        while self._waiting[0].time <= frame.time - LOOK_AHEAD_SECONDS or len(self._waiting) > MOST_HELD:
            yield from self._next()

    def end(self) -> Iterator[Frame]:
        """The frames that are still here; what is added after belongs to another shot."""
        while self._waiting:
            yield from self._next()
        yield from self._close()
        self._detector = FieldDetector()

    def _next(self) -> Iterator[Frame]:
        frame = self._waiting.popleft()
        order = self._order_for(frame)
        if order != self._order:
            yield from self._close()
            self._order = order
        if order is None:
            yield frame
            return
        if self._weaver is None:
            self._weaver = _FieldGraph(frame, order)
        yield from self._weaver.add(frame)

    def _order_for(self, frame: Frame) -> str | None:
        """FFmpeg's name of the order, or ``None`` for a frame to be left alone."""
        if min(frame.size_wh) < SMALLEST_SIDE:
            return None
        match self._detector.order:
            case "top first":
                return "tff"
            case "bottom first":
                return "bff"
        return "auto" if self._always else None

    def _close(self) -> Iterator[Frame]:
        if self._weaver is not None:
            yield from self._weaver.end()
            self._weaver = None


class _FieldGraph:
    """FFmpeg's field matching and interpolation, for frames of one form."""

    def __init__(self, first: Frame, order: str) -> None:
        """``order``: FFmpeg's name of it, or ``auto`` for what each frame's flags say."""
        frame = _filterable(first)
        self._graph = graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        matching = first.format.bits == MATCHED_BITS
        match = [graph.add("fieldmatch", order=order, **MATCHING)] if matching else []
        deint = "interlaced" if matching else "all"  # matched frames are marked as progressive
        interpolate = graph.add("bwdif", mode="send_frame", parity=order, deint=deint)
        graph.link_nodes(source, *match, interpolate, graph.add("buffersink")).configure()
        self._inside: deque[Frame] = deque()

    def add(self, frame: Frame) -> Iterator[Frame]:
        self._inside.append(frame)
        self._graph.vpush(_filterable(frame))
        yield from self._pull()

    def end(self) -> Iterator[Frame]:
        self._graph.vpush(None)
        yield from self._pull()
        assert not self._inside, f"FFmpeg's filters lost {len(self._inside)} frames"

    def _pull(self) -> Iterator[Frame]:
        while self._inside:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield _with_frame(self._inside.popleft(), frame)


def _filterable(frame: Frame) -> av.VideoFrame:
    """The frame's frame in a form that FFmpeg's filters take; converting it by itself FFmpeg may change its range."""
    av_frame = frame_to_av(with_neutral_chroma(frame) if frame.format.chroma == "none" else frame)
    form = FILTERED_AS.get(frame.format.name)
    return av_frame if form is None else convert(av_frame, frame.color, form)


def _with_frame(frame: Frame, av_frame: av.VideoFrame) -> Frame:
    """The frame with its planes in ``av_frame``, which the filters gave; gray frames have their luma there."""
    if frame.format.name in FILTERED_AS:
        av_frame = convert(av_frame, frame.color, frame.format.name)
    return replace(frame, planes=frame_from_av(av_frame).planes[: len(frame.planes)], handle=av_frame)
