"""Planes on torch's CPU device, and on a GPU if there is one."""

from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from emocolor.cuts import CutDetector  # noqa: E402
from emocolor.faces import Scene  # noqa: E402
from emocolor.frames import luma_8bit  # noqa: E402
from emocolor.person_regions import square_rgb  # noqa: E402
from engines.device.planes import PITCH, DevicePlane, OwnMemory, new_av_frame, planes_of_av_frame, tensors_of, to_host  # noqa: E402
from tests.engines.device.device_frames import DEVICES, noise, on_device  # noqa: E402


@pytest.mark.parametrize("device", DEVICES)
def test_readers_see_the_same_as_in_host_memory(device: Any) -> None:
    host = noise(322, 182)
    frame = on_device(host, device)
    assert frame.on_device
    assert not host.on_device
    assert frame.size_wh == (322, 182)
    assert np.array_equal(luma_8bit(frame), luma_8bit(host))
    assert np.array_equal(square_rgb(frame), square_rgb(host))
    one, other = CutDetector(), CutDetector()
    for time in range(3):
        changed = replace(host, planes=(host.luma + np.uint8(40 * time), host.planes[1]), pts=time)
        assert one.is_cut(on_device(changed, device)) == other.is_cut(changed)
        assert np.array_equal(one._before, other._before)
    for plane, expected in zip(frame.copy().planes, host.planes, strict=True):
        assert isinstance(plane, np.ndarray)
        assert np.array_equal(plane, expected)


@pytest.mark.parametrize("device", DEVICES)
def test_slices_stay_on_the_device(device: Any) -> None:
    plane = DevicePlane(torch.arange(48, dtype=torch.uint8, device=device).view(6, 8))
    part: Any = plane[1::2, 3:]
    assert isinstance(part, DevicePlane)
    assert (part.shape, part.ndim, len(part)) == ((3, 5), 2, 3)
    assert np.array_equal(np.asarray(part), np.arange(48, dtype=np.uint8).reshape(6, 8)[1::2, 3:])


def test_writing_to_a_device_plane_as_to_an_array_fails() -> None:
    frame = on_device(noise(16, 16), "cpu")
    with pytest.raises(TypeError):
        frame.luma[...] = 0
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(frame.luma, copy=False)


def test_a_copy_in_host_memory_shares_none() -> None:
    tensor = torch.zeros(4, 4, dtype=torch.uint8)
    to_host(tensor)[...] = 1
    assert int(tensor.sum()) == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("width", [PITCH, 322])
def test_a_new_frame_is_one_block_as_nvenc_takes_it(device: Any, width: int) -> None:
    luma, chroma = new_av_frame(width, 180, torch.device(device))
    assert (luma.shape, chroma.shape) == ((180, width), (90, width // 2, 2))
    assert luma.stride(0) == chroma.stride(0)
    assert luma.stride(0) % PITCH == 0
    assert chroma.data_ptr() == luma.data_ptr() + 180 * luma.stride(0)
    assert (luma.stride(1), chroma.stride()[1:]) == (1, (2, 1))


@pytest.mark.parametrize("device", DEVICES)
def test_own_memory_holds_the_same_frame_elsewhere(device: Any) -> None:
    host = noise(322, 182)
    given = on_device(host, device)
    own = OwnMemory().apply(given, Scene(time=0))
    for plane, expected in zip(own.planes, host.planes, strict=True):
        assert np.array_equal(np.asarray(plane), expected)
    for tensor in tensors_of(own):
        tensor.zero_()
    assert np.array_equal(np.asarray(given.luma), host.luma)


def test_planes_are_views_of_the_av_frame() -> None:
    av_frame = av.VideoFrame(322, 182, "nv12")
    assert av_frame.planes[0].line_size > 322
    planes = planes_of_av_frame(av_frame.planes, torch.device("cpu"))
    memoryview(av_frame.planes[0])[av_frame.planes[0].line_size] = 77
    memoryview(av_frame.planes[1])[3] = 99
    assert [plane.shape for plane in planes] == [(182, 322), (91, 161, 2)]
    assert int(np.asarray(planes[0])[1, 0]) == 77
    assert int(np.asarray(planes[1])[0, 1, 1]) == 99
    del av_frame
    assert int(np.asarray(planes[0])[1, 0]) == 77


def test_ffmpeg_takes_a_new_frame_as_it_is() -> None:
    host = noise(322, 182)
    own = OwnMemory().apply(on_device(host, "cpu"), Scene(time=0))
    av_frame = av.VideoFrame.from_dlpack(tensors_of(own), format="nv12", width=322, height=182)
    again = planes_of_av_frame(av_frame.planes, torch.device("cpu"))
    for plane, expected in zip(again, host.planes, strict=True):
        assert np.array_equal(np.asarray(plane), expected)


@pytest.mark.gpu
def test_ffmpeg_takes_a_new_frame_on_the_gpu() -> None:
    host = noise(322, 182)
    own = OwnMemory().apply(on_device(host, "cuda"), Scene(time=0))
    av_frame = av.VideoFrame.from_dlpack(tensors_of(own), format="nv12", current_ctx=True)
    assert av_frame.format.name == "cuda"
    again = planes_of_av_frame(av_frame.planes, torch.device("cuda"))
    assert np.array_equal(np.asarray(again[0]), host.luma)
    rows = np.frombuffer(memoryview(av_frame.reformat(format="nv12").planes[0]), np.uint8).reshape(182, -1)
    assert np.array_equal(rows[:, :322], host.luma)
