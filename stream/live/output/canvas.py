"""The one form that all outputs of a live video get, whatever comes in: encoders cannot change in mid-stream."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.frames import ColorSpec, Frame, Matrix
from stream.media.frames import ColorTags, convert, frame_to_av

from ..media_clock import TICK

FORMAT: Final = "yuv420p"
"""What every player, server and virtual camera accepts."""
BLACK: Final = (16, 128, 128)
"""Y, U and V of black in limited range."""
DIMMED_CONTRAST: Final = 0.4
"""Contrast of the last frame while there is no signal."""
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
        """The colour tags of frames and streams in this form."""
        return ColorTags.for_spec(self.color)

    def draw(self, frame: Frame) -> av.VideoFrame:
        """The frame on the canvas, as large as fits, with black bars beside it; the frame is used up.

        Its time stays, in units of ``TICK``.
        """
        drawn = self._scaled(frame, self._inner_wh(frame))
        if (drawn.width, drawn.height) != self.size_wh:
            drawn = self._with_bars(drawn)
        return self._finished(drawn, round(frame.pts * frame.time_base / TICK))

    def no_signal(self, last: av.VideoFrame) -> NDArray[np.uint8]:
        """A frame of this canvas dimmed, with ``NOTICE`` on it: its planes, (H * 3 / 2, W) uint8."""
        _, height = self.size_wh
        planes = np.asarray(last.to_ndarray(), np.float32)
        planes[:height] = BLACK[0] + (planes[:height] - BLACK[0]) * DIMMED_CONTRAST
        planes[height:] = BLACK[1] + (planes[height:] - BLACK[1]) * DIMMED_CONTRAST
        dimmed = planes.round().astype(np.uint8)
        _write(dimmed[:height], NOTICE)
        return dimmed

    def frame_of(self, planes: NDArray[np.uint8], pts: int) -> av.VideoFrame:
        """A frame of ``planes``, (H * 3 / 2, W) uint8 as ``no_signal`` returns them."""
        return self._finished(av.VideoFrame.from_ndarray(planes, format=FORMAT), pts)

    def _inner_wh(self, frame: Frame) -> tuple[int, int]:
        """The size at which the frame fits, with its aspect ratio kept."""
        width, height = frame.size_wh
        aspect = width * frame.sample_aspect / height
        across, down = self.size_wh
        if abs(aspect * down - across) < 2:  # the same aspect ratio, but for rounding to even sides
            return self.size_wh
        return (across, _even(across / aspect)) if aspect * down > across else (_even(down * aspect), down)

    def _scaled(self, frame: Frame, size_wh: tuple[int, int]) -> av.VideoFrame:
        """The frame at that size, in the canvas's format and colours; without a copy where it is in them already."""
        return convert(frame_to_av(frame), frame.color, FORMAT, size_wh, full_range=False, matrix=self.color.matrix)

    def _with_bars(self, inner: av.VideoFrame) -> av.VideoFrame:
        width, height = self.size_wh
        left, top = (width - inner.width) // 4 * 2, (height - inner.height) // 4 * 2
        drawn = av.VideoFrame(width, height, FORMAT)
        for index, (source, target) in enumerate(zip(inner.planes, drawn.planes, strict=True)):
            subsampling = 2 if index else 1
            rows, whole = _rows(source), _rows(target)
            whole[:] = BLACK[index]
            y, x = top // subsampling, left // subsampling
            whole[y : y + source.height, x : x + source.width] = rows[:, : source.width]
        return drawn

    def _finished(self, drawn: av.VideoFrame, pts: int) -> av.VideoFrame:
        self.tags.apply_to(drawn)
        drawn.pts, drawn.time_base, drawn.duration = pts, TICK, 0
        # Encoders would take over the frame type (I, P or B) that the decoder left here.
        drawn.pict_type = 0
        return drawn


def _rows(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """The plane's samples, (height, line size) uint8, writable; what lies beyond its width is padding."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)


def _even(side: Fraction | int) -> int:
    return max(2, round(side / 2) * 2)


def _write(luma: NDArray[np.uint8], text: str) -> None:
    """White letters in the middle of the plane, which is changed in place."""
    height, width = luma.shape
    face, scale, thickness = cv2.FONT_HERSHEY_SIMPLEX, height / 300, max(1, height // 180)
    (across, down), _ = cv2.getTextSize(text, face, scale, thickness)
    scale *= min(1.0, 0.8 * width / across)
    (across, down), _ = cv2.getTextSize(text, face, scale, thickness)
    place = ((width - across) // 2, (height + down) // 2)
    cv2.putText(luma, text, place, face, scale, 235, thickness, cv2.LINE_AA)
