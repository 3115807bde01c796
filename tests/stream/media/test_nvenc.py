"""Frames for NVENC, made here of memory of the host: laid out as NVENC reads it, and never copied."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from emocolor.errors import EmocolorError
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from engines.device.planes import DevicePlane, new_av_frame, tensors_of
from stream.media.nvenc import ENCODERS, NvencFrames, is_contiguous
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource

torch = pytest.importorskip("torch")


def without_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")


def test_the_device_of_an_encoder_needs_a_gpu() -> None:
    without_gpu()
    with pytest.raises(RuntimeError, match="no NVIDIA GPU"):
        NvencFrames().accel()


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_an_nvenc_encoder_without_a_gpu_is_refused_in_one_line(make_clip: Any, tmp_path: Path, encoder: str) -> None:
    without_gpu()
    source = VideoSource(str(make_clip()))
    with pytest.raises(EmocolorError, match=encoder) as caught:
        VideoSink(str(tmp_path / "out.mkv"), source, SinkOptions(codec=encoder))
    source.close()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.mkv").exists()


def test_chroma_right_below_luma_is_distinguished_from_chroma_elsewhere() -> None:
    rows = torch.zeros(6, 256, dtype=torch.uint8)
    luma, chroma = rows[:4, :8], rows[4:, :8].view(2, 4, 2)
    assert is_contiguous(luma, chroma)
    assert not is_contiguous(luma, chroma.clone())
    assert not is_contiguous(luma[:2], chroma)
    assert not is_contiguous(luma, torch.as_strided(rows, (2, 4, 2), (128, 2, 1), 4 * 256))


def frame_on_host() -> Frame:
    """Gray of 128, in the memory that effects on a device give to NVENC."""
    luma, chroma = new_av_frame(66, 50, torch.device("cpu"))
    luma.fill_(128)
    chroma.fill_(128)
    return Frame(
        planes=(DevicePlane(luma), DevicePlane(chroma)),
        format=PIXEL_FORMATS["nv12"],
        color=ColorSpec(matrix="bt709", full_range=False),
        pts=0,
        time_base=Fraction(1, 25),
    )


def test_the_encoder_reads_the_frame_s_own_memory() -> None:
    frame = frame_on_host()
    av_frame = NvencFrames().av_frame(frame)
    luma, chroma = tensors_of(frame)
    luma[5, 7], chroma[2, 3, 1] = 201, 202
    samples = av_frame.to_ndarray(format="nv12")
    assert (av_frame.width, av_frame.height, av_frame.format.name) == (66, 50, "nv12")
    assert (samples[5, 7], samples[50 + 2, 3 * 2 + 1], samples[0, 0]) == (201, 202, 128)
