"""The emotions over time as an image: the seven probabilities stacked, and certainty as a line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage, Vector
from emocolor.emotions import EMOTIONS, Emotion

from .drawing import INK, Rgb, draw_line, draw_text, fill_polygon, time_label

Record = tuple[float, Sequence[float] | NDArray[Any], float]
"""Time in seconds; seven probabilities in the order of ``EMOTIONS``; certainty in [0, 1]."""

SUPERSAMPLING: Final = 2
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
MAX_TICKS: Final = 10


def draw_timeline(records: Sequence[Record], *, size_wh: tuple[int, int] = (960, 340)) -> RgbImage:
    """The seven probabilities over time, stacked, with a line of certainty.

    Raises ``ValueError`` where there are fewer than two records, where their times do not increase, or where one does
    not have seven probabilities.
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
    return np.asarray(cv2.resize(canvas, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


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
        raise ValueError("the times of records must increase")
    return times, np.array([record[1] for record in records], float), np.array([record[2] for record in records], float)


def _draw_stack(canvas: RgbImage, plot: _Plot, times: Vector, probabilities: Vector) -> None:
    """One band per emotion, angry at the bottom and neutral on top."""
    edges = np.cumsum(np.column_stack([np.zeros(len(times)), probabilities]), axis=1)
    for index, emotion in enumerate(EMOTIONS):
        lower = np.column_stack([plot.x(times), plot.y(edges[:, index])])
        # Filled up to the top of the plot; the next bands are drawn over it, so that no seam shows between them.
        upper = np.array([(plot.right, plot.top), (plot.left, plot.top)])
        fill_polygon(canvas, np.vstack([lower, upper]), EMOTION_RGB[emotion])


def _draw_certainty(canvas: RgbImage, plot: _Plot, times: Vector, certainty: Vector, unit: float) -> None:
    line = np.column_stack([plot.x(times), plot.y(np.clip(certainty, 0, 1))])
    draw_line(canvas, line, (255, 255, 255), 0.45 * unit)
    draw_line(canvas, line, INK, 0.22 * unit)


def _draw_axes(canvas: RgbImage, plot: _Plot, unit: float) -> None:
    for share in (0.0, 0.5, 1.0):
        draw_line(canvas, [(plot.left - 0.5 * unit, plot.y(share)), (plot.left, plot.y(share))], AXIS_INK, 0.12 * unit)
        place = (plot.left - 0.9 * unit, plot.y(share) + 0.5 * unit)
        draw_text(canvas, f"{share:g}", place, unit, AXIS_INK, align="right")
    for time in _ticks(plot.start, plot.end):
        x = plot.x(time)
        draw_line(canvas, [(x, plot.bottom), (x, plot.bottom + 0.5 * unit)], AXIS_INK, 0.12 * unit)
        draw_text(canvas, time_label(time), (x, plot.bottom + 2 * unit), unit, AXIS_INK, align="center")
    axes = [(plot.left, plot.top), (plot.left, plot.bottom), (plot.right, plot.bottom)]
    draw_line(canvas, axes, AXIS_INK, 0.12 * unit)


def _draw_legend(canvas: RgbImage, plot: _Plot, unit: float) -> None:
    """The emotions in the order of the stack, from the top."""
    left, step = plot.right + 1.6 * unit, (plot.bottom - plot.top) / 8
    for row, emotion in enumerate(reversed(EMOTIONS)):
        y = plot.top + (row + 0.5) * step
        square = [(left, y - unit), (left + 2 * unit, y - unit), (left + 2 * unit, y + unit), (left, y + unit)]
        fill_polygon(canvas, square, EMOTION_RGB[emotion])
        draw_text(canvas, emotion, (left + 2.8 * unit, y + 0.5 * unit), unit, INK)
    y = plot.top + 7.5 * step
    draw_line(canvas, [(left, y), (left + 2 * unit, y)], INK, 0.22 * unit)
    draw_text(canvas, "certainty", (left + 2.8 * unit, y + 0.5 * unit), unit, INK)


def _ticks(start: float, end: float) -> Vector:
    """Round times from ``start`` to ``end``."""
    step = next((step for step in TICK_SECONDS if (end - start) / step < MAX_TICKS), (end - start) / MAX_TICKS)
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    return np.asarray(np.arange(first, last + 1) * step, np.float64)
