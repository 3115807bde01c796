"""Gradients, a colour for every gray level: the maps of S1 (section III-A), OpenCV's colormaps, and custom ones."""

import math
import re
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .arrays import Colors, Vector
from .errors import ConfigurationError, nearest

OPENCV_MAPS: Final[dict[str, int]] = {
    name.removeprefix("COLORMAP_").lower(): getattr(cv2, name) for name in dir(cv2) if name.startswith("COLORMAP_")
}
"""OpenCV's colormaps by name, such as ``turbo`` or ``twilight_shifted``."""

INTENSITY_RULES: Final[tuple[tuple[float, str], ...]] = (
    (0.2, "141a2c"),
    (0.4, "5c4632"),
    (0.6, "608c46"),
    (0.8, "8cb9dc"),
    (1.0, "f5e8cd"),
)
"""Bands of the map ``intensity``, each as (upper level, sRGB colour in hexadecimal); see :func:`parse_gradient`."""

_STOP: Final = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})(?:@(\d*\.?\d+))?")


@dataclass(frozen=True, kw_only=True, eq=False)
class Gradient:
    """A colour for every gray level, linear in R'G'B' between stops, as matplotlib's ``LinearSegmentedColormap``.

    Raises ``ConfigurationError`` for colours or positions that make no gradient.
    """

    colors: Colors
    """(N, 3) sRGB in [0, 1], N at least 2."""
    name: str = "custom"
    positions: Vector | None = None
    """(N,) levels in [0, 1], none below the one before; by default evenly spaced from 0 to 1.

    Two equal positions make a step, and the level itself has the second colour. Beyond the first and last position the
    end colours continue."""

    def __post_init__(self) -> None:
        colors, positions = self.colors, self.positions
        if colors.ndim != 2 or len(colors) < 2 or colors.shape[1] != 3 or not ((colors >= 0) & (colors <= 1)).all():
            raise ConfigurationError("A gradient needs two or more colours of three numbers between 0 and 1.")
        if positions is None:
            return
        inside = positions.shape == (len(colors),) and bool(((positions >= 0) & (positions <= 1)).all())
        if not inside or (np.diff(positions) < 0).any():
            raise ConfigurationError(
                f"A gradient needs a position from 0 to 1 for each of {len(colors)} colours, in ascending order; "
                f"got {positions.tolist()}."
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gradient) or self.name != other.name or not np.array_equal(self.colors, other.colors):
            return False
        one, two = self.positions, other.positions
        return one is two or (one is not None and two is not None and np.array_equal(one, two))

    def __hash__(self) -> int:
        return hash(self.name)

    def at(self, levels: NDArray[np.float64]) -> Colors:
        """sRGB (..., 3) in [0, 1] for gray levels in [0, 1] of any shape."""
        positions = np.linspace(0, 1, len(self.colors)) if self.positions is None else self.positions
        return np.stack([np.interp(levels, positions, channel) for channel in self.colors.T], axis=-1)


def parse_gradient(text: str) -> Gradient:
    """Read a map's name, or a gradient of colours such as ``#000-#8b4513@0.4-#ffe4b5``.

    Names are those of ``OPENCV_MAPS``, and ``intensity`` for S1's if/else rules. The paper does not print its rules, so
    these are ours: five equal bands of one colour each, night blue, earth brown, leaf green, sky blue and cloud white.
    Each colour is about as light as the middle of its band.

    Colours are ``#rgb`` or ``#rrggbb``, each optionally followed by ``@`` and its position. As in CSS, the ends are at
    0 and 1 by default, and other missing positions are spaced evenly between their neighbours.

    Raises ``ConfigurationError`` that names the wrong colour, or suggests the nearest known name.
    """
    if "#" in text:
        return _parse_stops(text)
    if text == "intensity":
        edges, colors = zip(*INTENSITY_RULES, strict=True)
        return Gradient(
            name=text,
            colors=np.repeat([_parse_color(color) for color in colors], 2, axis=0),
            positions=np.repeat([0.0, *edges], 2)[1:-1],
        )
    if text in OPENCV_MAPS:
        bgr = cv2.applyColorMap(np.arange(256, dtype=np.uint8), OPENCV_MAPS[text])
        return Gradient(name=text, colors=bgr.reshape(256, 3)[:, ::-1] / 255)
    raise ConfigurationError(f"Unknown colormap '{text}'{nearest(text, ['intensity', *OPENCV_MAPS])}")


def _parse_stops(text: str) -> Gradient:
    colors, given = zip(*[_parse_stop(text, stop) for stop in text.split("-")], strict=True)
    positions = np.array(given)
    ends = positions[[0, -1]]
    positions[[0, -1]] = np.where(np.isnan(ends), [0, 1], ends)
    order, known = np.arange(len(positions)), ~np.isnan(positions)
    return Gradient(name=text, colors=np.array(colors), positions=np.interp(order, order[known], positions[known]))


def _parse_stop(text: str, stop: str) -> tuple[Colors, float]:
    """Colour, sRGB (3,) in [0, 1], and position; NaN if none is given."""
    match = _STOP.fullmatch(stop)
    if match is None:
        raise ConfigurationError(
            f"Gradient '{text}': '{stop}' is not a colour; write #rgb or #rrggbb, and its position as in #fff@0.5."
        )
    return _parse_color(match[1]), math.nan if match[2] is None else float(match[2])


def _parse_color(text: str) -> Colors:
    """sRGB (3,) in [0, 1] from ``rgb`` or ``rrggbb``."""
    digits = text if len(text) == 6 else "".join(2 * digit for digit in text)
    return np.array(list(bytes.fromhex(digits))) / 255
