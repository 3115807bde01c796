"""Frames made larger for encoders that take even sizes alone."""

import av

from emocolor.frames import PIXEL_FORMATS, PixelFormat

from ..frames import ColorTags, planes_of


def even_size(size_wh: tuple[int, int], pixel_format: PixelFormat | None) -> tuple[int, int]:
    """The next larger size in which every chroma sample of the format belongs to as many pixels as all others."""
    if pixel_format is None or pixel_format.chroma == "none":
        return size_wh
    (width, height), (across, down) = size_wh, pixel_format.subsampling
    return -(-width // across) * across, -(-height // down) * down


def padded(av_frame: av.VideoFrame, size_wh: tuple[int, int]) -> av.VideoFrame:
    """``av_frame``, in one of ``PIXEL_FORMATS``, at ``size_wh``, which is no smaller.

    Its last column and row are repeated. Times, tags and side data are kept. Raises ValueError for another format.
    """
    pixel_format = PIXEL_FORMATS.get(av_frame.format.name.replace("yuvj", "yuv"))
    if pixel_format is None:
        raise ValueError(f"{av_frame.format.name} cannot be padded")
    # PyAV copies side data to a new frame in the scaler alone, so its result is overwritten.
    larger = av_frame.reformat(*size_wh, av_frame.format.name)
    for target, source in zip(planes_of(larger, pixel_format), planes_of(av_frame, pixel_format), strict=True):
        height, width = source.shape[:2]
        target[:height, :width] = source
        target[:height, width:] = source[:, -1:]
        target[height:] = target[height - 1 : height]
    ColorTags.of(av_frame).apply_to(larger)
    larger.pts, larger.time_base, larger.duration = av_frame.pts, av_frame.time_base, av_frame.duration
    return larger
