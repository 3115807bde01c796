"""Which videos NVDEC is asked for, and what is said where it cannot be had; its frames need a GPU."""

from typing import Any

import av
import pytest

from emocolor.errors import EngineError
from stream.media.nvdec import copy_parameters, make_cuda_context, open_nvdec, unsuitable


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ({"codec": "mpeg4"}, "NVDEC is used for av1, h264, hevc, vp8, vp9, not for mpeg4."),
        ({"pix_fmt": "yuv422p"}, "NVDEC is used for yuv420p, yuvj420p, yuv420p10le, not for yuv422p."),
        (
            {"size_wh": (63, 48), "pix_fmt": "yuv444p"},
            "NVDEC is used for yuv420p, yuvj420p, yuv420p10le, not for yuv444p.",
        ),
        ({"size_wh": (63, 48), "codec": "libvpx-vp9"}, "NVDEC is used for frames with even sides, not for 63x48."),
        ({"name": "clip.avi"}, "NVDEC is used where packets have presentation times, which avi files lack."),
        ({}, None),
    ],
)
def test_what_is_left_to_software(make_clip: Any, clip: dict[str, Any], said: str | None) -> None:
    with av.open(str(make_clip(**{"name": "clip.mkv", "frames": 2, **clip}))) as container:
        stream = container.streams.video[0]
        assert unsuitable(stream.codec_context, container.format.name) == said


def test_nvdec_that_cannot_be_had_is_left_or_refused(make_clip: Any) -> None:
    pytest.importorskip("torch")
    with av.open(str(make_clip(codec="mpeg4"))) as container:
        stream = container.streams.video[0]
        assert open_nvdec(stream) is None
        with pytest.raises(EngineError, match=r"^The decoder nvdec cannot be used: .* not for mpeg4\. Choose .* auto"):
            open_nvdec(stream, required=True)


def test_a_decoder_set_up_from_another_decodes_the_same_frames(make_clip: Any) -> None:
    """MP4 keeps H.264's parameter sets out of the packets: a decoder that is not told them gives nothing."""
    path = make_clip(tags={"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16})
    with av.open(str(path)) as container:
        expected = [(frame.pts, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context: Any = av.CodecContext.create("h264", "r")
        copy_parameters(stream.codec_context, context)
        assert (context.colorspace, context.color_trc, context.thread_count) == (9, 16, 1)
        packets = [packet for packet in container.demux(stream) if packet.size]
        frames = [frame for packet in [*packets, None] for frame in context.decode(packet)]
    assert [(frame.pts, frame.to_ndarray().tobytes()) for frame in frames] == expected


def test_without_a_gpu_nvdec_is_left_or_refused_in_one_line(make_clip: Any) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match="no NVIDIA GPU"):
        make_cuda_context()
    with av.open(str(make_clip())) as container:
        stream = container.streams.video[0]
        assert unsuitable(stream.codec_context, container.format.name) is None
        assert open_nvdec(stream) is None
        with pytest.raises(EngineError, match=r"NVDEC cannot be opened \(torch finds no NVIDIA GPU\)") as caught:
            open_nvdec(stream, required=True)
    assert "\n" not in str(caught.value)


@pytest.mark.gpu
def test_nvdec_decodes_every_frame_into_the_gpu_s_memory(make_clip: Any) -> None:
    with av.open(str(make_clip(frames=40, size_wh=(322, 182)))) as container:
        stream = container.streams.video[0]
        decoder = open_nvdec(stream, required=True)
        assert decoder is not None
        packets = [packet for packet in container.demux(stream) if packet.size]
        frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        assert [frame.pts for frame in frames] == [512 * index for index in range(40)]
        assert {frame.format.name for frame in frames} == {"cuda"}
