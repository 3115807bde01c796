"""A live video as H.264, with its audio, into a file that survives a crash, a pipe, or a network stream."""

import contextlib
import logging
import os
import select
import sys
from collections.abc import Sequence
from typing import Any, Final

import av

from emocolor.errors import SinkError
from stream.media.locations import write_failure
from stream.media.writing.companion_writers import CompanionOutput
from stream.media.writing.muxer import Muxer
from stream.media.writing.network_sender import NetworkSender

from ..audio import AudioPacket, add_audio
from ..media_clock import TICK
from .destinations import FORMATS, LOW_LATENCY, Destination
from .h264 import EncoderOptions, add_h264
from .queued_output import OutputFormat

NETWORK_RATE: Final = {"maxrate": "4M", "bufsize": "4M"}
"""Bits per second that a connection must carry; a complex scene loses quality instead."""
PIPE_TIMEOUT_S: Final = 5.0
"""How long the reader of a pipe may accept nothing."""

log = logging.getLogger(__name__)


class MediaOutput:
    """One video stream, and one audio stream where there is audio, in a container that is written as they come."""

    def __init__(
        self,
        destination: Destination,
        output_format: OutputFormat,
        options: EncoderOptions,
        *,
        pipe_timeout_s: float = PIPE_TIMEOUT_S,
    ) -> None:
        """Open it. Raises ``SinkError``."""
        self._destination = destination
        self._pipe_timeout_s = pipe_timeout_s
        self._sender = _sender_to(destination) if destination.kind == "network" else None
        self._origin: int | None = None
        """Time of the first frame, in ``TICK``."""
        self._done = False
        try:
            self._container = self._open_container()
            limits = NETWORK_RATE if destination.kind == "network" else {}
            settings = options.x264_options(output_format.rate) | limits
            self._stream = add_h264(self._container, output_format.canvas, output_format.rate, settings)
            self._audio = self._add_audio(output_format)
            self._muxer = Muxer(self._container)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error

    def write(self, frame: av.VideoFrame) -> None:
        """As ``LiveOutput`` says."""
        assert frame.pts is not None
        if self._origin is None:
            self._origin = frame.pts
        self._encode(frame)

    def write_audio(self, packet: AudioPacket) -> None:
        """As ``LiveOutput`` says."""
        if self._audio is not None and self._origin is not None:
            self._mux(self._audio.put(packet.packet_after(self._origin * TICK)), copied=self._audio.copies)

    def finish(self) -> None:
        """As ``LiveOutput`` says."""
        self._encode(None)
        if self._audio is not None:
            self._mux(self._audio.flush(), copied=self._audio.copies)
        self._done = True
        try:
            self._muxer.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error
        lost = self._muxer.refused + (self._audio.undecodable if self._audio is not None else 0)
        if lost:
            log.warning("%s: %d damaged packets of the audio were left out", self._destination.shown, lost)
        if self._sender is not None:
            self._sender.close()

    def abort(self) -> None:
        """As ``LiveOutput`` says."""
        if self._sender is not None:
            self._sender.kill()
        if not self._done:
            self._done = True
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
        if self._sender is not None:
            self._sender.release()

    def _open_container(self) -> av.container.OutputContainer:
        file: Any = self._destination.name
        if self._sender is not None:
            file = BytePipe(self._sender.descriptor, self._pipe_timeout_s)
        elif self._destination.kind == "pipe":
            file = BytePipe(sys.stdout.fileno(), self._pipe_timeout_s)
        return av.open(file, "w", format=self._destination.stream_format, container_options=self._destination.options)

    def _add_audio(self, output_format: OutputFormat) -> CompanionOutput | None:
        if output_format.audio is None:
            return None
        warnings: list[str] = []
        seekable = self._destination.kind == "file"
        audio = add_audio(self._container, output_format.audio, warnings, seekable=seekable)
        for warning in warnings:
            log.warning("%s: %s", self._destination.shown, warning)
        return audio

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            packets = self._stream.encode(frame)
        except (av.FFmpegError, ValueError) as error:
            raise self._failure(error) from error
        origin = self._origin or 0
        for packet in packets:
            # Times are counted from the first frame here and not in the frame, which other outputs share.
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts, packet.dts = packet.pts - origin, packet.dts - origin
        self._mux(packets)

    def _mux(self, packets: "Sequence[av.Packet[Any]]", *, copied: bool = False) -> None:
        try:
            if self._sender is not None:
                self._sender.check_connected()
            self._muxer.write(packets, copied=copied)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> SinkError:
        """The error to report; the sending process knows better than the pipe to it what went wrong."""
        if self._sender is not None:
            return self._sender.failure()
        shown = self._destination.shown
        return write_failure(shown, error, disk_full=f"{shown} holds what was written so far")


def _sender_to(destination: Destination) -> NetworkSender:
    return NetworkSender(
        destination.name,
        shown=destination.shown,
        carrier=destination.stream_format,
        format_name=destination.format,
        options={**LOW_LATENCY, **FORMATS[destination.format]},
    )


class BytePipe:
    """Writes to a pipe as PyAV writes to a file, and gives up where its reader accepts nothing."""

    def __init__(self, descriptor: int, timeout_s: float = PIPE_TIMEOUT_S) -> None:
        """``descriptor`` stays the caller's, who closes it."""
        self._descriptor = descriptor
        self._timeout_s = timeout_s
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, data: bytes) -> int:
        """Write it all. Raises ``BrokenPipeError`` where the reader is gone, ``TimeoutError`` where it stopped."""
        rest = memoryview(data)
        while rest:
            if not self._poll.poll(self._timeout_s * 1000):
                raise TimeoutError(f"its reader accepted nothing for {self._timeout_s:g} s")
            # A pipe that is ready has room for this much, so that writing does not block.
            rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        return len(data)
