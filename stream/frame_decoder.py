"""Video packets to frames, all of one size and format, each with a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from emocolor.frames import Frame, PixelFormat, Rotation

from . import stream_facts
from .source_facts import Damage
from .source_times import FrameTimes
from .video_frames import to_working_format, working_format, wrap

FORMATS_WITHOUT_PRESENTATION_TIMES: Final = frozenset({"avi"})


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the first picture decides for all that follow."""

    first: av.VideoFrame
    """As it came from the decoder."""
    size_wh: tuple[int, int]
    format: PixelFormat
    sample_aspect: Fraction
    display_matrix: tuple[int, ...] | None
    rotation: Rotation


class FrameDecoder:
    """Decodes one video stream.

    Pieces that cannot be decoded are counted and left out. Pictures of another size or format than
    the first are converted to it, as encoders cannot change in mid-stream.
    """

    def __init__(self, stream: av.VideoStream, damage: Damage, warnings: list[str]) -> None:
        assert stream.time_base is not None
        self._stream, self._damage, self._warnings = stream, damage, warnings
        self.times = FrameTimes(
            stream.time_base,
            stream_facts.frame_rate_of(stream),
            by_decoding=stream.container.format.name in FORMATS_WITHOUT_PRESENTATION_TIMES,
        )
        self.shape: Shape | None = None
        """Known once a picture is decoded."""
        self.failure: Exception | None = None
        """The decoder's last complaint."""

    def decode(self, packet: "av.Packet[Any] | None") -> Iterator[Frame]:
        """Frames that ``packet`` completes, or with ``None`` those still in the decoder."""
        if packet is not None:
            self.times.note_packet(packet)
        for picture in self._pictures(packet):
            if picture.is_corrupt:
                self._damage.frames += 1
            yield self._frame(picture)

    def _pictures(self, packet: "av.Packet[Any] | None") -> list[av.VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except (av.FFmpegError, OSError, ValueError) as error:
            self.failure = error
            self._damage.packets += 1
            return []

    def _frame(self, picture: av.VideoFrame) -> Frame:
        shape = self.shape or self._note_shape(picture)
        if (picture.width, picture.height, picture.format.name) != _look(shape.first):
            self._warn(
                f"The picture changes from {_spell(shape.first)} to {_spell(picture)}; it is converted to the former."
            )
        repaired = self.times.repaired
        pts = self.times.place(picture)
        if self.times.repaired > repaired:
            self._warn("Some frames' times do not rise; they are shown right after the frame before.")
        return wrap(
            to_working_format(picture, shape.format, shape.size_wh),
            pts=pts,
            time_base=self.times.time_base,
            sample_aspect=shape.sample_aspect,
            rotation=shape.rotation,
        )

    def _note_shape(self, picture: av.VideoFrame) -> Shape:
        form, drops_alpha = working_format(picture.format.name)
        if drops_alpha:
            self._warn("The picture has transparency, which is dropped.")
        matrix = stream_facts.display_matrix_of(picture)
        self.shape = Shape(
            first=picture,
            size_wh=(picture.width, picture.height),
            format=form,
            sample_aspect=self._stream.sample_aspect_ratio or Fraction(1),
            display_matrix=matrix,
            rotation=stream_facts.rotation_of(picture, matrix),
        )
        return self.shape

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def _look(picture: av.VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


def _spell(picture: av.VideoFrame) -> str:
    return f"{picture.width}x{picture.height} {picture.format.name}"
