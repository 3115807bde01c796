"""Still images that show what a run did: frames before and after, and emotions over time.

All images here are RGB, (H, W, 3) uint8.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage, Vector
from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import SinkError

Rgb = tuple[int, int, int]
Record = tuple[float, Sequence[float] | NDArray[Any], float]
"""Time in seconds; seven probabilities in the order of ``EMOTIONS``; certainty in [0, 1]."""

GAP: Final = 4
"""Pixels between the images of a strip."""
SUPERSAMPLING: Final = 2
SUBPIXEL_BITS: Final = 4
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
CAPITAL_HEIGHT: Final = 22.0
"""Pixels, of this font at scale 1."""
INK: Final[Rgb] = (45, 45, 50)
AXIS_INK: Final[Rgb] = (120, 120, 126)
EMOTION_RGB: Final[dict[Emotion, Rgb]] = {
    "angry": (219, 68, 55),
    "disgust": (96, 163, 76),
    "fear": (138, 94, 178),
    "happy": (250, 205, 70),
    "sad": (75, 125, 200),
    "surprise": (243, 146, 55),
    "neutral": (217, 217, 219),
}
TICK_SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)
MOST_TICKS: Final = 10


def make_strip(
    before: Sequence[RgbImage], after: Sequence[RgbImage], captions: Sequence[str], *, width: int
) -> RgbImage:
    """Frames in two rows, ``before`` above ``after``, with a caption under each column.

    Every frame takes the aspect of the first one. Raises ``ValueError`` where the sequences differ
    in length or are empty, or where ``width`` leaves a frame less than 16 pixels.
    """
    count = len(before)
    if not (count and count == len(after) == len(captions)):
        raise ValueError(f"a strip needs as many frames as captions, got {count}, {len(after)} and {len(captions)}")
    cell = (width - GAP * (count - 1)) / count
    if cell < 16:
        raise ValueError(f"{count} frames do not fit into a width of {width} pixels")
    cell_height = round(cell * before[0].shape[0] / before[0].shape[1])
    text_height = _caption_height(captions, cell)
    strip = np.full((2 * cell_height + GAP + 3 * text_height, width, 3), 255, np.uint8)
    for column, caption in enumerate(captions):
        left, right = round(column * (cell + GAP)), round(column * (cell + GAP) + cell)
        for row, frame in enumerate((before[column], after[column])):
            top = row * (cell_height + GAP)
            strip[top : top + cell_height, left:right] = _fitted(frame, (right - left, cell_height))
        bottom = strip.shape[0] - text_height
        _write(strip, caption, ((left + right) / 2, bottom), text_height, INK, align="center")
    return strip


def timeline_image(records: Sequence[Record], *, size_wh: tuple[int, int] = (960, 340)) -> RgbImage:
    """The seven probabilities over time, stacked, with a line of certainty.

    Raises ``ValueError`` where there are fewer than two records, their times do not rise, or one
    has other than seven probabilities.
    """
    times, probabilities, certainty = _columns(records)
    width, height = (side * SUPERSAMPLING for side in size_wh)
    canvas = np.full((height, width, 3), 255, np.uint8)
    unit = height / 34
    plot = _Plot(
        left=4 * unit,
        top=1.5 * unit,
        right=width - 13 * unit,
        bottom=height - 3.5 * unit,
        start=times[0],
        end=times[-1],
    )
    _draw_stack(canvas, plot, times, probabilities)
    _draw_certainty(canvas, plot, times, certainty, unit)
    _draw_axes(canvas, plot, unit)
    _draw_legend(canvas, plot, unit)
    return _image(cv2.resize(canvas, size_wh, interpolation=cv2.INTER_AREA))


def write_png(path: Path, rgb: RgbImage) -> None:
    """Write a image as PNG; raises ``SinkError`` where the file cannot be written."""
    _, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise SinkError(f"Cannot write the image {path}: {error.strerror}. Choose another place.") from error


@dataclass(frozen=True, kw_only=True)
class _Plot:
    """Where the plot lies on the canvas, and the times at its sides."""

    left: float
    top: float
    right: float
    bottom: float
    start: float
    end: float

    def x(self, time: Any) -> Any:
        return self.left + (time - self.start) / (self.end - self.start) * (self.right - self.left)

    def y(self, share: Any) -> Any:
        return self.bottom - share * (self.bottom - self.top)


def _columns(records: Sequence[Record]) -> tuple[Vector, Vector, Vector]:
    """Times (N,), probabilities (N, 7) and certainty (N,)."""
    if len(records) < 2:
        raise ValueError(f"a timeline needs at least two records, got {len(records)}")
    if any(len(record[1]) != len(EMOTIONS) for record in records):
        raise ValueError(f"every record needs {len(EMOTIONS)} probabilities")
    times = np.array([record[0] for record in records], float)
    if not (np.diff(times) > 0).all():
        raise ValueError("the times of records must rise")
    return times, np.array([record[1] for record in records], float), np.array([record[2] for record in records], float)


def _draw_stack(canvas: RgbImage, plot: _Plot, times: Vector, probabilities: Vector) -> None:
    """One band per emotion, angry at the bottom and neutral on top."""
    edges = np.cumsum(np.column_stack([np.zeros(len(times)), probabilities]), axis=1)
    for index, emotion in enumerate(EMOTIONS):
        lower = np.column_stack([plot.x(times), plot.y(edges[:, index])])
        # Up to the top of the plot: what lies above is painted over next, so no seam shows between bands.
        upper = np.array([(plot.right, plot.top), (plot.left, plot.top)])
        _fill(canvas, np.vstack([lower, upper]), EMOTION_RGB[emotion])


def _draw_certainty(canvas: RgbImage, plot: _Plot, times: Vector, certainty: Vector, unit: float) -> None:
    line = np.column_stack([plot.x(times), plot.y(np.clip(certainty, 0, 1))])
    _line(canvas, line, (255, 255, 255), 0.45 * unit)
    _line(canvas, line, INK, 0.22 * unit)


def _draw_axes(canvas: RgbImage, plot: _Plot, unit: float) -> None:
    for share in (0.0, 0.5, 1.0):
        _line(canvas, [(plot.left - 0.5 * unit, plot.y(share)), (plot.left, plot.y(share))], AXIS_INK, 0.12 * unit)
        place = (plot.left - 0.9 * unit, plot.y(share) + 0.5 * unit)
        _write(canvas, f"{share:g}", place, unit, AXIS_INK, align="right")
    for time in _ticks(plot.start, plot.end):
        _line(canvas, [(plot.x(time), plot.bottom), (plot.x(time), plot.bottom + 0.5 * unit)], AXIS_INK, 0.12 * unit)
        _write(canvas, clock(time), (plot.x(time), plot.bottom + 2 * unit), unit, AXIS_INK, align="center")
    frame = [(plot.left, plot.top), (plot.left, plot.bottom), (plot.right, plot.bottom)]
    _line(canvas, frame, AXIS_INK, 0.12 * unit)


def _draw_legend(canvas: RgbImage, plot: _Plot, unit: float) -> None:
    """In the order of the stack, from the top."""
    left, step = plot.right + 1.6 * unit, (plot.bottom - plot.top) / 8
    for row, emotion in enumerate(reversed(EMOTIONS)):
        y = plot.top + (row + 0.5) * step
        square = [(left, y - unit), (left + 2 * unit, y - unit), (left + 2 * unit, y + unit), (left, y + unit)]
        _fill(canvas, np.array(square), EMOTION_RGB[emotion])
        _write(canvas, emotion, (left + 2.8 * unit, y + 0.5 * unit), unit, INK)
    y = plot.top + 7.5 * step
    _line(canvas, [(left, y), (left + 2 * unit, y)], INK, 0.22 * unit)
    _write(canvas, "certainty", (left + 2.8 * unit, y + 0.5 * unit), unit, INK)


def _ticks(start: float, end: float) -> Vector:
    """Round times from ``start`` to ``end``."""
    step = next((step for step in TICK_SECONDS if (end - start) / step < MOST_TICKS), (end - start) / MOST_TICKS)
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    return np.asarray(np.arange(first, last + 1) * step, np.float64)


def clock(seconds: float) -> str:
    """``7.5 s`` within the first minute, later ``1:05``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _fitted(frame: RgbImage, size_wh: tuple[int, int]) -> RgbImage:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"a strip needs (H, W, 3) uint8 frames, got {frame.shape} {frame.dtype}")
    shrinks = frame.shape[1] >= size_wh[0]
    return _image(cv2.resize(frame, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC))


def _caption_height(captions: Sequence[str], cell: float) -> int:
    """Height of capitals, such that the longest caption fits its column."""
    height = max(min(cell / 16, 14.0), 8.0)
    longest = max(_text_width(caption, height) for caption in captions)
    return max(round(height * min(1.0, 0.96 * cell / max(longest, 1))), 5)


def _write(
    canvas: RgbImage,
    text: str,
    place: tuple[float, float],
    height: float,
    color: Rgb,
    *,
    align: Literal["left", "center", "right"] = "left",
) -> None:
    """Draw ``text``, its capitals ``height`` tall, with the end or middle of its baseline at ``place``."""
    shift = {"left": 0.0, "center": 0.5, "right": 1.0}[align] * _text_width(text, height)
    origin = (round(place[0] - shift), round(place[1]))
    cv2.putText(canvas, text, origin, FONT, height / CAPITAL_HEIGHT, color, 1, cv2.LINE_AA)


def _text_width(text: str, height: float) -> float:
    (width, _), _ = cv2.getTextSize(text, FONT, height / CAPITAL_HEIGHT, 1)
    return float(width)


def _fill(canvas: RgbImage, outline: Vector, color: Rgb) -> None:
    cv2.fillPoly(canvas, [_subpixel(outline)], color, cv2.LINE_AA, SUBPIXEL_BITS)


def _line(canvas: RgbImage, points: Vector | Sequence[tuple[float, float]], color: Rgb, thickness: float) -> None:
    thick = max(round(thickness), 1)
    cv2.polylines(canvas, [_subpixel(points)], False, color, thick, cv2.LINE_AA, SUBPIXEL_BITS)


def _subpixel(points: Vector | Sequence[tuple[float, float]]) -> NDArray[np.int32]:
    return np.asarray(np.rint(np.asarray(points) * (1 << SUBPIXEL_BITS)), np.int32)


def _image(array: NDArray[Any]) -> RgbImage:
    return np.asarray(array, np.uint8)
