"""Between FFmpeg's frames and :class:`~emocolor.frames.Frame`: planes viewed in place, tags read and written.

A frame made here keeps its frame as ``handle``. Its planes are views of the frame's memory, so
nothing is copied on the way from the decoder to the encoder unless an effect changes it.
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
"""From this height on an untagged frame is taken for BT.709, below for BT.601, as players do."""
PRECISE: Final = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

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
    """FFmpeg's colour codes, as a frame or a stream carries them; they may say "unspecified"."""

    range: int = RANGE_UNSPECIFIED
    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "ColorTags":
        return cls(
            range=int(frame.color_range),
            matrix=int(frame.colorspace),
            primaries=int(frame.color_primaries),
            transfer=int(frame.color_trc),
        )

    @classmethod
    def for_spec(cls, color: ColorSpec) -> "ColorTags":
        """The tags that say what ``color`` says; the curve of SDR stays unspecified."""
        return cls(
            range=FULL if color.full_range else LIMITED,
            matrix=_MATRIX_CODES[color.matrix],
            primaries=_PRIMARIES_CODES[color.primaries],
            transfer=_TRANSFER_CODES[color.transfer],
        )

    def put(self, frame: av.VideoFrame) -> None:
        """Write the tags onto ``frame``."""
        frame.color_range = self.range
        frame.colorspace = self.matrix
        frame.color_primaries = self.primaries
        frame.color_trc = self.transfer


def color_of(frame: av.VideoFrame) -> ColorSpec:
    """What the frame's code values mean, with the usual guesses where it does not say.

    Unspecified is BT.709 from 720 lines on, else BT.601; gray that does not say is full range, as
    swscale takes it.
    """
    tags, name = ColorTags.of(frame), frame.format.name
    high_definition = frame.height >= HD_HEIGHT
    full = tags.range == FULL or name.startswith("yuvj")
    full = full or (tags.range == RANGE_UNSPECIFIED and name.startswith("gray"))
    return ColorSpec(
        matrix=_MATRICES.get(tags.matrix, "bt709" if high_definition else "bt601"),
        full_range=full,
        primaries=_PRIMARIES.get(tags.primaries, "bt709" if high_definition else "bt601-525"),
        transfer=_TRANSFERS.get(tags.transfer, "sdr"),
    )


def working_format(name: str) -> tuple[PixelFormat, bool]:
    """The format that effects work in for frames of FFmpeg's format ``name``, and whether alpha is lost.

    That is the same format where it is one of ``PIXEL_FORMATS`` (``yuvj420p`` is ``yuv420p`` in full
    range), else the nearest to convert to; RGB becomes 4:4:4.
    """
    plain = name.replace("yuvj", "yuv")
    if plain in PIXEL_FORMATS:
        return PIXEL_FORMATS[plain], False
    source = av.VideoFormat(name)
    alpha = len(source.components) in (2, 4)
    if len(source.components) <= 2 and not _is_rgb(source):
        bits = source.components[0].bits
        return PIXEL_FORMATS["gray" if bits <= 8 else "gray10le" if bits <= 10 else "gray12le"], alpha
    candidates = [form.name for form in PIXEL_FORMATS.values() if form.chroma == "planar"]
    nearest, _ = find_best_pix_fmt_of_list(candidates, source)
    assert nearest is not None, name
    return PIXEL_FORMATS[nearest.name], alpha


def _is_rgb(form: av.VideoFormat) -> bool:
    return form.is_rgb or form.has_palette


def to_working_format(frame: av.VideoFrame, form: PixelFormat, size_wh: tuple[int, int]) -> av.VideoFrame:
    """``frame`` as ``form`` at ``size_wh``, tagged with the matrix and range that it then has.

    The same frame where nothing is to be done. RGB becomes limited-range YUV with the matrix
    that its size suggests; YUV keeps its matrix and range.
    """
    width, height = size_wh
    same_size = (frame.width, frame.height) == size_wh
    if same_size and frame.format.name.replace("yuvj", "yuv") == form.name:
        return frame
    if not _is_rgb(frame.format):
        return convert(frame, color_of(frame), form.name, size_wh)
    target = ColorSpec(matrix="bt709" if height >= HD_HEIGHT else "bt601", full_range=form.chroma == "none")
    made = frame.reformat(
        width,
        height,
        form.name,
        dst_colorspace=_SWS_MATRICES[target.matrix],
        src_color_range=ColorRange.JPEG,
        dst_color_range=_range(target),
        interpolation=int(PRECISE),
    )
    made.colorspace = _MATRIX_CODES[target.matrix]
    made.color_range = FULL if target.full_range else LIMITED
    return made


def in_working_format(frame: av.VideoFrame) -> av.VideoFrame:
    """``frame`` at its own size in the format that effects work in; alpha is lost."""
    form, _ = working_format(frame.format.name)
    return to_working_format(frame, form, (frame.width, frame.height))


def convert(
    frame: av.VideoFrame,
    color: ColorSpec,
    form: str,
    size_wh: tuple[int, int] | None = None,
    *,
    full_range: bool | None = None,
    matrix: Matrix | None = None,
) -> av.VideoFrame:
    """``frame``, whose codes mean ``color``, in FFmpeg's pixel format ``form``.

    ``full_range`` and ``matrix`` are those of the result, by default the same. Tags are kept as they are, but for
    the two where one changes. The same frame comes back where nothing is to be done.
    """
    wanted = replace(
        color, full_range=color.full_range if full_range is None else full_range, matrix=matrix or color.matrix
    )
    width, height = size_wh or (frame.width, frame.height)
    tags = ColorTags.of(frame)
    made = frame.reformat(
        width,
        height,
        form,
        src_colorspace=_SWS_MATRICES[color.matrix],
        dst_colorspace=_SWS_MATRICES[wanted.matrix],
        src_color_range=_range(color),
        dst_color_range=_range(wanted),
        interpolation=int(PRECISE),
    )
    if made is not frame:
        if wanted.full_range != color.full_range:
            tags = replace(tags, range=FULL if wanted.full_range else LIMITED)
        if wanted.matrix != color.matrix:
            tags = replace(tags, matrix=_MATRIX_CODES[wanted.matrix])
        tags.put(made)
    return made


def _range(color: ColorSpec) -> ColorRange:
    return ColorRange.JPEG if color.full_range else ColorRange.MPEG


def planes_of(frame: av.VideoFrame, form: PixelFormat) -> tuple[Plane, ...]:
    """Writable views of the frame's samples, shaped as ``Frame.planes`` says.

    They share the frame's memory: do not write to a frame that the decoder may still refer
    to (see :func:`writable`), and do not keep them beyond its ``make_writable``.
    """
    chroma = form.chroma_size_wh(frame.width, frame.height)
    dtype = np.dtype(np.uint8 if form.bits == 8 else np.uint16)
    views: list[Plane] = []
    for index, plane in enumerate(frame.planes):
        width, height = (frame.width, frame.height) if index == 0 else chroma
        pairs = index > 0 and form.chroma == "interleaved"
        rows: Plane = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
        cut = rows[:height, : width * (2 if pairs else 1)]
        views.append(cut.reshape(height, width, 2) if pairs else cut)
    return tuple(views)


def wrap(
    frame: av.VideoFrame,
    *,
    pts: int | None = None,
    duration: int | None = None,
    time_base: Fraction | None = None,
    sample_aspect: Fraction = Fraction(1),
    rotation: Rotation = 0,
) -> Frame:
    """``frame`` as a frame whose planes are views of it.

    Its format must be one of ``PIXEL_FORMATS`` (or a ``yuvj`` form of it); times are taken from the
    frame where they are not given. Raises ValueError for another format.
    """
    form = PIXEL_FORMATS.get(frame.format.name.replace("yuvj", "yuv"))
    if form is None:
        raise ValueError(f"{frame.format.name} is no format to work in; convert it with to_working_format()")
    return Frame(
        planes=planes_of(frame, form),
        format=form,
        color=color_of(frame),
        pts=(frame.pts or 0) if pts is None else pts,
        time_base=time_base or frame.time_base or Fraction(1, 1_000_000),
        duration=frame.duration if duration is None else duration,
        sample_aspect=sample_aspect,
        rotation=rotation,
        handle=frame,
    )


def writable(frame: Frame) -> Frame:
    """The frame with planes that may be written to; use it in place of ``frame`` from then on.

    Decoders predict later frames from the ones they gave out, so planes still in the decoder's
    hands are copied first. Views of the old frame are void after this call.
    """
    av_frame = frame.handle
    if not isinstance(av_frame, av.VideoFrame) or not _own(frame, av_frame):
        return frame
    av_frame.make_writable()
    return replace(frame, planes=planes_of(av_frame, frame.format))


def _own(frame: Frame, av_frame: av.VideoFrame) -> bool:
    """Whether the frame has the form of its frame, and every plane is the frame's own."""
    return _fits(frame, av_frame) and not _replaced(frame, av_frame)


def _fits(frame: Frame, av_frame: av.VideoFrame) -> bool:
    same_form = av_frame.format.name.replace("yuvj", "yuv") == frame.format.name
    return same_form and (av_frame.width, av_frame.height) == frame.size_wh


def _replaced(frame: Frame, av_frame: av.VideoFrame) -> list[int]:
    """Which planes of the frame lie elsewhere than in its frame."""
    return [
        index
        for index, (plane, own) in enumerate(zip(frame.planes, av_frame.planes, strict=True))
        if plane.__array_interface__["data"][0] != own.buffer_ptr or plane.strides[0] != own.line_size
    ]


def unwrap(frame: Frame) -> av.VideoFrame:
    """The frame to encode, with the frame's time and colour; the frame is used up.

    The handle where the planes are its own, with any replaced planes copied into it; a new frame
    where the frame has another form than its handle, or none. Its tags are those it came with,
    unless ``frame.color`` says otherwise.
    """
    av_frame = _filled(frame)
    av_frame.pts, av_frame.time_base, av_frame.duration = frame.pts, frame.time_base, frame.duration
    if color_of(av_frame) != frame.color:
        ColorTags.for_spec(frame.color).put(av_frame)
    return av_frame


def _filled(frame: Frame) -> av.VideoFrame:
    av_frame = frame.handle
    if not isinstance(av_frame, av.VideoFrame):
        return _new_frame(frame, av.VideoFrame(*frame.size_wh, frame.format.name))
    if not _fits(frame, av_frame):
        # The scaler's result, overwritten at once, is the one way to keep field flags and captions.
        width, height = frame.size_wh
        return _new_frame(frame, av_frame.reformat(width, height, frame.format.name))
    if replaced := _replaced(frame, av_frame):
        av_frame.make_writable()
        for index in replaced:
            np.copyto(planes_of(av_frame, frame.format)[index], frame.planes[index])
    return av_frame


def _new_frame(frame: Frame, av_frame: av.VideoFrame) -> av.VideoFrame:
    for own, plane in zip(planes_of(av_frame, frame.format), frame.planes, strict=True):
        np.copyto(own, plane)
    return av_frame


def with_neutral_chroma(frame: Frame) -> Frame:
    """A gray frame as 4:2:0 of the same depth, luma bit for bit and chroma without colour."""
    name = "yuv420p" if frame.format.bits == 8 else f"yuv420p{frame.format.bits}le"
    form, (width, height) = PIXEL_FORMATS[name], frame.size_wh
    chroma_width, chroma_height = form.chroma_size_wh(width, height)
    blue, red = (np.full((chroma_height, chroma_width), 1 << (form.bits - 1), frame.luma.dtype) for _ in range(2))
    return replace(frame, format=form, planes=(frame.luma, blue, red))


def to_rgb(frame: Frame) -> NDArray[np.uint8]:
    """The frame as RGB, (H, W, 3) uint8 in [0, 255], by the frame's own matrix and range.

    Gamma, primaries and rotation are left alone. The frame is not changed.
    """
    av_frame = frame.handle
    if not isinstance(av_frame, av.VideoFrame) or not _own(frame, av_frame):
        av_frame = _new_frame(frame, av.VideoFrame(*frame.size_wh, frame.format.name))
    made = convert(av_frame, frame.color, "rgb24", full_range=True)
    width, height = frame.size_wh
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(made.planes[0]), np.uint8).reshape(height, -1)
    return rows[:, : width * 3].reshape(height, width, 3).copy()
