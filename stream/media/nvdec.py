"""FFmpeg's NVDEC decoder for a stream that is being read; its frames stay in the GPU's memory.

FFmpeg copies each frame out of NVDEC's own surfaces (unless AV_HWACCEL_FLAG_UNSAFE_OUTPUT is set, which it is not
here), so frames may be held for any length of time.

Written against the sources of PyAV 18.1 and FFmpeg. None of it has run yet: where there is a GPU, begin with
``REQUIRE_GPU=1 python -m pytest -m gpu``.
"""

import logging
from typing import Final

import av
from av.codec.hwaccel import HWAccel

from emocolor.errors import EngineError

from .decoder import CUDA, TIMES_ARE_OF_DECODING
from .packets import Packet

EXACT_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp8", "vp9"})
"""Their standards define every sample, so hardware must give what software gives. MPEG-4 part 2 and its predecessors
leave rounding open."""
SURFACES: Final = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}
"""NVDEC's surface format by the stream's pixel format; software decodes all others."""
CURRENT_CONTEXT: Final[dict[str, object]] = {"primary_ctx": "0", "current_ctx": "1"}
"""Makes FFmpeg use the CUDA context that torch created. It rejects a primary context whose flags it did not set."""


log = logging.getLogger(__name__)


class NvdecDecoder:
    """The decoder of one stream; for one thread at a time."""

    def __init__(self, context: av.VideoCodecContext, surface: str, size_wh: tuple[int, int]) -> None:
        self._context, self._expected = context, (CUDA, surface, *size_wh)

    def decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        """Frames in the GPU's memory; raises ValueError for one of another size or format than the stream's."""
        frames = self._context.decode(packet)
        for frame in frames:
            surface = frame.sw_format.name if frame.sw_format else ""
            if (frame.format.name, surface, frame.width, frame.height) != self._expected:
                raise ValueError(f"{frame.width}x{frame.height} {surface or frame.format.name}")
        return frames


def open_nvdec(stream: av.VideoStream, *, required: bool = False) -> NvdecDecoder | None:
    """NVDEC for the video of ``stream``, or ``None`` where it cannot be used or does not decode exactly.

    A CUDA context is made current in this thread, by torch. Raises EngineError instead where NVDEC is ``required``.
    """
    software = stream.codec_context
    name = software.codec.canonical_name
    try:
        if (reason := unsuitable(software, stream.container.format.name)) is not None:
            raise EngineError(reason)
        decoder = _open(name, software)
    except EngineError as error:
        if required:
            raise EngineError(
                f"The decoder nvdec cannot be used: {error} Choose the decoder auto or software."
            ) from error
        log.info("FFmpeg's own decoder is used: %s", error)
        return None
    log.info("NVDEC decodes %s", name)
    return decoder


def unsuitable(software: av.VideoCodecContext, container: str) -> str | None:
    """Why NVDEC is not used for the video that ``software`` decodes, in one sentence; ``None`` where it is."""
    if container in TIMES_ARE_OF_DECODING:
        return f"NVDEC is used where packets have presentation times, which {container} files lack."
    name, pix_fmt = software.codec.canonical_name, software.pix_fmt
    if name not in EXACT_CODECS:
        return f"NVDEC is used for {', '.join(sorted(EXACT_CODECS))}, not for {name}."
    if pix_fmt not in SURFACES:
        return f"NVDEC is used for {', '.join(SURFACES)}, not for {pix_fmt}."
    if software.width % 2 or software.height % 2:
        # NVDEC's surfaces have even sides, so the odd row or column would have to be cut off again.
        return f"NVDEC is used for frames with even sides, not for {software.width}x{software.height}."
    return None


def _open(name: str, software: av.VideoCodecContext) -> NvdecDecoder:
    try:
        make_cuda_context()
        accel = HWAccel(CUDA, allow_software_fallback=False, options=dict(CURRENT_CONTEXT), is_hw_owned=True)
        context = av.CodecContext.create(name, "r", hwaccel=accel)
    except (av.FFmpegError, OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise EngineError(f"NVDEC cannot be opened ({reason}).") from error
    assert isinstance(context, av.VideoCodecContext)
    copy_parameters(software, context)
    return NvdecDecoder(context, SURFACES[str(software.pix_fmt)], (software.width, software.height))


def copy_parameters(software: av.VideoCodecContext, context: av.VideoCodecContext) -> None:
    """Give a decoder that is not open yet the container's parameters of the stream that ``software`` decodes."""
    context.extradata = software.extradata
    context.width, context.height = software.width, software.height
    context.reorder_depth = software.reorder_depth
    context.color_range, context.colorspace = software.color_range, software.colorspace
    context.color_primaries, context.color_trc = software.color_primaries, software.color_trc
    context.thread_count = 1  # the GPU does the work; each thread would occupy some of NVDEC's 32 surfaces


def make_cuda_context() -> None:
    """Make the GPU's CUDA context, which torch uses throughout, current in this thread.

    Raises RuntimeError where there is no GPU.
    """
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError("torch finds no NVIDIA GPU")
    torch.zeros(1, device=CUDA)
