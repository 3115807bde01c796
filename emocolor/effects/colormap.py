"""Colour the frame by its lightness: S1's classical maps (section III-A), as tables on the luma plane.

A map gives each gray level a colour. The luma code determines the level, so three tables on Y make a mapped frame:
code -> (Y', Cb, Cr). No frame is converted.

Subsampled chroma is looked up for every pixel and then averaged over the pixels of each chroma sample (with centred
siting; frames record no other), as if the mapped 4:4:4 frame were subsampled. Averaging luma first would halve the cost
but give chroma that no pixel has: a black line on white averages to gray, and under ``hot`` its edges would turn red.
Compared with the mapped 4:4:4 frame, that order is within 0.3 dB for smooth maps of photographic frames, but 1 to 1.5
dB worse for maps with steps (frames of four clips) and at least 2.6 dB worse for Canny's edges (of two).
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Levels
from ..color import code_range, rgb_to_codes
from ..errors import ConfigurationError
from ..faces import Scene
from ..frames import ColorSpec, Frame, PixelFormat, Plane
from ..gradients import OPENCV_MAPS, Gradient, parse_gradient
from ..options import EffectOptions, Need, Spelling, TextForm, fraction, option

Preprocess = Literal["none", "gaussian", "bilateral", "sobel", "canny", "fourier"]


def parse_band(text: str) -> tuple[float, float]:
    """A band of frequencies such as ``0-40``; either number may be left out, for no lower or no upper end.

    Raises ``ConfigurationError``.
    """
    low, dash, high = text.partition("-")
    try:
        if not dash:
            raise ValueError
        return float(low or 0), float(high or "inf")
    except ValueError:
        raise ConfigurationError(f"'{text}' is not a band; write LOW-HIGH, such as 0-40 or 4-.") from None


def _band_text(band: tuple[float, float]) -> str:
    low, high = band
    return f"{low:g}-{high:g}" if math.isfinite(high) else f"{low:g}-"


@dataclass(frozen=True, kw_only=True)
class ColormapOptions(EffectOptions):
    """Which colours, and how luma is preprocessed before the lookup."""

    section: ClassVar[str] = "colormap"

    gradient: Annotated[
        Gradient,
        option(
            "An OpenCV colormap, 'intensity', or a gradient such as '#123-#8b4513@.4-#ffe4b5'.",
            live=True,
            label="Map",
            suggestions=("intensity", *OPENCV_MAPS),
            cli=Spelling(flag="map", short="", metavar="MAP"),
            text=TextForm(parse=parse_gradient, write=lambda gradient: gradient.name),
        ),
    ] = field(default_factory=lambda: parse_gradient("turbo"))
    strength: Annotated[float, fraction("How far the mapped frame replaces the decoded one.")] = 1.0
    preprocess: Annotated[
        Preprocess,
        option("What is done to luma before it is mapped: smoothing, edges, or a band of frequencies.", live=True),
    ] = "none"
    """``gaussian`` and ``bilateral`` smooth; ``sobel`` shows the gradient (white at a step from black to white);
    ``canny`` shows white edges on black; ``fourier`` keeps a band of frequencies."""
    sigma_px: Annotated[
        float,
        option("Standard deviation of the smoothing.", ge=0.1, le=20, unit="px", live=True, cli=Spelling(flag="sigma")),
    ] = 1.5
    """In luma pixels: of ``gaussian``, of ``bilateral`` in space, and of the Gaussian before ``sobel`` and
    ``canny``."""
    sigma_level: Annotated[
        float,
        option(
            "What bilateral takes for the same surface, as a fraction of black to white.",
            ge=0.01,
            le=1,
            live=True,
            cli=Spelling(short=""),
        ),
    ] = 0.1
    edge_contrast: Annotated[
        float,
        option("Step from which canny begins an edge, as a fraction of black to white.", ge=0.01, le=1, live=True),
    ] = 0.2
    """Half of it is enough to continue an edge."""
    cycles: Annotated[
        tuple[float, float],
        option(
            "Band that fourier keeps, in cycles per frame height; 4- has no upper end.",
            cli=Spelling(metavar="LOW-HIGH"),
            text=TextForm(parse=parse_band, write=_band_text),
        ),
    ] = (0.0, 40.0)
    """(0, high) is a low-pass filter, (low, inf) a high-pass filter. With low above 0 the mean is removed, and the rest
    is shown around the middle level."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.cycles
        if not 0 <= low < high:
            raise ConfigurationError(f"colormap cycles must be two numbers, 0 <= low < high, got {low:g} and {high:g}.")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"chroma"})


class Colormap:
    """Colour the frame by its own lightness, whatever faces and emotions are in it."""

    def __init__(self, options: ColormapOptions) -> None:
        self.options = options
        self._tables: dict[tuple[ColorSpec, int], Plane] = {}

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Map ``frame`` in place; any format of ``PIXEL_FORMATS`` (gray ones only take luma)."""
        luma = self._preprocessed(frame)
        mapped = [_look_up(table, luma) for table in self._tables_for(frame.color, frame.format.bits)]
        self._replace(frame.luma, mapped[0])
        for plane, codes in zip(frame.chroma or (), mapped[1:], strict=False):
            self._replace(plane, _averaged_down(codes, frame.format))
        return frame

    def _tables_for(self, color: ColorSpec, bits: int) -> Plane:
        key = color, bits
        if key not in self._tables:
            self._tables[key] = _code_tables(self.options.gradient, color, bits)
        return self._tables[key]

    def _preprocessed(self, frame: Frame) -> Plane:
        """The luma codes to look up: the frame's own, or preprocessed ones."""
        if self.options.preprocess == "none":
            return frame.luma
        black, span, _, _ = code_range(frame.color, frame.format.bits)
        levels = (frame.luma.astype(np.float32) - np.float32(black)) / np.float32(span)
        return _rounded(black + span * preprocess_levels(levels, self.options).clip(0, 1), frame.format.bits)

    def _replace(self, plane: Plane, mapped: Plane) -> None:
        strength = self.options.strength
        if strength < 1:
            mapped = cv2.addWeighted(np.ascontiguousarray(plane), 1 - strength, mapped, strength, 0.0)
        plane[...] = mapped


def preprocess_levels(levels: Levels, options: ColormapOptions) -> Levels:
    """Preprocess luma levels, (H, W) float32, 0 black and 1 white; the result has the same shape and dtype.

    It is not clipped: smoothing may leave rounding errors beyond [0, 1], and Fourier filters overshoot at edges.
    """
    match options.preprocess:
        case "gaussian":
            return _smoothed(levels, options.sigma_px)
        case "bilateral":
            return np.asarray(cv2.bilateralFilter(levels, 0, options.sigma_level, options.sigma_px))
        case "sobel":
            return _steepness(levels, options.sigma_px)
        case "canny":
            return _canny_edges(levels, options.sigma_px, options.edge_contrast)
        case "fourier":
            return _band_passed(levels, *options.cycles)
        case "none":
            return levels


def _smoothed(levels: Levels, sigma_px: float) -> Levels:
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma_px))


def _steepness(levels: Levels, sigma_px: float) -> Levels:
    """Magnitude of Sobel's gradient of the smoothed frame, scaled to about 1 at a step from 0 to 1."""
    smooth, scale = _smoothed(levels, sigma_px), 1 / _sobel_of_step(sigma_px)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=scale) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down))


def _canny_edges(levels: Levels, sigma_px: float, contrast: float) -> Levels:
    """Edges by Canny (1986) as 1, everything else 0; computed in 8 bits."""
    gray = np.rint(255 * np.clip(_smoothed(levels, sigma_px), 0, 1)).astype(np.uint8)
    strong = contrast * 255 * _sobel_of_step(sigma_px)
    edges: NDArray[np.uint8] = cv2.Canny(gray, strong / 2, strong, L2gradient=True)
    return (edges > 0).astype(np.float32)


def _sobel_of_step(sigma_px: float) -> float:
    """Response of OpenCV's 3x3 Sobel filter at the middle of a unit step that a Gaussian has smoothed."""
    return 4 * math.erf(1 / (sigma_px * math.sqrt(2)))


def _band_passed(levels: Levels, low: float, high: float) -> Levels:
    """Keep frequencies between ``low`` and ``high`` cycles per frame height, by Butterworth filters of order 2.

    The gain is ``1 / (1 + (f / high)^4)`` times one minus the same for ``low`` (Gonzalez & Woods, Digital Image
    Processing, 4.8 and 4.9), so it is about one half at both ends. It is applied to the cosine transform, which is the
    Fourier transform of the frame mirrored at its borders: without mirroring, opposite borders would leak into each
    other.
    """
    height, width = levels.shape
    # OpenCV's cosine transform needs even lengths, and small prime factors make it fast.
    rows, columns = (2 * cv2.getOptimalDFTSize((n + 1) // 2) for n in (height, width))
    padded = cv2.copyMakeBorder(levels, 0, rows - height, 0, columns - width, cv2.BORDER_REFLECT)
    down, across = (np.arange(n, dtype=np.float32) * np.float32(height / (2 * n)) for n in (rows, columns))
    squared = down[:, None] ** 2 + across[None, :] ** 2
    gain = _butterworth(squared, high)
    if low > 0:
        gain *= 1 - _butterworth(squared, low)
    kept = cv2.idct(cv2.dct(padded) * gain)[:height, :width]
    return np.asarray(kept + np.float32(0.5) if low > 0 else kept)


def _butterworth(squared: Levels, cutoff: float) -> Levels:
    """Gain of the low-pass filter of order 2 at frequencies given by their squares; any shape."""
    cutoff = min(max(cutoff, 1e-3), 1e6)  # far beyond any frame's frequencies, well inside float32
    return np.asarray(1 / (1 + (squared / np.float32(cutoff * cutoff)) ** 2))


def _averaged_down(plane: Plane, form: PixelFormat) -> Plane:
    """Average a plane of luma's size over the blocks of the chroma grid.

    The frame's last row and column are repeated where a block would be incomplete.
    """
    step_x, step_y = form.subsampling
    height, width = plane.shape
    columns, rows = form.chroma_size_wh(width, height)
    whole = cv2.copyMakeBorder(plane, 0, rows * step_y - height, 0, columns * step_x - width, cv2.BORDER_REPLICATE)
    mean: Plane = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return mean


def _code_tables(gradient: Gradient, color: ColorSpec, bits: int) -> Plane:
    """Tables from luma code to Y', Cb and Cr code, (3, 2^bits), in the planes' dtype."""
    colors = gradient.at(_levels_of_codes(color, bits))
    # Rounding clips: in full range, pure blue and pure red lie half a code beyond the last one.
    return _rounded(np.array([rgb_to_codes(rgb, color, bits) for rgb in colors]).T.copy(), bits)


def _rounded(values: NDArray[np.floating[Any]], bits: int) -> Plane:
    """Values of any shape, rounded to codes of ``bits`` and clipped to their range."""
    codes: NDArray[np.floating[Any]] = np.rint(values).clip(0, (1 << bits) - 1)
    return codes.astype(np.uint8) if bits == 8 else codes.astype(np.uint16)


def _levels_of_codes(color: ColorSpec, bits: int) -> NDArray[np.float64]:
    """The sRGB level of gray, in [0, 1], of each luma code; (2^bits,).

    Codes beyond black and white count as black and white. In HDR, white is diffuse white, so highlights above it get
    the map's last colour.
    """
    codes = np.arange(1 << bits)
    if color.transfer == "sdr":
        black, span, _, _ = code_range(color, bits)
        return np.clip((codes - black) / span, 0, 1)
    grays = np.linspace(0, 1, 256) ** 3  # denser near black, where PQ and HLG are steep
    return np.interp(codes, [rgb_to_codes(np.full(3, gray), color, bits)[0] for gray in grays], grays)


def _look_up(table: Plane, codes: Plane) -> Plane:
    if codes.dtype == np.uint8:
        found: Plane = cv2.LUT(codes, table)
        return found
    return table.take(codes, mode="clip")  # samples of damaged frames may exceed their depth
