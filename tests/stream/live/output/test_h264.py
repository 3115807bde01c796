"""H.264 of canvas frames: its options, and what a decoder sees of them."""

import io
from fractions import Fraction

import av
import pytest

from emocolor.errors import ConfigurationError
from emocolor.frames import ColorSpec
from stream.live.media_clock import TICK
from stream.live.output.canvas import Canvas
from stream.live.output.h264 import EncoderOptions, add_h264
from stream.media.sink import SinkOptions


def test_what_is_not_asked_for_is_the_default():
    assert EncoderOptions.of(SinkOptions()) == EncoderOptions()
    assert EncoderOptions.of(SinkOptions(crf=30)) == EncoderOptions(crf=30)
    assert EncoderOptions.of(SinkOptions(preset="faster")) == EncoderOptions(preset="faster")


def test_what_x264_does_not_take_is_refused():
    with pytest.raises(ConfigurationError, match="crf"):
        EncoderOptions(crf=99)
    with pytest.raises(ConfigurationError, match="no preset 'quick'"):
        EncoderOptions(preset="quick")


@pytest.mark.parametrize(
    ("rate", "interval"), [(Fraction(30000, 1001), "60"), (Fraction(25), "50"), (Fraction(1, 9), "1")]
)
def test_key_frames_come_every_two_seconds(rate, interval):
    assert EncoderOptions().x264_options(rate)["g"] == interval


def test_frames_come_out_at_once_in_the_canvas_form():
    canvas = Canvas((64, 48), ColorSpec(matrix="bt709", primaries="bt709"))
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as container:
        stream = add_h264(container, canvas, Fraction(25), EncoderOptions().x264_options(Fraction(25)))
        for index in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = index * 3600, TICK
            packets = stream.encode(frame)
            assert [packet.pts for packet in packets] == [index * 3600], "none is held back"
            container.mux(packets)
    memory.seek(0)
    with av.open(memory) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height, context.pix_fmt) == (64, 48, "yuv420p")
        assert (context.color_range, context.colorspace, context.color_primaries) == (1, 1, 1)
        assert len(list(container.decode(video=0))) == 3
