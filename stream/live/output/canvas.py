"""The one form that all outputs of a live picture get, whatever comes in: encoders cannot change under way."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.frames import ColorSpec, Frame, Matrix
from stream.media.frames import ColorTags, convert, unwrap

from ..media_clock import TICK

FORMAT: Final = "yuv420p"
"""What every player, server and virtual camera takes."""
BLACK: Final = (16, 128, 128)
"""Y, U and V of black in limited range."""
DIMMED: Final = 0.4
"""Part of the contrast that is left to a picture that is held."""
NOTICE: Final = "No signal"


@dataclass(frozen=True)
class Canvas:
    """8-bit 4:2:0 in limited range, of one size with square pixels and one matrix."""

    size_wh: tuple[int, int]
    """Even."""
    color: ColorSpec

    @classmethod
    def of(cls, first: Frame) -> "Canvas":
        """The canvas that ``first`` fills."""
        width, height = first.size_wh
        matrix: Matrix = "bt601" if first.color.matrix == "bt601" else "bt709"
        return cls(
            size_wh=(_even(width * first.sample_aspect), _even(height)),
            color=ColorSpec(matrix=matrix, primaries=first.color.primaries, transfer=first.color.transfer),
        )

    @property
    def tags(self) -> ColorTags:
        """What pictures and streams in this form are marked with."""
        return ColorTags.for_spec(self.color)

    def draw(self, frame: Frame) -> av.VideoFrame:
        """The frame on the canvas, as large as fits, with black beside it; the frame is used up.

        Its time stays, in units of ``TICK``.
        """
        picture = self._scaled(frame, self._inner(frame))
        if (picture.width, picture.height) != self.size_wh:
            picture = self._framed(picture)
        return self._finished(picture, round(frame.pts * frame.time_base / TICK))

    def show(self, planes: NDArray[np.uint8], pts: int) -> av.VideoFrame:
        """A picture of ``planes``, (H * 3 / 2, W) uint8 as ``hold`` gives them."""
        return self._finished(av.VideoFrame.from_ndarray(planes, format=FORMAT), pts)

    def hold(self, picture: av.VideoFrame) -> NDArray[np.uint8]:
        """A picture of this canvas dimmed, with ``NOTICE`` on it: its planes, (H * 3 / 2, W) uint8."""
        _, height = self.size_wh
        planes = np.asarray(picture.to_ndarray(), np.float32)
        planes[:height] = BLACK[0] + (planes[:height] - BLACK[0]) * DIMMED
        planes[height:] = BLACK[1] + (planes[height:] - BLACK[1]) * DIMMED
        dimmed = planes.round().astype(np.uint8)
        _write(dimmed[:height], NOTICE)
        return dimmed

    def _inner(self, frame: Frame) -> tuple[int, int]:
        """The size at which the frame fits, its shape kept."""
        width, height = frame.size_wh
        shape = width * frame.sample_aspect / height
        across, down = self.size_wh
        if abs(shape * down - across) < 2:  # what rounding to even sides makes of the same shape
            return self.size_wh
        return (across, _even(across / shape)) if shape * down > across else (_even(down * shape), down)

    def _scaled(self, frame: Frame, size_wh: tuple[int, int]) -> av.VideoFrame:
        """The frame at that size, in the canvas' format and colours; the same picture where it is so already."""
        return convert(unwrap(frame), frame.color, FORMAT, size_wh, full_range=False, matrix=self.color.matrix)

    def _framed(self, picture: av.VideoFrame) -> av.VideoFrame:
        width, height = self.size_wh
        left, top = (width - picture.width) // 4 * 2, (height - picture.height) // 4 * 2
        made = av.VideoFrame(width, height, FORMAT)
        for index, (source, target) in enumerate(zip(picture.planes, made.planes, strict=True)):
            halved = 2 if index else 1
            rows, whole = _rows(source), _rows(target)
            whole[:] = BLACK[index]
            y, x = top // halved, left // halved
            whole[y : y + source.height, x : x + source.width] = rows[:, : source.width]
        return made

    def _finished(self, picture: av.VideoFrame, pts: int) -> av.VideoFrame:
        self.tags.put(picture)
        picture.pts, picture.time_base, picture.duration = pts, TICK, 0
        # The decoder's choice of picture types would be forced upon the encoders.
        picture.pict_type = 0
        return picture


def _rows(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """The plane's samples, (height, line size) uint8, writable; what lies beyond its width is padding."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)


def _even(side: Fraction | int) -> int:
    return max(2, round(side / 2) * 2)


def _write(luma: NDArray[np.uint8], text: str) -> None:
    """White letters in the middle of the plane, which is changed."""
    height, width = luma.shape
    face, scale, thickness = cv2.FONT_HERSHEY_SIMPLEX, height / 300, max(1, height // 180)
    (across, down), _ = cv2.getTextSize(text, face, scale, thickness)
    scale *= min(1.0, 0.8 * width / across)
    (across, down), _ = cv2.getTextSize(text, face, scale, thickness)
    place = ((width - across) // 2, (height + down) // 2)
    cv2.putText(luma, text, place, face, scale, 235, thickness, cv2.LINE_AA)
