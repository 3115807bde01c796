"""Give gray footage natural colours that stay stable, and leave its luma as it is, bit for bit.

A colorizer looks at a small copy of the frame a few times a second and says a colour for every point of a
coarse map. In between and across its changes of mind colours travel with the motion of the frame
(:mod:`emocolor.chroma.stabilizer`), and they are brought to the resolution of the chroma planes along the edges
of luma (:mod:`emocolor.chroma.guided`). Only the chroma planes are written.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import GrayImage, Map
from ..chroma.conversion import chroma_of
from ..chroma.guided import guided_upsample
from ..chroma.reference import PaletteShift, ReferenceOptions
from ..chroma.stabilizer import ChromaEstimate, ShotStabilizer, StabilizerOptions
from ..color import code_range
from ..frames import Frame, Matrix, Plane, gray_levels
from ..options import EffectOptions, Need, Spelling, option
from ..protocols import Colorizer

SHORT_SIDE = 256
"""The colorizer sees the frame with its short side at about this many pixels."""
LONGEST_SIDE = 1024
"""Where that would make the long side longer than this, the frame is scaled down further."""


@dataclass(frozen=True, kw_only=True)
class ColorizeOptions(EffectOptions):
    """How gray footage is coloured."""

    section: ClassVar[str] = "colorize"

    net: Annotated[
        str,
        option(
            "The colorizer: a shipped net, or an .onnx file with its card beside it.",
            catalog="colorizers",
            cli=Spelling(aliases=("colorizer",), short="", metavar="NAME|FILE"),
        ),
    ] = "film"
    rate_hz: Annotated[
        float,
        option(
            "Inferences per second of video; in between, colours travel with the motion. 0 for every frame.",
            ge=0,
            le=1000,
            unit="Hz",
            cli=Spelling(flag="rate", short="", aliases=("color-rate",)),
        ),
    ] = 3.0
    vividness: Annotated[
        float, option("From the safest colours the net knows (0) to the boldest (1).", ge=0, le=1, step=0.01, live=True)
    ] = 0.3
    saturation: Annotated[
        float, option("Multiplies the colours' distance from gray.", ge=0, le=3, step=0.05, live=True)
    ] = 1.0
    warmth: Annotated[
        float, option("Moves colours toward orange (1) or blue (-1).", ge=-1, le=1, step=0.05, live=True)
    ] = 0.0
    reference: Annotated[
        ReferenceOptions | None,
        option(
            "Photo whose palette the colours move toward, before saturation and warmth.",
            cli=Spelling(metavar="PHOTO"),
        ),
    ] = None
    force: Annotated[bool, option("Give new colours to footage that is in colour already.")] = False
    history: StabilizerOptions = field(default_factory=StabilizerOptions)

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"cuts", "chroma"})

    def for_live(self) -> "ColorizeOptions":
        """Without look-ahead, and for colour cameras too: nobody can look through a live input beforehand."""
        return replace(self, history=replace(self.history, look_ahead=0), force=True)

    def limited(self, *, look_ahead: float, max_held: int) -> "ColorizeOptions":
        """With at most so many seconds of look-ahead, and so many frames held for it."""
        history = replace(self.history, look_ahead=min(self.history.look_ahead, look_ahead), max_waiting=max_held)
        return replace(self, history=history)


WARM_AB = np.array([4.0, 12.0], np.float32)
"""What warmth 1 adds to a* and b*."""


@dataclass(frozen=True, eq=False)
class ColorizerOutput:
    """A frame as a colorizer sees it, and what it said of it."""

    gray: GrayImage
    """(H, W) uint8 full range."""
    estimate: ChromaEstimate | None
    """``None`` where it did not look."""


@dataclass(frozen=True, eq=False)
class FrameChroma:
    """A frame's colours on a coarse map."""

    gray: GrayImage
    """The frame's smaller copy, (H, W) uint8 full range."""
    ab: Map
    """(h, w, 2) in CIELAB units."""


class Cadence:
    """In which frames of a video a colorizer looks: in the first of every shot, and from there ``rate_hz`` times a
    second of media time (0: in every frame)."""

    def __init__(self, rate_hz: float) -> None:
        self._pause = (1 / rate_hz if rate_hz else 0) - 1e-6
        self._due = -math.inf

    def is_due(self, time: float, *, cut: bool) -> bool:
        """Whether it looks at the frame of this time; frames must come in order. ``cut``: a new shot starts here."""
        if not cut and time < self._due:
            return False
        self._due = time + self._pause
        return True


def run_colorizer(frame: Frame, colorizer: Colorizer | None, vividness: float) -> ColorizerOutput:
    """The frame's small copy and, with a colorist, what it says of the frame as it is shown, upright, turned back to
    how it is stored."""
    gray = small_gray(frame)
    if colorizer is None:
        return ColorizerOutput(gray, None)
    turns = frame.rotation // 90
    found = colorizer.estimate(np.ascontiguousarray(np.rot90(gray, -turns)), vividness)
    ab, confidence = (np.ascontiguousarray(np.rot90(part, turns)) for part in (found.ab, found.confidence))
    return ColorizerOutput(gray, ChromaEstimate(ab=ab, confidence=confidence))


class ChromaStabilizer:
    """The colours of one video's frames, in order, stabilized within its shots. Not for two threads at once."""

    def __init__(self, options: ColorizeOptions) -> None:
        self._options = options
        self._history: ShotStabilizer | None = None
        self._waiting: deque[tuple[float, GrayImage]] = deque()
        self._palette = None if options.reference is None else PaletteShift(options.reference)

    def add(self, time: float, output: ColorizerOutput, *, cut: bool) -> Iterator[FrameChroma]:
        """Take the next frame's sketch and give the colours of those frames that need not wait longer, in order.

        ``cut``: a new shot starts with this frame. A shot's first frame must have been looked at.
        """
        if cut or self._history is None:
            yield from self.end()
            self._history = ShotStabilizer(self._options.history)
        self._waiting.append((time, output.gray))
        for ab in self._history.add(time, output.gray, output.estimate):
            yield self._finished(ab)

    def end(self) -> Iterator[FrameChroma]:
        """The colours of the frames that still wait; a new shot starts with the next."""
        if self._history is not None:
            for ab in self._history.end():
                yield self._finished(ab)
            self._history = None

    def _finished(self, ab: Map) -> FrameChroma:
        time, gray = self._waiting.popleft()
        if self._palette is not None:
            ab = self._palette.apply(time, gray, ab)
        ab = ab * np.float32(self._options.saturation) + WARM_AB * np.float32(self._options.warmth)
        return FrameChroma(gray, ab)


class Colorize:
    """Colours the frames of one video, in order: all steps in one. Not for two threads at once."""

    def __init__(self, options: ColorizeOptions, colorizer: Colorizer) -> None:
        self.options = options
        self._colorist = colorizer
        self._cadence = Cadence(options.rate_hz)
        self._held = ChromaStabilizer(options)
        self._waiting: deque[Frame] = deque()

    def add(self, frame: Frame, *, cut: bool) -> Iterator[Frame]:
        """Take the next frame, whose chroma planes may be written, and give those that are done, in order.

        ``cut``: a new shot starts with this frame.
        """
        is_due = self._cadence.is_due(frame.time, cut=cut)
        output = run_colorizer(frame, self._colorist if is_due else None, self.options.vividness)
        self._waiting.append(frame)
        for colors in self._held.add(frame.time, output, cut=cut):
            yield self._painted(colors)

    def end(self) -> Iterator[Frame]:
        """The frames that still wait; a new shot starts with the next."""
        self._cadence = Cadence(self.options.rate_hz)
        for colors in self._held.end():
            yield self._painted(colors)

    def _painted(self, colors: FrameChroma) -> Frame:
        frame = self._waiting.popleft()
        write_chroma(frame, colors.gray, colors.ab)
        return frame


def small_gray(frame: Frame) -> GrayImage:
    """The frame as a colorizer sees it: (H, W) uint8 full range, sides multiples of 32."""
    width, height = small_size(*frame.size_wh)
    small: Plane = cv2.resize(frame.luma, (width, height), interpolation=cv2.INTER_AREA)
    return gray_levels(small, frame.color, frame.format.bits)


def small_size(width: int, height: int) -> tuple[int, int]:
    """Width and height, multiples of 32, of the copy that a colorizer sees."""
    scale = min(SHORT_SIDE / min(width, height), LONGEST_SIDE / max(width, height))
    return max(32, round(width * scale / 32) * 32), max(32, round(height * scale / 32) * 32)


def write_chroma(frame: Frame, gray: GrayImage, ab: Map) -> None:
    """Write the colours ``ab`` (h, w, 2) of a coarse map into the chroma planes of ``frame``; luma is only read.

    ``gray`` is a smaller copy of the frame, of any size.
    """
    chroma = frame.chroma
    assert chroma is not None, frame.format
    depth, color = frame.format.bits, frame.color
    fine_wh = chroma[0].shape[1], chroma[0].shape[0]
    black, span, middle, chroma_span = code_range(color, depth)
    fine = cv2.resize(frame.luma, fine_wh, interpolation=cv2.INTER_AREA)
    levels = ((fine.astype(np.float32) - np.float32(black)) / np.float32(span)).clip(0, 1)
    codes = _codes(fine_chroma(levels, gray, ab, color.matrix), middle, chroma_span, depth)
    for plane, values in zip(chroma, np.moveaxis(codes, 2, 0), strict=True):
        plane[...] = values


def fine_chroma(levels: Map, gray: GrayImage, ab: Map, matrix: Matrix) -> Map:
    """Cb and Cr (H, W, 2) in about [-0.5, 0.5] of a frame's levels (H, W) in [0, 1], along its edges.

    ``gray`` is a smaller copy of the frame, of any size, and ``ab`` (h, w, 2) its colours.
    """
    coarse = np.asarray(cv2.resize(gray, (ab.shape[1], ab.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    guide = coarse.astype(np.float32) / np.float32(255)
    return guided_upsample(chroma_of(coarse, ab, matrix), guide, levels)


def _codes(chroma: NDArray[np.float32], middle: float, span: float, depth: int) -> NDArray[np.float32]:
    """Chroma in [-0.5, 0.5] as whole code values inside the legal range."""
    low, high = middle - span / 2, min(middle + span / 2, (1 << depth) - 1)
    codes: NDArray[np.float32] = np.rint((chroma * np.float32(span) + np.float32(middle)).clip(low, high))
    return codes
