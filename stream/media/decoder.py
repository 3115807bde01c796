"""Video packets to frames, all of one size and format, each with a time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from emocolor.frames import PIXEL_FORMATS, Frame, PixelFormat, Plane, Rotation

from . import stream_facts
from .frames import color_of, to_working_format, working_format, wrap
from .guarded_decoder import Decoder, GuardedDecoder
from .source_facts import Damage
from .timestamps import FrameTimes

FORMATS_WITHOUT_PRESENTATION_TIMES: Final = frozenset({"avi"})
CUDA: Final = "cuda"
"""FFmpeg's pixel format of frames in a GPU's memory."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What decodes instead of FFmpeg's own decoders, and where its frames stay."""

    open: Callable[[av.VideoStream], Decoder | None]
    """Gives the decoder of a stream, or ``None`` where there is none for it."""
    place: Callable[[av.VideoFrame], tuple[Plane, ...]] | None = None
    """Planes in the GPU's memory of an NV12 frame, there or in the host's; ``None``: all frames go to the host, as
    if software had decoded them."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the first frame decides for all that follow."""

    first: av.VideoFrame
    """As it came from the decoder."""
    size_wh: tuple[int, int]
    format: PixelFormat
    sample_aspect: Fraction
    display_matrix: tuple[int, ...] | None
    rotation: Rotation


class FrameDecoder:
    """Decodes one video stream.

    Pieces that cannot be decoded are counted and left out. Frames of another size or format than
    the first are converted to it, as encoders cannot change in mid-stream.
    """

    def __init__(
        self, stream: av.VideoStream, damage: Damage, warnings: list[str], hardware: Hardware | None = None
    ) -> None:
        """With ``hardware`` that decodes where it can; raises what opening it raises."""
        assert stream.time_base is not None
        self._stream, self._damage, self._warnings = stream, damage, warnings
        decoder = hardware.open(stream) if hardware else None
        self._guarded = decoder and GuardedDecoder(
            decoder, self._from_software, restart=stream.codec_context.flush_buffers, warn=self._warn
        )
        # Frames of more bits go to the host: effects in a GPU's memory work in NV12.
        eight_bits = working_format(stream.codec_context.pix_fmt or "")[0].bits == 8 if decoder else False
        self._place = hardware.place if hardware and eight_bits else None
        self.times = FrameTimes(
            stream.time_base,
            stream_facts.frame_rate_of(stream),
            by_decoding=stream.container.format.name in FORMATS_WITHOUT_PRESENTATION_TIMES,
        )
        self.shape: Shape | None = None
        """Known once a frame is decoded."""
        self.failure: Exception | None = None
        """The decoder's last complaint."""

    @property
    def on_device(self) -> bool:
        """Whether frames lie in a GPU's memory."""
        return self._place is not None

    def decode(self, packet: "av.Packet[Any] | None") -> Iterator[Frame]:
        """Frames that ``packet`` completes, or with ``None`` those still in the decoder."""
        if packet is not None:
            self.times.note_packet(packet)
        for frame in self._frames(packet):
            if frame.is_corrupt:
                self._damage.frames += 1
            yield self._frame(frame)

    def _frames(self, packet: "av.Packet[Any] | None") -> Iterable[av.VideoFrame]:
        return self._guarded.decode(packet) if self._guarded else self._from_software(packet)

    def _from_software(self, packet: "av.Packet[Any] | None") -> list[av.VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except (av.FFmpegError, OSError, ValueError) as error:
            self.failure = error
            self._damage.packets += 1
            return []

    def _frame(self, frame: av.VideoFrame) -> Frame:
        shape = self.shape or self._note_shape(frame)
        if frame.format.name != CUDA and _look(frame) != _look(shape.first):
            self._warn(
                f"The frame changes from {_spell(shape.first)} to {_spell(frame)}; it is converted to the former."
            )
        repaired = self.times.repaired
        pts = self.times.place(frame)
        if self.times.repaired > repaired:
            self._warn("Some frames' times do not rise; they are shown right after the frame before.")
        if self._place is not None:
            return self._placed(frame, pts, shape)
        return wrap(
            to_working_format(frame, shape.format, shape.size_wh),
            pts=pts,
            time_base=self.times.time_base,
            sample_aspect=shape.sample_aspect,
            rotation=shape.rotation,
        )

    def _placed(self, frame: av.VideoFrame, pts: int, shape: Shape) -> Frame:
        """The frame as a frame in the GPU's memory."""
        assert self._place is not None
        there = frame.format.name == CUDA
        return Frame(
            planes=self._place(frame if there else to_working_format(frame, shape.format, shape.size_wh)),
            format=shape.format,
            color=color_of(frame),
            pts=pts,
            time_base=self.times.time_base,
            duration=frame.duration,
            sample_aspect=shape.sample_aspect,
            rotation=shape.rotation,
            handle=frame,
        )

    def _note_shape(self, frame: av.VideoFrame) -> Shape:
        form, drops_alpha = working_format(frame.format.name)
        if drops_alpha:
            self._warn("The frame has transparency, which is dropped.")
        matrix = stream_facts.display_matrix_of(frame)
        self.shape = Shape(
            first=frame,
            size_wh=(frame.width, frame.height),
            format=form if self._place is None else PIXEL_FORMATS["nv12"],
            sample_aspect=self._stream.sample_aspect_ratio or Fraction(1),
            display_matrix=matrix,
            rotation=stream_facts.rotation_of(frame, matrix),
        )
        return self.shape

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def _look(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _spell(frame: av.VideoFrame) -> str:
    return f"{frame.width}x{frame.height} {frame.format.name}"
