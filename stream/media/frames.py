"""FFmpeg's frames as :class:`~emocolor.frames.Frame` and back: planes viewed in place, colour tags read and written.

A frame made here keeps FFmpeg's own as its ``handle``. Its planes are views of that memory, so nothing is copied on
the way from the decoder to the encoder unless an effect changes it.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.codec.codec import find_best_pix_fmt_of_list
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame, Matrix, PixelFormat, Plane, Primaries, Rotation, Transfer

UNSPECIFIED: Final = 2
"""FFmpeg's code of an unspecified matrix, primaries or transfer; of the range it is 0."""
RANGE_UNSPECIFIED: Final = 0
LIMITED: Final = 1
FULL: Final = 2
HD_HEIGHT: Final = 720
"""Untagged frames of this height or more are assumed to be BT.709, others BT.601, as players do."""
PRECISE: Final = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
SCALER_THREADS: Final = 1
"""PyAV gives every frame a scaler of its own, and FFmpeg starts threads for each, by default one per core. The samples
are the same."""

_MATRICES: Final[dict[int, Matrix]] = {
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
_PRIMARIES: Final[dict[int, Primaries]] = {
    1: "bt709",
    5: "bt601-625",
    6: "bt601-525",
    7: "bt601-525",
    9: "bt2020",
}
_TRANSFERS: Final[dict[int, Transfer]] = {16: "pq", 18: "hlg"}
_MATRIX_CODES: Final[dict[Matrix, int]] = {"bt709": 1, "fcc": 4, "bt601": 6, "smpte240m": 7, "bt2020": 9}
_PRIMARIES_CODES: Final[dict[Primaries, int]] = {"bt709": 1, "bt601-625": 5, "bt601-525": 6, "bt2020": 9}
_TRANSFER_CODES: Final[dict[Transfer, int]] = {"sdr": UNSPECIFIED, "pq": 16, "hlg": 18}
_SWS_MATRICES: Final[dict[Matrix, Colorspace]] = {
    "bt709": Colorspace.ITU709,
    "fcc": Colorspace.FCC,
    "bt601": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020": Colorspace.BT2020,
}


@dataclass(frozen=True, kw_only=True)
class ColorTags:
    """FFmpeg's colour codes, as a frame or a stream carries them; each may be "unspecified"."""

    range: int = RANGE_UNSPECIFIED
    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @classmethod
    def of(cls, av_frame: av.VideoFrame) -> "ColorTags":
        """The tags of a frame."""
        return cls(
            range=int(av_frame.color_range),
            matrix=int(av_frame.colorspace),
            primaries=int(av_frame.color_primaries),
            transfer=int(av_frame.color_trc),
        )

    @classmethod
    def for_spec(cls, color: ColorSpec) -> "ColorTags":
        """The tags that state ``color``; the transfer of SDR stays unspecified."""
        return cls(
            range=FULL if color.full_range else LIMITED,
            matrix=_MATRIX_CODES[color.matrix],
            primaries=_PRIMARIES_CODES[color.primaries],
            transfer=_TRANSFER_CODES[color.transfer],
        )

    def apply_to(self, av_frame: av.VideoFrame) -> None:
        """Tag ``av_frame``, in place."""
        av_frame.color_range = self.range
        av_frame.colorspace = self.matrix
        av_frame.color_primaries = self.primaries
        av_frame.color_trc = self.transfer


def color_of(av_frame: av.VideoFrame) -> ColorSpec:
    """What the frame's code values mean, with the usual assumptions where tags are missing.

    Unspecified is BT.709 from 720 lines on, else BT.601. Untagged gray is full range, as swscale assumes.
    """
    tags, pix_fmt = ColorTags.of(av_frame), av_frame.format.name
    high_definition = av_frame.height >= HD_HEIGHT
    full = tags.range == FULL or pix_fmt.startswith("yuvj")
    full = full or (tags.range == RANGE_UNSPECIFIED and pix_fmt.startswith("gray"))
    return ColorSpec(
        matrix=_MATRICES.get(tags.matrix, "bt709" if high_definition else "bt601"),
        full_range=full,
        primaries=_PRIMARIES.get(tags.primaries, "bt709" if high_definition else "bt601-525"),
        transfer=_TRANSFERS.get(tags.transfer, "sdr"),
    )


def working_format(pix_fmt: str) -> tuple[PixelFormat, bool]:
    """The format in which effects process frames of FFmpeg's ``pix_fmt``, and whether alpha is dropped.

    The same format where it is one of ``PIXEL_FORMATS`` (``yuvj420p`` is ``yuv420p`` in full range), else the nearest
    to convert to; RGB becomes 4:4:4.
    """
    plain = pix_fmt.replace("yuvj", "yuv")
    if plain in PIXEL_FORMATS:
        return PIXEL_FORMATS[plain], False
    source = av.VideoFormat(pix_fmt)
    has_alpha = len(source.components) in (2, 4)
    if len(source.components) <= 2 and not _is_rgb(source):
        bits = source.components[0].bits
        return PIXEL_FORMATS["gray" if bits <= 8 else "gray10le" if bits <= 10 else "gray12le"], has_alpha
    candidates = [known.name for known in PIXEL_FORMATS.values() if known.chroma == "planar"]
    nearest, _ = find_best_pix_fmt_of_list(candidates, source)
    assert nearest is not None, pix_fmt
    return PIXEL_FORMATS[nearest.name], has_alpha


def _is_rgb(video_format: av.VideoFormat) -> bool:
    return video_format.is_rgb or video_format.has_palette


def to_working_format(av_frame: av.VideoFrame) -> av.VideoFrame:
    """``av_frame`` at its own size in the format in which effects process it; alpha is dropped."""
    pixel_format, _ = working_format(av_frame.format.name)
    return to_pixel_format(av_frame, pixel_format, (av_frame.width, av_frame.height))


def to_pixel_format(av_frame: av.VideoFrame, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> av.VideoFrame:
    """``av_frame`` as ``pixel_format`` at ``size_wh``, tagged with the matrix and range that it then has.

    The same frame where it has both already. RGB becomes limited-range YUV with the matrix that its size suggests; YUV
    keeps its matrix and range.
    """
    width, height = size_wh
    same_size = (av_frame.width, av_frame.height) == size_wh
    if same_size and av_frame.format.name.replace("yuvj", "yuv") == pixel_format.name:
        return av_frame
    if not _is_rgb(av_frame.format):
        return convert(av_frame, color_of(av_frame), pixel_format.name, size_wh)
    target = ColorSpec(matrix="bt709" if height >= HD_HEIGHT else "bt601", full_range=pixel_format.chroma == "none")
    converted = av_frame.reformat(
        width,
        height,
        pixel_format.name,
        dst_colorspace=_SWS_MATRICES[target.matrix],
        src_color_range=ColorRange.JPEG,
        dst_color_range=_range(target),
        interpolation=int(PRECISE),
        threads=SCALER_THREADS,
    )
    converted.colorspace = _MATRIX_CODES[target.matrix]
    converted.color_range = FULL if target.full_range else LIMITED
    return converted


def convert(
    av_frame: av.VideoFrame,
    color: ColorSpec,
    pix_fmt: str,
    size_wh: tuple[int, int] | None = None,
    *,
    full_range: bool | None = None,
    matrix: Matrix | None = None,
) -> av.VideoFrame:
    """``av_frame``, whose code values mean ``color``, in FFmpeg's format ``pix_fmt``.

    ``full_range`` and ``matrix`` are those of the result, by default the frame's own. Only the tags of these two
    change. The same frame comes back where there is nothing to convert.
    """
    target = replace(
        color, full_range=color.full_range if full_range is None else full_range, matrix=matrix or color.matrix
    )
    width, height = size_wh or (av_frame.width, av_frame.height)
    tags = ColorTags.of(av_frame)
    converted = av_frame.reformat(
        width,
        height,
        pix_fmt,
        src_colorspace=_SWS_MATRICES[color.matrix],
        dst_colorspace=_SWS_MATRICES[target.matrix],
        src_color_range=_range(color),
        dst_color_range=_range(target),
        interpolation=int(PRECISE),
        threads=SCALER_THREADS,
    )
    if converted is not av_frame:
        # PyAV tags the result with what it told swscale, even where the input's tags were unspecified.
        if target.full_range != color.full_range:
            tags = replace(tags, range=FULL if target.full_range else LIMITED)
        if target.matrix != color.matrix:
            tags = replace(tags, matrix=_MATRIX_CODES[target.matrix])
        tags.apply_to(converted)
    return converted


def _range(color: ColorSpec) -> ColorRange:
    return ColorRange.JPEG if color.full_range else ColorRange.MPEG


def planes_of(av_frame: av.VideoFrame, pixel_format: PixelFormat) -> tuple[Plane, ...]:
    """Writable views of the frame's samples, shaped like ``Frame.planes``.

    They share the frame's memory. Do not write to a frame that the decoder may still refer to (see :func:`writable`),
    and do not keep the views beyond its ``make_writable``.
    """
    chroma_wh = pixel_format.chroma_size_wh(av_frame.width, av_frame.height)
    dtype = np.dtype(np.uint8 if pixel_format.bits == 8 else np.uint16)
    views: list[Plane] = []
    for index, plane in enumerate(av_frame.planes):
        width, height = (av_frame.width, av_frame.height) if index == 0 else chroma_wh
        interleaved = index > 0 and pixel_format.chroma == "interleaved"
        # Rows are longer than the frame is wide: FFmpeg pads them for SIMD.
        rows: Plane = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
        samples = rows[:height, : width * (2 if interleaved else 1)]
        views.append(samples.reshape(height, width, 2) if interleaved else samples)
    return tuple(views)


def frame_from_av(
    av_frame: av.VideoFrame,
    *,
    pts: int | None = None,
    duration: int | None = None,
    time_base: Fraction | None = None,
    sample_aspect: Fraction = Fraction(1),
    rotation: Rotation = 0,
) -> Frame:
    """A frame whose planes are views of ``av_frame``.

    Its format must be one of ``PIXEL_FORMATS``, or the ``yuvj`` variant of one. Times that are not given are
    ``av_frame``'s own. Raises ValueError for another format.
    """
    pixel_format = PIXEL_FORMATS.get(av_frame.format.name.replace("yuvj", "yuv"))
    if pixel_format is None:
        raise ValueError(f"effects cannot process {av_frame.format.name}; convert it with to_working_format()")
    return Frame(
        planes=planes_of(av_frame, pixel_format),
        format=pixel_format,
        color=color_of(av_frame),
        pts=(av_frame.pts or 0) if pts is None else pts,
        time_base=time_base or av_frame.time_base or Fraction(1, 1_000_000),
        duration=av_frame.duration if duration is None else duration,
        sample_aspect=sample_aspect,
        rotation=rotation,
        handle=av_frame,
    )


def frame_to_av(frame: Frame) -> av.VideoFrame:
    """FFmpeg's frame to encode, with the time and colour of ``frame``, which is used up.

    This is the handle where the planes are its own, with any replaced planes copied into it. It is a new frame where
    ``frame`` has another format or size than its handle, or no handle. Tags are kept unless ``frame.color`` differs
    from them.
    """
    av_frame = _av_frame_with_planes_of(frame)
    av_frame.pts, av_frame.time_base, av_frame.duration = frame.pts, frame.time_base, frame.duration
    if color_of(av_frame) != frame.color:
        ColorTags.for_spec(frame.color).apply_to(av_frame)
    return av_frame


def writable(frame: Frame) -> Frame:
    """The frame with planes that may be written to; use it in place of ``frame`` from then on.

    Decoders predict later frames from the ones they gave out, so planes that the decoder still refers to are copied
    first. Views of the old frame are void after this call.
    """
    av_frame = frame.handle
    if not isinstance(av_frame, av.VideoFrame) or not _has_planes_of_handle(frame, av_frame):
        return frame
    av_frame.make_writable()
    return replace(frame, planes=planes_of(av_frame, frame.format))


def _has_planes_of_handle(frame: Frame, av_frame: av.VideoFrame) -> bool:
    return _same_format(frame, av_frame) and not _replaced_planes(frame, av_frame)


def _same_format(frame: Frame, av_frame: av.VideoFrame) -> bool:
    """Whether both have the same pixel format and size."""
    same_pix_fmt = av_frame.format.name.replace("yuvj", "yuv") == frame.format.name
    return same_pix_fmt and (av_frame.width, av_frame.height) == frame.size_wh


def _replaced_planes(frame: Frame, av_frame: av.VideoFrame) -> list[int]:
    """Which planes of ``frame`` are not views of ``av_frame``."""
    return [
        index
        for index, (plane, own) in enumerate(zip(frame.planes, av_frame.planes, strict=True))
        if plane.__array_interface__["data"][0] != own.buffer_ptr or plane.strides[0] != own.line_size
    ]


def _av_frame_with_planes_of(frame: Frame) -> av.VideoFrame:
    av_frame = frame.handle
    if not isinstance(av_frame, av.VideoFrame):
        return _with_copied_planes(frame, av.VideoFrame(*frame.size_wh, frame.format.name))
    if not _same_format(frame, av_frame):
        # PyAV copies field flags and captions to a new frame in the scaler alone, so its result is overwritten.
        width, height = frame.size_wh
        return _with_copied_planes(frame, av_frame.reformat(width, height, frame.format.name, threads=SCALER_THREADS))
    if replaced := _replaced_planes(frame, av_frame):
        av_frame.make_writable()
        for index in replaced:
            np.copyto(planes_of(av_frame, frame.format)[index], frame.planes[index])
    return av_frame


def _with_copied_planes(frame: Frame, av_frame: av.VideoFrame) -> av.VideoFrame:
    """``av_frame`` itself, after the planes of ``frame`` were copied into it."""
    for own, plane in zip(planes_of(av_frame, frame.format), frame.planes, strict=True):
        np.copyto(own, plane)
    return av_frame


def with_neutral_chroma(frame: Frame) -> Frame:
    """A gray frame as 4:2:0 of the same depth: the same luma plane, and chroma without colour."""
    name = "yuv420p" if frame.format.bits == 8 else f"yuv420p{frame.format.bits}le"
    pixel_format, (width, height) = PIXEL_FORMATS[name], frame.size_wh
    chroma_width, chroma_height = pixel_format.chroma_size_wh(width, height)
    neutral = 1 << (pixel_format.bits - 1)
    cb, cr = (np.full((chroma_height, chroma_width), neutral, frame.luma.dtype) for _ in range(2))
    return replace(frame, format=pixel_format, planes=(frame.luma, cb, cr))


def to_rgb(frame: Frame) -> NDArray[np.uint8]:
    """The frame as RGB, (H, W, 3) uint8 in [0, 255], by the frame's own matrix and range.

    Gamma, primaries and rotation are left alone. The frame is not changed.
    """
    av_frame = frame.handle
    if not isinstance(av_frame, av.VideoFrame) or not _has_planes_of_handle(frame, av_frame):
        av_frame = _with_copied_planes(frame, av.VideoFrame(*frame.size_wh, frame.format.name))
    rgb = convert(av_frame, frame.color, "rgb24", full_range=True)
    width, height = frame.size_wh
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(rgb.planes[0]), np.uint8).reshape(height, -1)
    return rows[:, : width * 3].reshape(height, width, 3).copy()
