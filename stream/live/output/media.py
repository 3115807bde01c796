"""A live picture as H.264, with its sound, into a file that survives a crash, a pipe, or a network stream."""

import contextlib
import errno
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from emocolor.errors import SinkError
from stream.media.companion_streams import CompanionOutput
from stream.media.encoder_choice import encoder_options, find_encoder
from stream.media.locations import reason_of

from ..audio import AudioPacket, add_sound
from ..media_clock import TICK
from .byte_pipe import BytePipe
from .canvas import FORMAT
from .destinations import Destination
from .network_sender import Publisher
from .output import Form

ENCODER: Final = "libx264"
KEY_FRAMES_S: Final = 2
"""Seconds from key frame to key frame: how long one who joins waits, and what a torn file may lose."""
NETWORK_RATE: Final = {"maxrate": "4M", "bufsize": "4M"}
"""Bits a second that a connection must carry; a hard picture loses quality instead."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """How much work the encoder takes, and how good it is."""

    crf: float = 23
    """Constant quality of x264, 0 to 51, lower is better."""
    preset: str = "veryfast"
    """x264's, from ``ultrafast`` on."""

    def __post_init__(self) -> None:
        """Raises ``ConfigurationError`` for what x264 does not take."""
        encoder_options(find_encoder(ENCODER), crf=self.crf, preset=self.preset, options={}, hdr=None)

    def for_stream(self, form: Form, destination: Destination) -> dict[str, str]:
        """x264's options for one output, none of which holds a picture back."""
        limits = NETWORK_RATE if destination.kind == "network" else {}
        keys = str(max(1, round(KEY_FRAMES_S * form.rate)))
        return {"crf": f"{self.crf:g}", "preset": self.preset, "tune": "zerolatency", "g": keys, **limits}


class MediaOutput:
    """One stream of pictures, and one of sound where there is any, in a container that is written as they come."""

    def __init__(self, destination: Destination, form: Form, options: EncoderOptions) -> None:
        """Open it. Raises ``SinkError``."""
        self._destination = destination
        self._publisher = Publisher(destination) if destination.kind == "network" else None
        self._origin: int | None = None
        self._done = False
        try:
            self._container = self._open_container()
            self._stream = self._add_pictures(form, options)
            self._sound = self._add_sound(form)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error

    def write(self, picture: av.VideoFrame) -> None:
        """As ``Output`` says."""
        assert picture.pts is not None
        if self._origin is None:
            self._origin = picture.pts
        self._encode(picture)

    def write_audio(self, packet: AudioPacket) -> None:
        """As ``Output`` says."""
        if self._sound is not None and self._origin is not None:
            self._mux(self._sound.put(packet.packet_after(self._origin * TICK)))

    def finish(self) -> None:
        """As ``Output`` says."""
        self._encode(None)
        if self._sound is not None:
            self._mux(self._sound.flush())
        self._done = True
        try:
            self._container.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error
        if self._publisher is not None:
            self._publisher.close()

    def abort(self) -> None:
        """As ``Output`` says."""
        if self._publisher is not None:
            self._publisher.kill()
        if not self._done:
            self._done = True
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
        if self._publisher is not None:
            self._publisher.release()

    def _open_container(self) -> av.container.OutputContainer:
        place: Any = self._destination.name
        if self._publisher is not None:
            place = BytePipe(self._publisher.descriptor)
        elif self._destination.kind == "pipe":
            place = BytePipe(sys.stdout.fileno())
        return av.open(place, "w", format=self._destination.stream_format, container_options=self._destination.options)

    def _add_pictures(self, form: Form, options: EncoderOptions) -> av.VideoStream:
        settings = options.for_stream(form, self._destination)
        stream: Any = self._container.add_stream(ENCODER, rate=form.rate, options=settings)
        context, tags = stream.codec_context, form.canvas.tags
        context.width, context.height = form.canvas.size_wh
        context.pix_fmt, context.time_base = FORMAT, TICK
        context.sample_aspect_ratio = Fraction(1)
        context.color_range, context.colorspace = tags.range, tags.matrix
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        context.open()
        assert isinstance(stream, av.VideoStream)
        return stream

    def _add_sound(self, form: Form) -> CompanionOutput | None:
        if form.sound is None:
            return None
        warnings: list[str] = []
        sound = add_sound(self._container, form.sound, warnings)
        for warning in warnings:
            log.warning("%s: %s", self._destination.shown, warning)
        return sound

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            packets = self._stream.encode(picture)
        except (av.FFmpegError, ValueError) as error:
            raise self._failure(error) from error
        origin = self._origin or 0
        for packet in packets:
            # Counted from the first picture here, and not in the picture, which others share.
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts, packet.dts = packet.pts - origin, packet.dts - origin
        self._mux(packets)

    def _mux(self, packets: "Sequence[av.Packet[Any]]") -> None:
        try:
            self._container.mux(packets)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> SinkError:
        """What a user is told; a publisher knows better than the pipe to it what went wrong."""
        if self._publisher is not None:
            return self._publisher.failure()
        shown, number = self._destination.shown, getattr(error, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return SinkError(f"The disk is full: {shown} holds what was written so far.")
        if number == errno.EPIPE:
            return SinkError(f"The reader of {shown} went away.")
        return SinkError(f"Cannot write {shown}: {reason_of(error)}.")
