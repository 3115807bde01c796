"""A video that was encoded before, as one stream of an output."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import OutputContainer

from emocolor.errors import SinkError

from ..packets import Packet


@dataclass(frozen=True)
class EncodedStream:
    """What packets that were encoded before have in common."""

    like: av.VideoStream
    """A stream with their parameters, whose container is open."""
    time_base: Fraction
    """Unit of their times, in seconds."""
    frame_rate: Fraction | None = None
    """Where it is known and constant; MOV counts timecodes by it."""


class EncodedVideo:
    """Takes packets in the place of frames; see :class:`~stream.media.encoder.VideoEncoder`."""

    def __init__(self, container: OutputContainer, encoded: EncodedStream) -> None:
        """Add the stream. Raises ``SinkError`` where the container does not support it."""
        try:
            # Opaque: no encoder is opened.
            self.stream = container.add_stream_from_template(encoded.like, opaque=True)
        except ValueError as error:
            raise SinkError(f"{container.format.name} cannot hold the video of the pieces: {error}.") from error
        self.stream.time_base = self._time_base = encoded.time_base
        if encoded.frame_rate is not None:
            self.stream.codec_context.framerate = encoded.frame_rate
        self.template = encoded.like
        """The parameters of the stream."""
        self.frames = 0
        """Packets so far, one for each frame."""
        self.end: Fraction | None = None
        """Unknown: the frames are not numbered."""

    @property
    def summary(self) -> str:
        """What the stream is, in a few words."""
        return f"{self.template.codec_context.name} as it is"

    def put(self, packets: Iterable[Packet]) -> list[Packet]:
        """The packets, as packets of this stream."""
        taken = list(packets)
        for packet in taken:
            packet.stream, packet.time_base = self.stream, self._time_base
        self.frames += len(taken)
        return taken

    def flush(self) -> list[Packet]:
        return []
