"""Antialiased text, lines and areas on RGB images, and PNG files.

Images are RGB, (H, W, 3) uint8, and are drawn on in place. Coordinates are x and y in pixels, fractions included.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import Points, RgbImage

from ..files.output_file import write_whole

Rgb = tuple[int, int, int]

INK: Final[Rgb] = (45, 45, 50)
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
CAPITAL_HEIGHT: Final = 22.0
"""Height of this font's capitals at scale 1, in pixels."""
SUBPIXEL_BITS: Final = 4
"""OpenCV draws at fixed-point coordinates with so many fractional bits."""


def draw_text(
    image: RgbImage,
    text: str,
    place: tuple[float, float],
    height: float,
    color: Rgb,
    *,
    align: Literal["left", "center", "right"] = "left",
) -> None:
    """Draw ``text``, its capitals ``height`` tall, with the start, middle or end of its baseline at ``place``."""
    shift = {"left": 0.0, "center": 0.5, "right": 1.0}[align] * text_width(text, height)
    origin = (round(place[0] - shift), round(place[1]))
    cv2.putText(image, text, origin, FONT, height / CAPITAL_HEIGHT, color, 1, cv2.LINE_AA)


def text_width(text: str, height: float) -> float:
    """Pixels from the start to the end of ``text`` with capitals ``height`` tall."""
    (width, _), _ = cv2.getTextSize(text, FONT, height / CAPITAL_HEIGHT, 1)
    return float(width)


def fill_polygon(image: RgbImage, outline: Points | Sequence[tuple[float, float]], color: Rgb) -> None:
    """Fill the area inside ``outline``."""
    cv2.fillPoly(image, [_fixed_point(outline)], color, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_line(image: RgbImage, points: Points | Sequence[tuple[float, float]], color: Rgb, thickness: float) -> None:
    """Draw a line through ``points``, at least a pixel thick."""
    width = max(round(thickness), 1)
    cv2.polylines(image, [_fixed_point(points)], False, color, width, cv2.LINE_AA, SUBPIXEL_BITS)


def write_png(path: Path, image: RgbImage, *, overwrite: bool = False) -> None:
    """Write an image as PNG. Raises ``SinkError`` where that fails, or where the file exists."""
    write_whole(path, png_bytes(image), overwrite=overwrite)


def png_bytes(image: RgbImage) -> bytes:
    """The image as a PNG file."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return data.tobytes()


def time_label(seconds: float) -> str:
    """``7.5 s`` within the first minute, later ``1:05``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _fixed_point(points: Points | Sequence[tuple[float, float]]) -> NDArray[np.int32]:
    return np.asarray(np.rint(np.asarray(points) * (1 << SUBPIXEL_BITS)), np.int32)
