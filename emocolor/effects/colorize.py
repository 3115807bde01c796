"""Give gray footage natural, stable colours, and keep its luma bit for bit.

A colorizer predicts the colours of a small copy of the frame, on a coarse map, a few times per second. In between, and
whenever its output changes, colours are carried along the optical flow (:mod:`emocolor.chroma.stabilizer`). They are
scaled up to the chroma planes along the edges of luma (:mod:`emocolor.chroma.guided`). Only the chroma planes are
written.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import AbMap, ChromaMap, GrayImage, Levels
from ..chroma.conversion import chroma_of
from ..chroma.guided import guided_upsample
from ..chroma.reference import PaletteShift, ReferenceOptions
from ..chroma.stabilizer import ChromaEstimate, ShotStabilizer, StabilizerOptions
from ..color import code_range
from ..frames import Frame, Matrix, Plane, gray_levels
from ..options import EffectOptions, Need, Spelling, fraction, option
from ..protocols import Colorizer

INPUT_SHORT_SIDE = 256
"""Short side of the colorizer's input, about, in pixels."""
INPUT_MAX_SIDE = 1024
"""Longest side of the input: frames that would exceed it are scaled down further."""


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
    vividness: Annotated[float, fraction("From the safest colours the net knows (0) to the boldest (1).")] = 0.3
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
    stabilization: StabilizerOptions = field(default_factory=StabilizerOptions)

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"cuts", "chroma"})

    def for_live(self) -> "ColorizeOptions":
        """Without look-ahead, and for input in colour too: live input cannot be examined beforehand."""
        return replace(self, stabilization=replace(self.stabilization, look_ahead=0), force=True)

    def limited(self, *, look_ahead: float, max_held: int) -> "ColorizeOptions":
        """With at most ``look_ahead`` seconds of look-ahead, and at most ``max_held`` frames that wait for it."""
        now = self.stabilization
        return replace(
            self, stabilization=replace(now, look_ahead=min(now.look_ahead, look_ahead), max_waiting=max_held)
        )


WARM_AB = np.array([4.0, 12.0], np.float32)
"""Added to a* and b* at warmth 1."""


@dataclass(frozen=True, eq=False)
class ColorizerOutput:
    """A colorizer's input and output for one frame."""

    gray: GrayImage
    """(H, W) uint8 full range."""
    estimate: ChromaEstimate | None
    """``None`` if the colorizer did not run on this frame."""


@dataclass(frozen=True, eq=False)
class FrameChroma:
    """The colours of one frame, on a coarse map."""

    gray: GrayImage
    """The frame's smaller copy, (H, W) uint8 full range."""
    ab: AbMap


class Cadence:
    """The frames of a video on which a colorizer runs: the first of every shot, then ``rate_hz`` per second.

    Seconds are media time; a rate of 0 means every frame.
    """

    def __init__(self, rate_hz: float) -> None:
        self._pause = (1 / rate_hz if rate_hz else 0) - 1e-6  # times are rounded to their time base
        self._due = -math.inf

    def is_due(self, time: float, *, cut: bool) -> bool:
        """Whether the colorizer runs on the frame at ``time``. Frames come in order; ``cut``: a new shot starts."""
        if not cut and time < self._due:
            return False
        self._due = time + self._pause
        return True


def run_colorizer(frame: Frame, colorizer: Colorizer | None, vividness: float) -> ColorizerOutput:
    """Make the colorizer's input and, if ``colorizer`` is given, run it.

    The colorizer sees the frame upright, as a player shows it; its output is turned back to the stored orientation.
    """
    gray = colorizer_input(frame)
    if colorizer is None:
        return ColorizerOutput(gray, None)
    turns = frame.rotation // 90
    estimate = colorizer.estimate(np.ascontiguousarray(np.rot90(gray, -turns)), vividness)
    ab, confidence = (np.ascontiguousarray(np.rot90(part, turns)) for part in (estimate.ab, estimate.confidence))
    return ColorizerOutput(gray, ChromaEstimate(ab=ab, confidence=confidence))


class ChromaStabilizer:
    """Stabilizes the colours of one video's frames, shot by shot. Not thread-safe."""

    def __init__(self, options: ColorizeOptions) -> None:
        self._options = options
        self._shot: ShotStabilizer | None = None
        self._waiting: deque[tuple[float, GrayImage]] = deque()
        self._palette = None if options.reference is None else PaletteShift(options.reference)

    def add(self, time: float, output: ColorizerOutput, *, cut: bool) -> Iterator[FrameChroma]:
        """Take the colorizer's output for the next frame; yield the colours of frames that need not wait any longer.

        Frames stay in order. ``cut``: a new shot starts with this frame. The colorizer must have run on a shot's first
        frame.
        """
        if cut or self._shot is None:
            yield from self.end()
            self._shot = ShotStabilizer(self._options.stabilization)
        self._waiting.append((time, output.gray))
        for ab in self._shot.add(time, output.gray, output.estimate):
            yield self._recolored(ab)

    def end(self) -> Iterator[FrameChroma]:
        """Yield the colours of all frames that still wait; the next frame starts a new shot."""
        if self._shot is not None:
            for ab in self._shot.end():
                yield self._recolored(ab)
            self._shot = None

    def _recolored(self, ab: AbMap) -> FrameChroma:
        time, gray = self._waiting.popleft()
        if self._palette is not None:
            ab = self._palette.apply(time, gray, ab)
        ab = ab * np.float32(self._options.saturation) + WARM_AB * np.float32(self._options.warmth)
        return FrameChroma(gray, ab)


class Colorize:
    """Colours the frames of one video, in order: all steps in one object. Not thread-safe."""

    def __init__(self, options: ColorizeOptions, colorizer: Colorizer) -> None:
        self.options = options
        self._colorizer = colorizer
        self._cadence = Cadence(options.rate_hz)
        self._stabilizer = ChromaStabilizer(options)
        self._waiting: deque[Frame] = deque()

    def add(self, frame: Frame, *, cut: bool) -> Iterator[Frame]:
        """Take the next frame, whose chroma planes may be written, and yield finished frames, in order.

        ``cut``: a new shot starts with this frame.
        """
        is_due = self._cadence.is_due(frame.time, cut=cut)
        output = run_colorizer(frame, self._colorizer if is_due else None, self.options.vividness)
        self._waiting.append(frame)
        for colors in self._stabilizer.add(frame.time, output, cut=cut):
            yield self._with_chroma(colors)

    def end(self) -> Iterator[Frame]:
        """Yield all frames that still wait; the next frame starts a new shot."""
        self._cadence = Cadence(self.options.rate_hz)
        for colors in self._stabilizer.end():
            yield self._with_chroma(colors)

    def _with_chroma(self, colors: FrameChroma) -> Frame:
        frame = self._waiting.popleft()
        write_chroma(frame, colors.gray, colors.ab)
        return frame


def colorizer_input(frame: Frame) -> GrayImage:
    """The frame as a colorizer's input: gray (H, W) uint8 full range, sides multiples of 32."""
    width, height = colorizer_input_size(*frame.size_wh)
    small: Plane = cv2.resize(frame.luma, (width, height), interpolation=cv2.INTER_AREA)
    return gray_levels(small, frame.color, frame.format.bits)


def colorizer_input_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of a colorizer's input, multiples of 32."""
    scale = min(INPUT_SHORT_SIDE / min(width, height), INPUT_MAX_SIDE / max(width, height))
    return max(32, round(width * scale / 32) * 32), max(32, round(height * scale / 32) * 32)


def write_chroma(frame: Frame, gray: GrayImage, ab: AbMap) -> None:
    """Write the colours ``ab`` (h, w, 2) of a coarse map to the chroma planes of ``frame``; luma is only read.

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


def fine_chroma(levels: Levels, gray: GrayImage, ab: AbMap, matrix: Matrix) -> ChromaMap:
    """Cb and Cr (H, W, 2) for a frame's luma levels (H, W) in [0, 1]; colours follow its edges.

    ``gray`` is a smaller copy of the frame, of any size, and ``ab`` (h, w, 2) its colours.
    """
    coarse = np.asarray(cv2.resize(gray, (ab.shape[1], ab.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    guide = coarse.astype(np.float32) / np.float32(255)
    return guided_upsample(chroma_of(coarse, ab, matrix), guide, levels)


def _codes(chroma: ChromaMap, middle: float, span: float, depth: int) -> NDArray[np.float32]:
    """Chroma in [-0.5, 0.5] as whole code values, clipped to the legal range."""
    low, high = middle - span / 2, min(middle + span / 2, (1 << depth) - 1)
    codes: NDArray[np.float32] = np.rint((chroma * np.float32(span) + np.float32(middle)).clip(low, high))
    return codes
