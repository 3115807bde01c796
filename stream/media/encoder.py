"""Encodes the frames of one output stream; the encoder is opened when the first frame is known."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import av
from av.codec import Codec
from av.codec.context import Flags
from av.sidedata.sidedata import Type

from emocolor.errors import SinkError
from emocolor.frames import PIXEL_FORMATS, Frame, PixelFormat

from .companion_streams import SEGMENT_FORMATS
from .encoder_choice import (
    DELIVERY_ENCODERS,
    H264_ENCODERS,
    PLAYED_EVERYWHERE,
    QUANTISERS,
    THREADS,
    FormatChoice,
    format_choices,
    with_chroma_format,
    with_repeatable_arithmetic,
    writes_captions,
)
from .frames import FULL, ColorTags, convert, frame_to_av, with_neutral_chroma
from .nvenc import ENCODERS, SURFACE, NvencFrames
from .side_data import side_data_of
from .source_info import SourceInfo
from .writing.frame_numbers import GAPLESS_FORMATS, MOST_SKIPPED, NUMBERED_FORMATS, FrameNumbers
from .writing.padding import even_size, padded
from .writing.scheduling import ordinary_priority

UNKNOWN_RATE: Final = Fraction(25)
FIXED_RATE_CODECS: Final = frozenset({"mpeg1video", "mpeg2video"})
MXF_ABOVE: Final = 23
"""Frames per second; FFmpeg's MXF has no slower ones."""
MPEG4_FINEST_UNIT: Final = 65535
"""MPEG-4 part 2 stores at most this many time units per second, in 16 bits."""
INTERLACED_CODECS: Final = frozenset(
    {"libx264", "libx264rgb", "mpeg2video", "mpeg4", "ffv1", "dvvideo"} | {"prores", "prores_aw", "prores_ks", "dnxhd"}
)
"""Encoders that mark frames as interlaced, with the order of their fields."""
FULL_RANGE_CODECS: Final = frozenset({"mjpeg"})
"""JFIF is full range by definition."""
ASPECT_WRITING_CODECS: Final = frozenset(
    {"libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video", "ffv1", "mjpeg", "png", "apng", "gif"}
)
"""Encoders that put the sample aspect ratio into the stream itself."""
STRICTNESS: Final = {"yuv4mpegpipe": {"strict": "-1"}}
"""Options of muxers that would refuse what is no part of a standard: more than 8 bits in YUV4MPEG2, an extension of
FFmpeg's own."""
RGB_MATRIX: Final = 0
"""FFmpeg's code of the matrix of RGB, which YUV cannot have."""
QUANTISER_UNIT: Final = 118
"""FFmpeg's FF_QP2LAMBDA: the unit of ``global_quality``."""
FRAME_DURATION: Final = 1 << 8
"""FFmpeg's AV_CODEC_FLAG_FRAME_DURATION: durations of frames are valid and reach the packets."""
FIELD_ORDERS: Final = {"top first": 2, "bottom first": 3}
"""FFmpeg's AV_FIELD_TT and AV_FIELD_BB."""


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """Everything that an encoder is opened with."""

    size_wh: tuple[int, int]
    pix_fmt: str
    rate: Fraction
    time_base: Fraction
    sample_aspect: Fraction
    tags: ColorTags
    field_order: int
    """FFmpeg's code, 0 for progressive frames."""
    options: Mapping[str, str]

    def apply(self, context: av.VideoCodecContext, encoder: str) -> None:
        """Configure a context that is not open yet."""
        describe_frames(
            context,
            size_wh=self.size_wh,
            pix_fmt=self.pix_fmt,
            time_base=self.time_base,
            tags=self.tags,
            sample_aspect=self.sample_aspect,
        )
        context.framerate = self.rate
        # Frame threads: PyAV asks for slices by default, which cost x264 quality and speed.
        context.thread_type, context.thread_count = "AUTO", THREADS.get(encoder, 0)
        context.flags |= FRAME_DURATION
        if self.field_order:
            context.field_order = self.field_order
            if encoder in INTERLACED_CODECS:
                context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if encoder in QUANTISERS and not {"b", "global_quality"} & set(self.options):
            context.qscale, context.global_quality = True, QUANTISERS[encoder] * QUANTISER_UNIT
        context.options = with_repeatable_arithmetic(encoder, self.options)


def describe_frames(
    context: av.VideoCodecContext,
    *,
    size_wh: tuple[int, int],
    pix_fmt: str,
    time_base: Fraction,
    tags: ColorTags,
    sample_aspect: Fraction = Fraction(1),
) -> None:
    """Set the properties of its frames on an encoder that is not open yet."""
    context.width, context.height = size_wh
    context.pix_fmt, context.time_base = pix_fmt, time_base
    context.sample_aspect_ratio = sample_aspect
    context.color_range, context.colorspace = tags.range, tags.matrix
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer


class VideoEncoder:
    """Encodes the frames of one video into one stream of a container."""

    def __init__(
        self,
        container: av.container.OutputContainer,
        codec: Codec,
        info: SourceInfo,
        *,
        pix_fmt: str | None,
        options: Mapping[str, str],
        warnings: list[str],
        on_device: bool = False,
    ) -> None:
        """Add the stream and try to open the encoder for frames as ``info`` describes them.

        ``on_device``: frames come in a GPU's memory, and NVENC encodes them there. ``warnings`` gets a line for
        everything that the output cannot hold.

        Raises ConfigurationError for a pixel format that the encoder does not support, SinkError where the container
        does not support the codec or the encoder cannot be opened.
        """
        self._codec, self._info, self._requested = codec, info, pix_fmt
        self._options, self._warnings = dict(options), warnings
        if container.format.name == "avi" and codec.name != "mjpeg":
            # AVI has no presentation times, so players show B-frames late and out of order.
            self._options.setdefault("bf", "0")
        if codec.name == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: it prints its settings to stderr otherwise
        direct = on_device and codec.name in ENCODERS and pix_fmt in (None, SURFACE)
        self._nvenc = NvencFrames() if direct else None
        self._container = container.format.name
        self.template: av.VideoStream
        """The parameters of the stream, as the encoder states them, in a container that is never written."""
        self._fixed_rate = _fixed_rate(container, codec, info)
        self._choice, self._size_wh = self._choose_format(info.format, (info.width, info.height))
        self.stream = self._add_stream(container)
        self._loses_captions = not writes_captions(codec)
        """Whether captions of frames would be lost without a warning."""
        self._warn_of_losses()
        self._opened_for: tuple[PixelFormat, tuple[int, int]] | None = None
        self._numbers = FrameNumbers(self._fixed_rate, self._container) if self._fixed_rate else None
        self._previous: av.VideoFrame | None = None
        """The frame before, as the encoder got it."""
        self.frames = 0
        """Frames encoded so far."""

    @property
    def summary(self) -> str:
        """Encoder, pixel format and options in a few words."""
        options = (f"{name}={value}" for name, value in self._options.items() if not name.endswith("-params"))
        return " ".join([self._codec.name, self._choice.name, *options])

    @property
    def end(self) -> Fraction | None:
        """Where the video ends so far, in seconds, if the container holds none of it without audio."""
        return self._numbers.end if self._numbers and self._container in GAPLESS_FORMATS else None

    def encode(self, frame: Frame) -> "list[av.Packet[Any]]":
        """Encode a frame, which is used up; the packets that are ready. Raises SinkError where the encoder fails."""
        if frame.format.chroma == "none" and "gray" not in self._choice.name:
            frame = with_neutral_chroma(frame)
        if self._opened_for is None:
            self._open(frame)
        elif self._opened_for != (frame.format, frame.size_wh):
            raise SinkError(
                f"A frame is {frame.size_wh[0]}x{frame.size_wh[1]} {frame.format.name}, those before it "
                f"{self._opened_for[1][0]}x{self._opened_for[1][1]} {self._opened_for[0].name}. "
                "Effects must give frames of one size and format."
            )
        av_frame = self._to_encode(frame)
        # The decoder left its type (I, P, B) on the frame, which would force the encoder to use the same.
        av_frame.pict_type = 0
        self.frames += 1
        return self._numbered(av_frame, self._numbers) if self._numbers else self._packets(av_frame)

    def flush(self) -> "list[av.Packet[Any]]":
        """The packets still in the encoder; nothing may be encoded after."""
        return self._packets(None) if self._opened_for is not None else []

    def _packets(self, av_frame: av.VideoFrame | None) -> "list[av.Packet[Any]]":
        try:
            return self.stream.encode(av_frame)
        except (av.FFmpegError, ValueError) as error:
            raise SinkError(f"The encoder {self._codec.name} failed at frame {self.frames}: {error}.") from error

    def _to_encode(self, frame: Frame) -> av.VideoFrame:
        """The frame in the encoder's pixel format, range and time."""
        color, pix_fmt = frame.color, self._choice.name
        if self._loses_captions and has_captions(frame.handle):
            self._warn(f"The video has closed captions, which {self._codec.name} cannot write: they are lost.")
            self._loses_captions = False
        same_size = frame.size_wh == self._size_wh
        if self._nvenc is not None and frame.on_device and same_size and not has_captions(frame.handle):
            return self._on_device(self._nvenc, frame)
        av_frame = frame_to_av(frame)
        full = True if self._must_be_full_range(pix_fmt) else None
        if av_frame.format.name.replace("yuvj", "yuv") != pix_fmt or (full and not color.full_range):
            pts, time_base, duration = av_frame.pts, av_frame.time_base, av_frame.duration
            av_frame = convert(av_frame, color, pix_fmt, full_range=full)
            av_frame.pts, av_frame.time_base, av_frame.duration = pts, time_base, duration
        if not same_size:
            av_frame = padded(av_frame, self._size_wh)
        return av_frame

    def _on_device(self, nvenc: NvencFrames, frame: Frame) -> av.VideoFrame:
        """The frame in the GPU's memory that it lies in, without FFmpeg's side data."""
        av_frame = nvenc.av_frame(frame)
        av_frame.pts, av_frame.time_base, av_frame.duration = frame.pts, frame.time_base, frame.duration
        self._tags(frame).apply_to(av_frame)
        return av_frame

    def _must_be_full_range(self, pix_fmt: str) -> bool:
        return self._codec.name in FULL_RANGE_CODECS or pix_fmt not in PIXEL_FORMATS

    def _numbered(self, av_frame: av.VideoFrame, numbers: FrameNumbers) -> "list[av.Packet[Any]]":
        """Encode the frame under its number, and before it the one before where numbers would be left out."""
        assert av_frame.pts is not None
        assert av_frame.time_base is not None
        missing = numbers.place(av_frame.pts * av_frame.time_base)
        if missing is None:
            self._warn(f"The output has a fixed frame rate ({float(numbers.rate):g}); frames beyond it are left out.")
            return []
        if numbers.rounded:
            self._warn(f"The output has a fixed frame rate ({float(numbers.rate):g}); frames' times are rounded to it.")
        if numbers.cut:
            self._warn(
                f"The video pauses for more than {float(MOST_SKIPPED / numbers.rate):.0f} s, which the output cannot "
                "hold: what comes after that is early. Choose another container, such as Matroska."
            )
        av_frame.time_base, av_frame.duration = 1 / numbers.rate, 1
        shown, self._previous = self._previous or av_frame, av_frame
        packets: list[av.Packet[Any]] = []
        for number in missing:
            shown.pts = number
            packets += self._packets(shown)
        av_frame.pts = missing.stop
        return packets + self._packets(av_frame)

    def _open(self, frame: Frame) -> None:
        pixel_format, size_wh = frame.format, frame.size_wh
        expected = with_chroma_format(self._info.format), (self._info.width, self._info.height)
        if (pixel_format, size_wh) != expected:
            self._choice, self._size_wh = self._choose_format(pixel_format, size_wh)
        self._warn_of_format(pixel_format, size_wh)
        setup = self._setup(self._choice.name, self._size_wh, self._tags(frame))
        setup.apply(self.stream.codec_context, self._codec.name)
        try:
            with ordinary_priority():
                self.stream.codec_context.open()
        except (av.FFmpegError, ValueError) as error:
            raise self._cannot_open(error) from error
        self._opened_for = (pixel_format, size_wh)

    def _warn_of_format(self, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        name, choice = self._codec.name, self._choice
        if choice.loses and self._was_rgb and name in DELIVERY_ENCODERS and self._requested is None:
            self._warn(
                f"RGB is encoded in {choice.name} without all of its {choice.loses}, since few players decode 4:4:4. "
                "The option output.pix_fmt with yuv444p keeps the chroma resolution."
            )
        elif choice.loses:
            self._warn(
                f"The best pixel format of the encoder {name} is {choice.name}, "
                f"which loses {choice.loses} of {pixel_format.name}."
            )
        if size_wh != self._size_wh:
            self._warn(
                f"{name} encodes {choice.name} in even sizes alone: {size_wh[0]}x{size_wh[1]} becomes "
                f"{self._size_wh[0]}x{self._size_wh[1]}; the last column or row is repeated."
            )
        if name in H264_ENCODERS and choice.name not in PLAYED_EVERYWHERE and self._requested is None:
            self._warn(
                f"Few players decode H.264 in {choice.name}. The option output.pix_fmt with yuv420p suits all of them."
            )

    @property
    def _was_rgb(self) -> bool:
        source = av.VideoFormat(self._info.pix_fmt)
        return source.is_rgb or source.has_palette

    def _tags(self, frame: Frame) -> ColorTags:
        """The colour tags that frames have when they reach the encoder."""
        av_frame = frame.handle
        unchanged = isinstance(av_frame, av.VideoFrame) and frame.color == self._info.color
        tags = ColorTags.of(av_frame) if unchanged else ColorTags.for_spec(frame.color)
        if tags.matrix == RGB_MATRIX:  # of gray PNG, for one, whose values then mean what `frame.color` assumes
            tags = replace(tags, matrix=ColorTags.for_spec(frame.color).matrix)
        if self._choice.name not in PIXEL_FORMATS:  # RGB, which has no matrix
            return ColorTags(range=FULL, primaries=tags.primaries, transfer=tags.transfer)
        full = self._codec.name in FULL_RANGE_CODECS or frame.color.full_range
        return ColorTags(
            range=FULL if full else tags.range,
            matrix=tags.matrix,
            primaries=tags.primaries,
            transfer=tags.transfer,
        )

    def _choose_format(
        self, pixel_format: PixelFormat, size_wh: tuple[int, int]
    ) -> tuple[FormatChoice, tuple[int, int]]:
        """The best pixel format with which the encoder opens, and the size; some need even sizes."""
        failure: Exception | None = None
        for choice in format_choices(self._codec, pixel_format, self._requested, was_rgb=self._was_rgb):
            even = even_size(size_wh, PIXEL_FORMATS.get(choice.name.replace("yuvj", "yuv")))
            for size in dict.fromkeys((size_wh, even)):
                try:
                    self._try_to_open(choice.name, size)
                except (av.FFmpegError, ValueError) as error:
                    failure = failure or error
                else:
                    return choice, size
        assert failure is not None
        raise self._cannot_open(failure) from failure

    def _try_to_open(self, pix_fmt: str, size_wh: tuple[int, int]) -> None:
        """Open the encoder and write a header to memory, so that errors show before the output is touched."""
        name = SEGMENT_FORMATS.get(self._container, self._container)
        trial = av.open(io.BytesIO(), "w", format=name, container_options=STRICTNESS.get(name, {}))
        stream = self._add_stream(trial)
        tags = ColorTags(range=FULL if self._must_be_full_range(pix_fmt) else 0)
        self._setup(pix_fmt, size_wh, tags).apply(stream.codec_context, self._codec.name)
        with ordinary_priority():
            stream.codec_context.open()
        try:
            trial.start_encoding()
        except (av.FFmpegError, OSError) as error:
            raise self._does_not_fit() from error
        self.template = _detached(stream, trial.format.name)

    def _add_stream(self, container: av.container.OutputContainer) -> av.VideoStream:
        try:
            accel = self._nvenc.accel() if self._nvenc else None
            return container.add_stream(self._codec.name, rate=self._rate, hwaccel=accel)  # type: ignore[return-value]
        except ValueError as error:
            raise self._does_not_fit() from error

    def _setup(self, pix_fmt: str, size_wh: tuple[int, int], tags: ColorTags) -> _Setup:
        return _Setup(
            size_wh=size_wh,
            pix_fmt=pix_fmt,
            rate=self._rate,
            time_base=1 / self._rate if self._fixed_rate else self._info.time_base,
            sample_aspect=self._info.sample_aspect,
            tags=tags,
            field_order=FIELD_ORDERS.get(self._info.field_order, 0),
            options=self._options,
        )

    @property
    def _rate(self) -> Fraction:
        return self._fixed_rate or self._info.frame_rate or UNKNOWN_RATE

    def _does_not_fit(self) -> SinkError:
        return SinkError(
            f"{self._container} files cannot hold the video of {self._codec.name}. "
            "Choose another encoder, or another extension for the output."
        )

    def _cannot_open(self, error: Exception) -> SinkError:
        name, width, height = self._codec.name, self._info.width, self._info.height
        return SinkError(
            f"The encoder {name} cannot be used for {width}x{height} {self._info.format.name} here "
            f"({getattr(error, 'strerror', None) or error}). Check its options, or choose another encoder."
        )

    def _warn_of_losses(self) -> None:
        info, name = self._info, self._codec.name
        if info.field_order != "progressive" and name not in INTERLACED_CODECS:
            self._warn(f"The video is interlaced ({info.field_order}), which {name} cannot mark in its frames.")
        if info.sample_aspect != 1 and name not in ASPECT_WRITING_CODECS:
            self._warn(f"The sample aspect ratio {info.sample_aspect} cannot be stored with {name}.")

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def _detached(stream: av.VideoStream, format_name: str) -> av.VideoStream:
    """The stream's parameters alone, without its encoder."""
    holder = av.open(io.BytesIO(), "w", format=format_name)
    return holder.add_stream_from_template(stream, opaque=True)


def has_captions(handle: Any) -> bool:
    """Whether FFmpeg's frame carries closed captions (CEA-708), which encoders write into the video."""
    return isinstance(handle, av.VideoFrame) and side_data_of(handle, Type.A53_CC) is not None


def _fixed_rate(container: av.container.OutputContainer, codec: Codec, info: SourceInfo) -> Fraction | None:
    """The rate at which the output counts its frames, or ``None`` where frames keep their times."""
    rate = info.frame_rate or UNKNOWN_RATE
    if codec.name in FIXED_RATE_CODECS:
        known = [Fraction(rate.numerator, rate.denominator) for rate in codec.frame_rates or []]
        allowed = [one for one in known if one > MXF_ABOVE or container.format.name != "mxf"]
        multiples = [one for one in allowed if (one / rate).denominator == 1]  # in which all times are exact
        return min(multiples or allowed, key=lambda one: abs(one - rate), default=rate)
    too_fine = codec.name == "mpeg4" and info.time_base.denominator > MPEG4_FINEST_UNIT
    return rate if too_fine or container.format.name in NUMBERED_FORMATS else None
