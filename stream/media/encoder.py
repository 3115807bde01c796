"""Frames to packets of one output stream: the encoder is set up by the first frame."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

import av
from av.codec import Codec
from av.codec.context import Flags
from av.sidedata.sidedata import Type

from emocolor.errors import SinkError
from emocolor.frames import PIXEL_FORMATS, Frame, PixelFormat

from .companion_streams import SEGMENT_FORMATS
from .encoder_choice import QUANTISERS, FormatChoice, coloured_form, format_choices
from .frames import FULL, ColorTags, convert, unwrap, with_neutral_chroma
from .nvenc import ENCODERS, SURFACE, NvencFrames
from .source_facts import SourceFacts

UNKNOWN_RATE: Final = Fraction(25)
FIXED_RATE_FORMATS: Final = frozenset({"avi", "yuv4mpegpipe", "mxf", "gxf", "dv"})
"""Containers that hold frames by number, not by time."""
FIXED_RATE_CODECS: Final = frozenset({"mpeg1video", "mpeg2video"})
MPEG4_FINEST_UNIT: Final = 65535
"""MPEG-4 part 2 counts at most this many units a second."""
INTERLACED_CODECS: Final = frozenset({"libx264", "mpeg2video"})
"""Encoders that mark fields as such."""
FULL_RANGE_CODECS: Final = frozenset({"mjpeg"})
ASPECT_WRITING_CODECS: Final = frozenset(
    {"libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video", "ffv1", "mjpeg", "png", "apng", "gif"}
)
"""Encoders that put the sample aspect ratio into the stream itself."""
QUANTISER_UNIT: Final = 118
"""FFmpeg's FF_QP2LAMBDA."""
FRAME_DURATION: Final = 1 << 8
FIELD_ORDERS: Final = {"top first": 2, "bottom first": 3}


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """All that an encoder is opened with."""

    size_wh: tuple[int, int]
    format: str
    rate: Fraction
    time_base: Fraction
    sample_aspect: Fraction
    tags: ColorTags
    field_order: int
    """FFmpeg's code, 0 for progressive frames."""
    options: Mapping[str, str]

    def apply(self, context: av.VideoCodecContext, encoder: str) -> None:
        """Put everything onto a context that is not open yet."""
        describe_frames(
            context,
            size_wh=self.size_wh,
            format=self.format,
            time_base=self.time_base,
            tags=self.tags,
            sample_aspect=self.sample_aspect,
        )
        context.framerate = self.rate
        # Frame threads: slices, which PyAV asks for, cost x264 quality and speed.
        context.thread_type = "AUTO"
        context.flags |= FRAME_DURATION
        if self.field_order:
            context.field_order = self.field_order
            if encoder in INTERLACED_CODECS:
                context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if encoder in QUANTISERS and not {"b", "global_quality"} & set(self.options):
            context.qscale, context.global_quality = True, QUANTISERS[encoder] * QUANTISER_UNIT
        context.options = dict(self.options)


def describe_frames(
    context: av.VideoCodecContext,
    *,
    size_wh: tuple[int, int],
    format: str,
    time_base: Fraction,
    tags: ColorTags,
    sample_aspect: Fraction = Fraction(1),
) -> None:
    """Tell an encoder that is not open yet what its frames are like."""
    context.width, context.height = size_wh
    context.pix_fmt, context.time_base = format, time_base
    context.sample_aspect_ratio = sample_aspect
    context.color_range, context.colorspace = tags.range, tags.matrix
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer


class VideoEncoder:
    """Encodes the frames of one video into one stream of a container."""

    def __init__(
        self,
        container: av.container.OutputContainer,
        codec: Codec,
        facts: SourceFacts,
        *,
        pix_fmt: str | None,
        options: Mapping[str, str],
        warnings: list[str],
        on_device: bool = False,
    ) -> None:
        """Add the stream and try the encoder on frames as ``facts`` describe them, in a GPU's memory or not.

        Raises ConfigurationError for a pixel format that the encoder does not take, and SinkError
        where the container does not take the codec or the encoder cannot be opened.
        """
        self._codec, self._facts, self._requested = codec, facts, pix_fmt
        self._options, self._warnings = dict(options), warnings
        if container.format.name == "avi" and codec.name != "mjpeg":
            self._options.setdefault("bf", "0")  # AVI has no presentation times: B-frames would come out late
        if codec.name == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # it tells its settings on stderr by itself
        direct = on_device and codec.name in ENCODERS and pix_fmt in (None, SURFACE)
        self._nvenc = NvencFrames() if direct else None
        self._container = container.format.name
        self._fixed_rate = _fixed_rate(container, codec, facts)
        self._choice = self._usable_format(facts.format, (facts.width, facts.height))
        self.stream = self._add_stream(container)
        self._warn_of_losses()
        self._opened_for: tuple[PixelFormat, tuple[int, int]] | None = None
        self._last_index = -1
        self.frames = 0
        """Frames encoded so far."""

    @property
    def summary(self) -> str:
        """Encoder, pixel format and options in a few words."""
        shown = {name: value for name, value in self._options.items() if not name.endswith("-params")}
        return " ".join([self._codec.name, self._choice.name, *(f"{name}={value}" for name, value in shown.items())])

    def encode(self, frame: Frame) -> "list[av.Packet[Any]]":
        """Packets that are ready with this frame, which is used up. Raises SinkError where the encoder fails."""
        if frame.format.chroma == "none" and "gray" not in self._choice.name:
            frame = with_neutral_chroma(frame)
        if self._opened_for is None:
            self._open(frame)
        elif self._opened_for != (frame.format, frame.size_wh):
            raise SinkError(
                f"A frame is {frame.size_wh[0]}x{frame.size_wh[1]} {frame.format.name}, those before it "
                f"{self._opened_for[1][0]}x{self._opened_for[1][1]} {self._opened_for[0].name}. "
                "Effects must give frames of one form."
            )
        av_frame = self._conformed(frame)
        # The decoder's choice of frame types would be forced upon the encoder.
        av_frame.pict_type = 0
        self.frames += 1
        return self._packets(av_frame)

    def flush(self) -> "list[av.Packet[Any]]":
        """The packets still in the encoder; nothing may be encoded after."""
        return self._packets(None) if self._opened_for is not None else []

    def _packets(self, frame: av.VideoFrame | None) -> "list[av.Packet[Any]]":
        try:
            return self.stream.encode(frame)
        except (av.FFmpegError, ValueError) as error:
            raise SinkError(f"The encoder {self._codec.name} failed at frame {self.frames}: {error}.") from error

    def _conformed(self, frame: Frame) -> av.VideoFrame:
        """The frame as the encoder wants it: pixel format, range and time."""
        color, form = frame.color, self._choice.name
        if self._nvenc is not None and frame.on_device and not has_captions(frame.handle):
            return self._on_device(self._nvenc, frame)
        av_frame = unwrap(frame)
        full = True if self._must_be_full_range(form) else None
        if av_frame.format.name.replace("yuvj", "yuv") != form or (full and not color.full_range):
            pts, time_base, duration = av_frame.pts, av_frame.time_base, av_frame.duration
            av_frame = convert(av_frame, color, form, full_range=full)
            av_frame.pts, av_frame.time_base, av_frame.duration = pts, time_base, duration
        if self._fixed_rate:
            self._number(av_frame)
        return av_frame

    def _on_device(self, nvenc: NvencFrames, frame: Frame) -> av.VideoFrame:
        """The frame's own memory, without what FFmpeg attaches to frames."""
        av_frame = nvenc.av_frame(frame)
        av_frame.pts, av_frame.time_base, av_frame.duration = frame.pts, frame.time_base, frame.duration
        self._tags(frame).put(av_frame)
        if self._fixed_rate:
            self._number(av_frame)
        return av_frame

    def _must_be_full_range(self, form: str) -> bool:
        return self._codec.name in FULL_RANGE_CODECS or form not in PIXEL_FORMATS

    def _number(self, frame: av.VideoFrame) -> None:
        """Replace the frame's time by the nearest free number at the fixed frame rate."""
        assert frame.pts is not None
        assert frame.time_base is not None
        exact = frame.pts * frame.time_base * self._rate
        index = max(round(exact), self._last_index + 1)
        if abs(index - exact) > Fraction(1, 4):
            self._warn(f"The output has a fixed frame rate ({float(self._rate):g}); frames' times are rounded to it.")
        frame.pts, frame.time_base, frame.duration = index, 1 / self._rate, 1
        self._last_index = index

    def _open(self, frame: Frame) -> None:
        form, size_wh = frame.format, frame.size_wh
        if (form, size_wh) != (coloured_form(self._facts.format), (self._facts.width, self._facts.height)):
            self._choice = self._usable_format(form, size_wh)
        if self._choice.loses:
            self._warn(
                f"The encoder {self._codec.name} takes {self._choice.name} at best: "
                f"{self._choice.loses} of {form.name} are lost."
            )
        setup = self._setup(self._choice.name, size_wh, self._tags(frame))
        setup.apply(self.stream.codec_context, self._codec.name)
        try:
            self.stream.codec_context.open()
        except (av.FFmpegError, ValueError) as error:
            raise self._cannot_open(error) from error
        self._opened_for = (form, size_wh)

    def _tags(self, frame: Frame) -> ColorTags:
        """The colour tags that the frames will carry once they are unwrapped and converted."""
        av_frame = frame.handle
        came_with = isinstance(av_frame, av.VideoFrame) and frame.color == self._facts.color
        tags = ColorTags.of(av_frame) if came_with else ColorTags.for_spec(frame.color)
        if self._choice.name not in PIXEL_FORMATS:
            return ColorTags(range=FULL, primaries=tags.primaries, transfer=tags.transfer)
        full = self._codec.name in FULL_RANGE_CODECS or frame.color.full_range
        return ColorTags(
            range=FULL if full else tags.range,
            matrix=tags.matrix,
            primaries=tags.primaries,
            transfer=tags.transfer,
        )

    def _usable_format(self, form: PixelFormat, size_wh: tuple[int, int]) -> FormatChoice:
        """The best pixel format with which the encoder opens; some refuse odd sizes with halved chroma."""
        failure: Exception | None = None
        for choice in format_choices(self._codec, form, self._requested):
            try:
                self._try(choice.name, size_wh)
            except (av.FFmpegError, ValueError) as error:
                failure = failure or error
            else:
                return choice
        assert failure is not None
        raise self._cannot_open(failure) from failure

    def _try(self, form: str, size_wh: tuple[int, int]) -> None:
        trial = av.open(io.BytesIO(), "w", format=SEGMENT_FORMATS.get(self._container, self._container))
        stream = self._add_stream(trial)
        tags = ColorTags(range=FULL if self._must_be_full_range(form) else 0)
        self._setup(form, size_wh, tags).apply(stream.codec_context, self._codec.name)
        stream.codec_context.open()
        try:
            trial.start_encoding()
        except (av.FFmpegError, OSError) as error:
            raise self._does_not_fit() from error

    def _add_stream(self, container: av.container.OutputContainer) -> av.VideoStream:
        try:
            accel = self._nvenc.accel() if self._nvenc else None
            return container.add_stream(self._codec.name, rate=self._rate, hwaccel=accel)  # type: ignore[return-value]
        except ValueError as error:
            raise self._does_not_fit() from error

    def _setup(self, form: str, size_wh: tuple[int, int], tags: ColorTags) -> _Setup:
        return _Setup(
            size_wh=size_wh,
            format=form,
            rate=self._rate,
            time_base=1 / self._rate if self._fixed_rate else self._facts.time_base,
            sample_aspect=self._facts.sample_aspect,
            tags=tags,
            field_order=FIELD_ORDERS.get(self._facts.field_order, 0),
            options=self._options,
        )

    @property
    def _rate(self) -> Fraction:
        return self._fixed_rate or self._facts.frame_rate or UNKNOWN_RATE

    def _does_not_fit(self) -> SinkError:
        return SinkError(
            f"{self._container} files cannot hold the video of {self._codec.name}. "
            "Choose another encoder, or another ending of the output."
        )

    def _cannot_open(self, error: Exception) -> SinkError:
        name, width, height = self._codec.name, self._facts.width, self._facts.height
        return SinkError(
            f"The encoder {name} cannot be used for {width}x{height} {self._facts.format.name} here "
            f"({getattr(error, 'strerror', None) or error}). Check its options, or choose another encoder."
        )

    def _warn_of_losses(self) -> None:
        facts, name = self._facts, self._codec.name
        if facts.field_order != "progressive" and name not in INTERLACED_CODECS:
            self._warn(f"The video is interlaced ({facts.field_order}), which {name} does not mark in its frames.")
        if facts.sample_aspect != 1 and name not in ASPECT_WRITING_CODECS:
            self._warn(f"Pixels are {facts.sample_aspect} wide, which cannot be recorded with {name}.")

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def has_captions(frame: Any) -> bool:
    """Whether closed captions (CEA-708) are attached to a frame, which encoders write into the video."""
    return isinstance(frame, av.VideoFrame) and cast(Any, frame.side_data).get(Type.A53_CC) is not None


def _fixed_rate(container: av.container.OutputContainer, codec: Codec, facts: SourceFacts) -> Fraction | None:
    """The frame rate that the output counts frames by, or ``None`` where frames keep their times."""
    rate = facts.frame_rate or UNKNOWN_RATE
    if codec.name in FIXED_RATE_CODECS:
        allowed = [Fraction(rate.numerator, rate.denominator) for rate in codec.frame_rates or []]
        return min(allowed, key=lambda known: abs(known - rate), default=rate)
    too_fine = codec.name == "mpeg4" and facts.time_base.denominator > MPEG4_FINEST_UNIT
    return rate if too_fine or container.format.name in FIXED_RATE_FORMATS else None
