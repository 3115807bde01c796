"""Frames in a GPU's memory for FFmpeg's NVENC encoders, passed on without a copy.

NVENC gets the address of luma and the length of a row, and reads chroma from right below luma. So frames must have the
memory layout of ``engines.device.planes.new_av_frame``.

Written against the sources of PyAV 18.1 and FFmpeg. None of it has run yet: where there is a GPU, begin with
``REQUIRE_GPU=1 python -m pytest -m gpu``.
"""

from typing import TYPE_CHECKING, Final

import av
from av.codec.hwaccel import HWAccel
from av.video.frame import CudaContext

from emocolor.frames import Frame

from .decoder import CUDA
from .nvdec import CURRENT_CONTEXT, make_cuda_context

if TYPE_CHECKING:
    import torch

ENCODERS: Final = frozenset({"h264_nvenc", "hevc_nvenc", "av1_nvenc"})
SURFACE: Final = "nv12"


class NvencFrames:
    """Makes FFmpeg's frames for one encoder; for one thread at a time."""

    def __init__(self) -> None:
        self._context: CudaContext | None = None

    def accel(self) -> HWAccel:
        """The device for one encoder; a CUDA context is made current in this thread."""
        make_cuda_context()
        return HWAccel(CUDA, options=dict(CURRENT_CONTEXT))

    def av_frame(self, frame: Frame) -> av.VideoFrame:
        """The memory of ``frame`` as FFmpeg's frame, without time and tags, once all writes to it are done."""
        from engines.device.planes import tensors_of

        luma, chroma = tensors_of(frame)
        assert is_contiguous(luma, chroma)
        if luma.is_cuda:
            self._synchronize(luma)
        return av.VideoFrame.from_dlpack((luma, chroma), format=SURFACE, cuda_context=self._context)

    def _synchronize(self, tensor: "torch.Tensor") -> None:
        """Wait for the effects' kernels: NVENC reads on a CUDA stream of its own."""
        import torch

        if self._context is None:
            make_cuda_context()  # the encoding thread is not the one that opened the encoder
            self._context = CudaContext(tensor.get_device(), primary_ctx=False, current_ctx=True)
        torch.cuda.current_stream(tensor.device).synchronize()


def is_contiguous(luma: "torch.Tensor", chroma: "torch.Tensor") -> bool:
    """Whether chroma (H / 2, W / 2, 2) lies right below luma (H, W), with rows of the same length."""
    pitch = luma.stride(0)
    return chroma.stride(0) == pitch and chroma.data_ptr() == luma.data_ptr() + luma.shape[0] * pitch
