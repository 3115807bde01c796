"""Colour detection: is footage gray, toned, or in colour already?

Black-and-white film is often stored in colour: with a cast, with noise in its chroma, or toned in one hue or in several
(sepia, amber, shadows of one hue and highlights of another). In all of these chroma is a function of luma: a curve in
Cb and Cr over Y, with compression noise around it. So each frame's curve is fitted, as the median chroma at every level
of luma, and what it leaves unexplained is measured twice: sample by sample, and averaged over large cells. Averaging
cancels noise. The colours of objects, which are coherent over large areas, it leaves; so footage is in colour where
more is left than noise of that strength leaves.

Logos and burnt-in subtitles are far more saturated than the film around them, and small: samples that lie far from the
curve are left out unless they cover much of the frame.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color import code_range
from ..frames import Frame

COHERENCE: Final = 0.118
NOISE_EXPONENT: Final = 0.7
"""A frame is in colour if its coherent residual exceeds ``COHERENCE * total ** NOISE_EXPONENT``: the stronger the
residual, the less of it has to be coherent, because noise has its limits. A lower threshold keeps more colours and
takes more compressed tones for colour; ``python -m tests.benchmarks.color_detection`` measures both."""
MIN_COHERENT: Final = 0.0025
"""Coherent residual, about half a code of 8 bits, below which a frame counts as gray: rounding alone makes as much."""
OUTLIER: Final = 0.08
"""Distance from the curve, from which a sample is an outlier, as those of coloured text and logos are."""
MAX_OUTLIERS: Final = 0.08
"""Share of the frame that outliers may cover before they count as colour: two lines of text and a logo are 0.06."""
MIN_OUTLIERS: Final = 0.005
"""Share of the frame that outliers must cover to be worth a word."""
MIN_TONE: Final = 0.012
"""Mean distance of the curve from gray, about three codes of 8 bits, from which a frame counts as toned."""

MAX_SIZE_WH: Final = (160, 120)
"""Luma and chroma are averaged down to at most this size."""
MAX_CELLS_WH: Final = (8, 6)
MIN_CELLS_WH: Final = (4, 3)
CELL_SIDE: Final = 40
"""Least side of a cell in luma samples, while there are more than ``MIN_CELLS_WH``: cells that span several blocks of a
codec average its noise."""
LUMA_BINS: Final = 32
MIN_BIN_SAMPLES: Final = 8
"""Samples that a bin of luma needs, or a thousandth of all, if that is more."""
MIN_CELL_SHARE: Final = 0.3
"""Share of a cell's samples that must be kept for its average to count."""

Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ChromaResidual:
    """What the curve of chroma over luma leaves unexplained in one frame; chroma is in [-0.5, 0.5]."""

    total: float
    """Root mean square over samples, without outliers."""
    coherent: float
    """The same of averages over large cells."""
    outliers: float
    """Share of the samples that lie ``OUTLIER`` or more from the curve."""
    tone: float
    """Mean distance of the curve from gray."""

    @property
    def coherence(self) -> float:
        """How coherent the residual is for its strength; 0 where it is too small to be seen in 8 bits."""
        return self.coherent / self.total**NOISE_EXPONENT if self.coherent > MIN_COHERENT else 0.0

    @property
    def is_colored(self) -> bool:
        """Whether the frame is in colour."""
        return self.outliers > MAX_OUTLIERS or self.coherence > COHERENCE

    @property
    def is_toned(self) -> bool:
        """Whether the frame is gray with a tone that one sees."""
        return not self.is_colored and self.tone > MIN_TONE

    @property
    def has_overlay(self) -> bool:
        """Whether the frame is gray or toned, but for a small part in colour."""
        return not self.is_colored and self.outliers > MIN_OUTLIERS


@dataclass(frozen=True, kw_only=True)
class ColorDetection:
    """What frames sampled from footage say about all of it."""

    frames: int
    colored: int
    """Frames in colour."""
    toned: int = 0
    """Frames in gray with a tone."""
    overlaid: int = 0
    """Frames in gray, toned or not, with a small part in colour, such as a logo or subtitles."""

    @property
    def is_colored(self) -> bool:
        """Whether the footage is in colour."""
        return 0 < least_colored(self.frames) <= self.colored

    @property
    def is_toned(self) -> bool:
        """Whether the footage is gray, and toned in as many frames as would make it coloured."""
        return not self.is_colored and 0 < least_colored(self.frames) <= self.toned

    @property
    def has_overlays(self) -> bool:
        """Whether the footage is gray, and a small part is in colour in as many frames as would make it coloured."""
        return not self.is_colored and 0 < least_colored(self.frames) <= self.overlaid


def least_colored(frames: int) -> int:
    """How many of the frames must be in colour for footage in colour.

    An eighth, since colours that are there must not be lost; two of five or more, since a single frame may be taken for
    what it is not.
    """
    return max(2, math.ceil(frames / 8)) if frames >= 5 else min(frames, 1)


def detect_color(frames: Iterable[Frame]) -> ColorDetection:
    """Tell whether footage, of which ``frames`` are samples, is in colour; frames in gray formats count as gray."""
    return detection_of([chroma_residual(frame) for frame in frames])


def detection_of(residuals: Sequence[ChromaResidual]) -> ColorDetection:
    """The same from what was measured in every frame."""
    return ColorDetection(
        frames=len(residuals),
        colored=sum(one.is_colored for one in residuals),
        toned=sum(one.is_toned for one in residuals),
        overlaid=sum(one.has_overlay for one in residuals),
    )


def chroma_residual(frame: Frame) -> ChromaResidual:
    """Fit the curve of chroma over luma of one frame, and measure what it leaves."""
    if frame.chroma is None:
        return ChromaResidual(total=0.0, coherent=0.0, outliers=0.0, tone=0.0)
    luma, chroma = _small_planes(frame)
    curve = _fitted_curve(luma, chroma)
    residual = chroma - curve
    outliers = np.asarray(np.hypot(*residual) > OUTLIER)
    kept = _without_surroundings(outliers)
    return ChromaResidual(
        total=_root_mean_square(residual, kept),
        coherent=_root_mean_square(*_cell_means(residual, kept, cells_wh(*frame.size_wh))),
        outliers=float(outliers.mean()),
        tone=float(np.hypot(*curve).mean()),
    )


def cells_wh(width: int, height: int) -> tuple[int, int]:
    """Columns and rows of the cells of a frame."""
    columns, rows = (
        max(least, min(most, side // CELL_SIDE))
        for side, least, most in zip((width, height), MIN_CELLS_WH, MAX_CELLS_WH, strict=True)
    )
    return columns, rows


def _small_planes(frame: Frame) -> tuple[Map, Map]:
    """Luma (h, w) in [0, 1] and chroma (2, h, w) in [-0.5, 0.5], averaged to one size."""
    assert frame.chroma is not None
    black, span, middle, chroma_span = code_range(frame.color, frame.format.bits)
    height, width = frame.chroma[0].shape
    size_wh = min(width, MAX_SIZE_WH[0]), min(height, MAX_SIZE_WH[1])
    # Averages of luma may be rounded to codes; those of chroma hold what is looked for.
    luma = cv2.resize(np.ascontiguousarray(frame.luma), size_wh, interpolation=cv2.INTER_AREA).astype(np.float32)
    chroma = np.stack([_averaged(np.ascontiguousarray(plane).astype(np.float32), size_wh) for plane in frame.chroma])
    levels = np.asarray((luma - np.float32(black)) / np.float32(span), np.float32).clip(0, 1)
    return levels, (chroma - np.float32(middle)) / np.float32(chroma_span)


def _fitted_curve(luma: Map, chroma: Map) -> Map:
    """The curve of chroma over luma, (2, h, w): medians in bins of luma, linear in between.

    Medians follow the tone alone while text and logos cover less than half of a bin.
    """
    levels, colors = luma.ravel(), chroma.reshape(2, -1)
    bins = np.minimum((levels * LUMA_BINS).astype(np.intp), LUMA_BINS - 1)
    counts = np.bincount(bins, minlength=LUMA_BINS)
    used = np.flatnonzero(counts >= max(MIN_BIN_SAMPLES, levels.size // 1000))
    if not len(used):
        bins, counts, used = np.zeros_like(bins), np.array([levels.size]), np.array([0])
    middles = (np.cumsum(counts) - counts + counts // 2)[used]
    at = np.bincount(bins, weights=levels)[used] / counts[used]
    curve = np.empty_like(colors)
    for values, fitted in zip(colors, curve, strict=True):
        # One sort for all bins: values lie in [-0.5, 0.5], so bins that are 4 apart do not mix.
        ranked = np.sort(values + np.float32(4) * bins.astype(np.float32))
        fitted[:] = np.interp(levels, at, ranked[middles] - 4 * used)
    return curve.reshape(chroma.shape)


def _without_surroundings(outliers: NDArray[np.bool_]) -> Map:
    """1 where a sample counts, 0 at outliers and within two samples of them, where their chroma bleeds to."""
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return 1 - np.asarray(cv2.dilate(outliers.astype(np.uint8), around), np.float32)


def _cell_means(residual: Map, kept: Map, size_wh: tuple[int, int]) -> tuple[Map, Map]:
    """Averages (2, rows, columns) of the samples that are kept, and 1 for cells that hold enough of them, else 0."""
    share = _averaged(kept, size_wh)
    sums = np.stack([_averaged(component * kept, size_wh) for component in residual])
    means = sums / np.maximum(share, np.float32(1e-6))
    return np.asarray(means, np.float32), np.asarray(share > MIN_CELL_SHARE, np.float32)


def _root_mean_square(vectors: Map, weights: Map) -> float:
    """Of the lengths of ``vectors`` (2, h, w) with ``weights`` (h, w); 0 where all weights are 0."""
    total = float(weights.sum())
    return math.sqrt(float((np.square(vectors).sum(axis=0) * weights).sum()) / total) if total else 0.0


def _averaged(plane: Map, size_wh: tuple[int, int]) -> Map:
    return np.asarray(cv2.resize(plane, size_wh, interpolation=cv2.INTER_AREA), np.float32)
