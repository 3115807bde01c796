"""FFmpeg's NVDEC decoder for a stream that is read, its frames left in the GPU's memory.

FFmpeg copies each frame out of NVDEC's own surfaces (unless AV_HWACCEL_FLAG_UNSAFE_OUTPUT is set, which it is not
here), so frames may be held as long as one likes.

Written against the sources of PyAV 18.1 and FFmpeg. None of it has run yet: where there is a GPU, begin with
``REQUIRE_GPU=1 python -m pytest -m gpu``.
"""

import logging
from typing import Final

import av
from av.codec.hwaccel import HWAccel

from emocolor.errors import EngineError

from .decoder import CUDA, FORMATS_WITHOUT_PRESENTATION_TIMES
from .packets import Packet

EXACT_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp8", "vp9"})
"""Their standards say what every sample is, so hardware must give what software gives. MPEG-4 part 2 and its elders
leave rounding open."""
SURFACES: Final = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}
"""What NVDEC gives for a stream's pixel format; others are left to software."""
CURRENT_CONTEXT: Final[dict[str, object]] = {"primary_ctx": "0", "current_ctx": "1"}
"""FFmpeg joins the CUDA context that torch has made. It would refuse a primary context whose flags it did not set."""


log = logging.getLogger(__name__)


class NvdecDecoder:
    """One stream's decoder. Not for two threads at once."""

    def __init__(self, context: av.VideoCodecContext, surface: str, size_wh: tuple[int, int]) -> None:
        self._context, self._form = context, (CUDA, surface, *size_wh)

    def decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        """Frames in the GPU's memory; raises ValueError where one has another form than the stream promises."""
        found = self._context.decode(packet)
        for frame in found:
            surface = frame.sw_format.name if frame.sw_format else ""
            if (frame.format.name, surface, frame.width, frame.height) != self._form:
                raise ValueError(f"{frame.width}x{frame.height} {surface or frame.format.name}")
        return found


def open_nvdec(stream: av.VideoStream, *, required: bool = False) -> NvdecDecoder | None:
    """NVDEC for the video of ``stream``, or ``None`` where it does not decode it exactly.

    A CUDA context is made current in this thread, by torch. Raises EngineError instead where it is ``required``.
    """
    software = stream.codec_context
    name = software.codec.canonical_name
    try:
        if (flaw := unsuited(software, stream.container.format.name)) is not None:
            raise EngineError(flaw)
        decoder = _open(name, software)
    except EngineError as error:
        if required:
            raise EngineError(f"--decoder nvdec: {error} Use --decoder auto or software.") from error
        log.info("FFmpeg's own decoder is used: %s", error)
        return None
    log.info("NVDEC decodes %s", name)
    return decoder


def unsuited(software: av.VideoCodecContext, container: str) -> str | None:
    """Why NVDEC is not asked for the video of this decoder, in one sentence."""
    if container in FORMATS_WITHOUT_PRESENTATION_TIMES:
        return f"NVDEC is used where packets have times of presentation, which {container} files lack."
    name, form = software.codec.canonical_name, software.pix_fmt
    if name not in EXACT_CODECS:
        return f"NVDEC is used for {', '.join(sorted(EXACT_CODECS))}, not for {name}."
    if form not in SURFACES:
        return f"NVDEC is used for {', '.join(SURFACES)}, not for {form}."
    if software.width % 2 or software.height % 2:
        return f"NVDEC is used for frames with even sides, not for {software.width}x{software.height}."
    return None


def _open(name: str, software: av.VideoCodecContext) -> NvdecDecoder:
    try:
        make_context()
        accel = HWAccel(CUDA, allow_software_fallback=False, options=dict(CURRENT_CONTEXT), is_hw_owned=True)
        context = av.CodecContext.create(name, "r", hwaccel=accel)
    except (av.FFmpegError, OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise EngineError(f"NVDEC cannot be opened ({reason}).") from error
    assert isinstance(context, av.VideoCodecContext)
    set_up(context, software)
    return NvdecDecoder(context, SURFACES[str(software.pix_fmt)], (software.width, software.height))


def set_up(context: av.VideoCodecContext, software: av.VideoCodecContext) -> None:
    """Tell a decoder that is not open yet what the container says of the stream that ``software`` decodes."""
    context.extradata = software.extradata
    context.width, context.height = software.width, software.height
    context.reorder_depth = software.reorder_depth
    context.color_range, context.colorspace = software.color_range, software.colorspace
    context.color_primaries, context.color_trc = software.color_primaries, software.color_trc
    context.thread_count = 1  # the work is the GPU's; each thread would take surfaces, of which there are 32


def make_context() -> None:
    """Make the GPU's CUDA context, which all of torch uses, current in this thread.

    Raises RuntimeError where there is no GPU.
    """
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError("torch finds no NVIDIA GPU")
    torch.zeros(1, device=CUDA)
