"""Draw what is known about each face: box, track, emotion, probabilities and certainty. For debugging."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np

from ..arrays import Vector
from ..color import code_range, rgb_to_codes
from ..emotions import EMOTIONS
from ..faces import Face, Scene
from ..frames import Frame
from ..options import EffectOptions, Need, Spelling, TextForm, option
from ..palettes import S0, Palette

BAR_LENGTH = 40
"""Length of a bar at probability 1, in line widths."""

_WHITE = np.ones(3)
_BLACK = np.zeros(3)


@dataclass(frozen=True, kw_only=True)
class OverlayOptions(EffectOptions):
    """How faces are marked."""

    section: ClassVar[str] = "overlay"

    palette: Annotated[
        Palette,
        option(
            "Colours of boxes and bars.",
            live=True,
            catalog="palettes",
            cli=Spelling(metavar="NAME|FILE"),
            text=TextForm(write=lambda palette: palette.name),
        ),
    ] = S0

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"faces", "chroma"})


class Overlay:
    """Draws on the frame, in its planes."""

    def __init__(self, options: OverlayOptions | None = None) -> None:
        self.options = options or OverlayOptions()
        self.palette = self.options.palette

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Draw every face of ``scene`` into ``frame``, in place."""
        canvas = _Canvas(frame)
        for face in scene.faces:
            self._draw_face(canvas, face)
        return frame

    def _draw_face(self, canvas: "_Canvas", face: Face) -> None:
        color = self.palette.colors[int(face.probabilities.argmax())]
        box, unit = face.box, canvas.unit
        left, top = round(box.x), round(box.y)
        right, bottom = round(box.x + box.width), round(box.y + box.height)
        for edge in (
            (left, top, right, top + unit),
            (left, bottom - unit, right, bottom),
            (left, top, left + unit, bottom),
            (right - unit, top, right, bottom),
        ):
            canvas.fill(*edge, color)
        canvas.text(left, top - 2 * unit, f"#{face.track_id} {face.emotion} {face.certainty:.2f}")
        self._draw_bars(canvas, canvas.beside(left, right, BAR_LENGTH * unit), top, face)

    def _draw_bars(self, canvas: "_Canvas", left: int, top: int, face: Face) -> None:
        """One bar per emotion in the palette's colours, on a black bar for probability 1, and a white one for
        certainty."""
        step, length = 5 * canvas.unit, BAR_LENGTH * canvas.unit
        for row, probability in enumerate(face.probabilities):
            y = top + row * step
            canvas.fill(left, y, left + length, y + step - canvas.unit, _BLACK)
            canvas.fill(
                left, y, left + round(length * float(probability)), y + step - canvas.unit, self.palette.colors[row]
            )
        certain = round(length * face.certainty)
        canvas.fill(left, top + len(EMOTIONS) * step, left + certain, top + len(EMOTIONS) * step + canvas.unit, _WHITE)


class _Canvas:
    """Rectangles and text on the planes of a frame, in luma pixels, clipped to the frame."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.unit = max(1, round(min(frame.size_wh) / 240))
        """Line width in pixels, by the frame's size."""

    def beside(self, left: int, right: int, width: int) -> int:
        """The left edge of something of ``width`` beside the columns from left to right, and inside the frame."""
        gap = 2 * self.unit
        return right + gap if right + gap + width <= self._frame.size_wh[0] else left - gap - width

    def fill(self, left: int, top: int, right: int, bottom: int, rgb: Vector) -> None:
        frame = self._frame
        luma, *chroma = rgb_to_codes(rgb, frame.color, frame.format.bits)
        width, height = frame.size_wh
        left, right = sorted((min(max(left, 0), width), min(max(right, 0), width)))
        top, bottom = sorted((min(max(top, 0), height), min(max(bottom, 0), height)))
        frame.luma[top:bottom, left:right] = round(luma)
        step_x, step_y = frame.format.subsampling
        for plane, code in zip(frame.chroma or (), chroma, strict=False):
            plane[top // step_y : -(-bottom // step_y), left // step_x : -(-right // step_x)] = round(code)

    def text(self, left: int, bottom: int, words: str) -> None:
        """White text on black, with its lower left corner at (left, bottom)."""
        scale, weight = 0.32 * self.unit, max(1, self.unit // 2)
        (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
        bottom = max(bottom, height + below)
        mask = np.zeros((height + below, width), np.uint8)
        cv2.putText(mask, words, (0, height), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, weight, cv2.LINE_AA)
        top = bottom - height - below
        self.fill(left, top, left + width, bottom, _BLACK)
        frame = self._frame
        area = frame.luma[max(top, 0) : bottom, max(left, 0) : max(left + width, 0)]
        shown = mask[: area.shape[0], -min(left, 0) :][:, : area.shape[1]].astype(np.float32) / 255
        black, span, _, _ = code_range(frame.color, frame.format.bits)
        area[...] = np.rint(black + span * shown)
