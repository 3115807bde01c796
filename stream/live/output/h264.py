"""H.264 of canvas frames, as every output that is encoded here has it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from stream.media.encoder import describe_frames
from stream.media.encoder_choice import encoder_options, find_encoder
from stream.media.writing.sink_options import SinkOptions

from ..media_clock import TICK
from .canvas import FORMAT, Canvas

ENCODER: Final = "libx264"
KEY_FRAME_INTERVAL_S: Final = 2
"""How long someone who joins a stream waits for its first frame, and how much of a torn file may be lost."""


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """How much work the encoder takes, and how good it is."""

    crf: float = 23
    """Constant quality of x264, 0 to 51, lower is better."""
    preset: str = "veryfast"
    """x264's speed preset, from ``ultrafast`` on."""

    @classmethod
    def of(cls, sink: SinkOptions) -> "EncoderOptions":
        """What ``sink`` asks for, and the defaults for the rest."""
        return cls(crf=cls.crf if sink.crf is None else sink.crf, preset=sink.preset or cls.preset)

    def __post_init__(self) -> None:
        """Raises ``ConfigurationError`` for what x264 does not take."""
        encoder_options(find_encoder(ENCODER), crf=self.crf, preset=self.preset, options={}, hdr=None)

    def x264_options(self, rate: Fraction) -> dict[str, str]:
        """By FFmpeg's names, for ``rate`` frames per second; none of them makes the encoder hold frames back."""
        keys = str(max(1, round(KEY_FRAME_INTERVAL_S * rate)))
        return {"crf": f"{self.crf:g}", "preset": self.preset, "tune": "zerolatency", "g": keys}


def add_h264(
    container: av.container.OutputContainer, canvas: Canvas, rate: Fraction, options: dict[str, str]
) -> av.VideoStream:
    """Add a stream that is ready for frames of ``canvas``. Raises FFmpeg's errors."""
    stream: Any = container.add_stream(ENCODER, rate=rate, options=options)
    context = stream.codec_context
    describe_frames(context, size_wh=canvas.size_wh, pix_fmt=FORMAT, time_base=TICK, tags=canvas.tags)
    context.open()
    assert isinstance(stream, av.VideoStream)
    return stream
