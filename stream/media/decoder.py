"""Decodes video packets to frames that all have one size and format, and increasing times."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from emocolor.frames import PIXEL_FORMATS, Frame, PixelFormat, Plane, Rotation

from . import probe
from .frames import color_of, frame_from_av, to_pixel_format, working_format
from .guarded_decoder import MAX_DUE, MAX_KEPT_BYTES, Decoder, GuardedDecoder
from .reading.frame_size import is_too_large, limit_frames
from .reading.source_options import MAX_PIXELS
from .reading.timestamps import FrameTimes
from .source_info import Damage

TIMES_ARE_OF_DECODING: Final[Mapping[str, bool | None]] = {"avi": True, "mxf": None}
"""Formats without times of presentation, by FFmpeg's name; ``None`` for those that may lack them."""
CUDA: Final = "cuda"
"""FFmpeg's pixel format for frames in a GPU's memory."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A hardware decoder in place of FFmpeg's software decoders, and where its frames stay."""

    open: Callable[[av.VideoStream], Decoder | None]
    """Opens a decoder for a stream; ``None`` where there is none for it."""
    place: Callable[[av.VideoFrame], tuple[Plane, ...]] | None = None
    """Gives the planes of an NV12 frame in the GPU's memory, from there or from the host's. ``None``: all frames go to
    the host, as if software had decoded them."""
    max_kept_bytes: int = MAX_KEPT_BYTES
    """Most bytes of packets that are kept for software to start over with."""


@dataclass(frozen=True, kw_only=True)
class StreamFormat:
    """What the first frame determines for all that follow."""

    first: av.VideoFrame
    """As it came from the decoder."""
    size_wh: tuple[int, int]
    pixel_format: PixelFormat
    """The format of the frames that are passed on."""
    sample_aspect: Fraction
    display_matrix: tuple[int, ...] | None
    rotation: Rotation


class FrameDecoder:
    """Decodes one video stream.

    Packets that cannot be decoded are counted and left out. Frames of another size or format than the first are
    converted to it, since encoders cannot change either in mid-stream.
    """

    def __init__(
        self,
        stream: av.VideoStream,
        damage: Damage,
        warnings: list[str],
        hardware: Hardware | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
        time_base: Fraction | None = None,
    ) -> None:
        """``hardware`` decodes what it can; raises what opening it raises.

        ``time_base`` is the unit of the packets' times, by default the stream's.
        """
        assert stream.time_base is not None
        limit_frames(stream.codec_context, max_pixels)
        self._max_pixels = max_pixels
        self._stream, self._damage, self._warnings = stream, damage, warnings
        decoder = hardware.open(stream) if hardware else None
        self._guarded = decoder and GuardedDecoder(
            decoder,
            self._decode_in_software,
            restart=stream.codec_context.flush_buffers,
            warn=self._warn,
            max_kept_bytes=hardware.max_kept_bytes if hardware else MAX_KEPT_BYTES,
        )
        # Frames of more than 8 bits go to the host: effects on the GPU process NV12.
        eight_bits = working_format(stream.codec_context.pix_fmt or "")[0].bits == 8 if decoder else False
        self._place = hardware.place if hardware and eight_bits else None
        self.times = FrameTimes(
            time_base or stream.time_base,
            probe.frame_rate_of(stream),
            by_decoding=TIMES_ARE_OF_DECODING.get(stream.container.format.name, False),
        )
        self.format: StreamFormat | None = None
        """Known once a frame is decoded."""
        self.failure: Exception | None = None
        """The decoder's latest error."""
        self._awaited: list[int] = []
        """Times of packets whose frames have not come yet."""
        self._failed = 0
        """Errors since the latest frame."""
        self.too_large: tuple[int, int] | None = None
        """Width and height of the first frame that is too large."""

    @property
    def on_device(self) -> bool:
        """Whether frames lie in a GPU's memory."""
        return self._place is not None

    def decode(self, packet: "av.Packet[Any] | None") -> Iterator[Frame]:
        """Frames that ``packet`` completes, or with ``None`` those still in the decoder."""
        if packet is not None:
            self.times.note_packet(packet)
            if packet.pts is not None and not packet.is_discard:
                self._awaited = [*self._awaited[-MAX_DUE:], packet.pts]
        for av_frame in self._decoded(packet):
            self._note_arrival(av_frame)
            if is_too_large(av_frame, self._max_pixels):
                self._damage.packets += 1
                self._note_too_large(av_frame.width, av_frame.height)
                continue
            if av_frame.is_corrupt:
                self._damage.frames += 1
            yield self._frame(av_frame)
        if packet is None:
            self._note_lost_end()

    def _decoded(self, packet: "av.Packet[Any] | None") -> Iterable[av.VideoFrame]:
        return self._guarded.decode(packet) if self._guarded else self._decode_in_software(packet)

    def _decode_in_software(self, packet: "av.Packet[Any] | None") -> list[av.VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except (av.FFmpegError, OSError, ValueError) as error:
            self.failure = error
            self._damage.packets += 1
            self._failed += 1
            self._note_refused_size()
            return []

    def _note_arrival(self, av_frame: av.VideoFrame) -> None:
        """Keep what is still awaited: packets of frames later than this one."""
        self._failed = 0
        if av_frame.pts is not None:
            end = av_frame.pts + max(av_frame.duration, self.times.step)  # a second field comes with the first
            self._awaited = [pts for pts in self._awaited if pts >= end]

    def _note_lost_end(self) -> None:
        """Count the frames that never came out of the decoder.

        PyAV passes over an error at the end of the stream, and what would come after it cannot be asked for.
        """
        self._damage.packets += max(0, len(self._awaited) - self._failed)
        self._note_refused_size()

    def _note_refused_size(self) -> None:
        """Note the size that the decoder has read and refused, if that is why it failed."""
        context = self._stream.codec_context
        if is_too_large(context, self._max_pixels):
            self._damage.packets = max(1, self._damage.packets)
            self._note_too_large(context.width, context.height)

    def _note_too_large(self, width: int, height: int) -> None:
        self.too_large = self.too_large or (width, height)
        if self.format is not None:
            self._warn(
                f"Frames of {width}x{height} are more than {self._max_pixels} pixels and are left out. "
                f"Set the option input.max_pixels to {width * height} to allow them."
            )

    def _frame(self, av_frame: av.VideoFrame) -> Frame:
        stream_format = self.format or self._note_format(av_frame)
        if av_frame.format.name != CUDA and _describe(av_frame) != _describe(stream_format.first):
            self._warn(
                f"The frame changes from {_describe(stream_format.first)} to {_describe(av_frame)}; "
                "it is converted to the former."
            )
        repaired = self.times.repaired
        pts = self.times.next_pts(av_frame)
        if self.times.repaired > repaired:
            self._warn("The times of some frames do not increase; they are shown right after the frame before.")
        if self._place is not None:
            return self._frame_on_device(self._place, av_frame, pts, stream_format)
        return frame_from_av(
            to_pixel_format(av_frame, stream_format.pixel_format, stream_format.size_wh),
            pts=pts,
            time_base=self.times.time_base,
            sample_aspect=stream_format.sample_aspect,
            rotation=stream_format.rotation,
        )

    def _frame_on_device(
        self,
        place: Callable[[av.VideoFrame], tuple[Plane, ...]],
        av_frame: av.VideoFrame,
        pts: int,
        stream_format: StreamFormat,
    ) -> Frame:
        """The frame in the GPU's memory; one that software decoded is uploaded."""
        nv12 = av_frame
        if av_frame.format.name != CUDA:
            nv12 = to_pixel_format(av_frame, stream_format.pixel_format, stream_format.size_wh)
        return Frame(
            planes=place(nv12),
            format=stream_format.pixel_format,
            color=color_of(av_frame),
            pts=pts,
            time_base=self.times.time_base,
            duration=av_frame.duration,
            sample_aspect=stream_format.sample_aspect,
            rotation=stream_format.rotation,
            handle=av_frame,
        )

    def _note_format(self, first: av.VideoFrame) -> StreamFormat:
        pixel_format, drops_alpha = working_format(first.format.name)
        if drops_alpha:
            self._warn("The video has transparency, which is dropped.")
        matrix = probe.display_matrix_of(first)
        self.format = StreamFormat(
            first=first,
            size_wh=(first.width, first.height),
            pixel_format=pixel_format if self._place is None else PIXEL_FORMATS["nv12"],
            sample_aspect=self._stream.sample_aspect_ratio or Fraction(1),
            display_matrix=matrix,
            rotation=probe.rotation_of(first, matrix),
        )
        return self.format

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def delay_of(stream: av.VideoStream, packets: "Iterable[av.Packet[Any]]", max_pixels: int) -> Fraction:
    """How much later than its packet the first frame of an input leaves the decoder, in seconds; these are its packets.

    Where times are those of decoding, that holds for the whole input. An encoder of B-frames may leave a hole after its
    first packet, so that the delay cannot be measured elsewhere.
    """
    decoder = FrameDecoder(stream, Damage(), [], max_pixels=max_pixels)
    for packet in packets:
        if packet.size and next(decoder.decode(packet), None) is not None:
            break
    return (decoder.times.decoder_delay or 0) * decoder.times.time_base


def _describe(av_frame: av.VideoFrame) -> str:
    return f"{av_frame.width}x{av_frame.height} {av_frame.format.name}"
