"""What pictures look like on a WebRTC connection, and how frames become such pictures and come from them.

WebRTC's video is 8-bit 4:2:0. VP8 is BT.601 in limited range by its definition (RFC 6386, section 9.2), browsers take
untagged H.264 for the same whatever its size, and aiortc's encoders write no tags. So what comes without tags is
BT.601 here, even where a file of its size would be taken for BT.709, and all that goes out is converted to it.
"""

from dataclasses import replace
from typing import Final

import av

from emocolor.frames import Frame
from stream.media.frames import (
    LIMITED,
    RANGE_UNSPECIFIED,
    UNSPECIFIED,
    convert,
    to_working_format,
    unwrap,
    working_format,
    wrap,
)

SMALLEST_SIDE: Final = 16
"""Pixels; the least that every effect can work on."""
_SMPTE170M: Final = 6
"""FFmpeg's code of BT.601 (525 lines), as matrix and as primaries."""


def received_frame(picture: av.VideoFrame) -> Frame:
    """A picture that was decoded from a connection, with its times; its planes are still the decoder's.

    Rotation is 0: the header extension that would carry one is not negotiated, so senders turn their pictures upright.
    """
    if picture.colorspace == UNSPECIFIED:
        picture.colorspace = _SMPTE170M
    if picture.color_primaries == UNSPECIFIED:
        picture.color_primaries = _SMPTE170M
    if picture.color_range == RANGE_UNSPECIFIED and not picture.format.name.startswith("yuvj"):
        picture.color_range = LIMITED
    form, _ = working_format(picture.format.name)
    return wrap(to_working_format(picture, form, (picture.width, picture.height)))


def picture_to_send(frame: Frame) -> av.VideoFrame:
    """The frame as an encoder takes it: ``yuv420p`` in BT.601, limited range, both sides even; the frame is used up.

    Where a side is odd, its last line is cut off: H.264 in 4:2:0 knows no odd sides.
    """
    picture = unwrap(_even(frame))
    same = frame.color.matrix == "bt601" and not frame.color.full_range and frame.format.name == "yuv420p"
    return picture if same else convert(picture, frame.color, "yuv420p", full_range=False, matrix="bt601")


def copy_of(picture: av.VideoFrame) -> av.VideoFrame:
    """The same picture in memory of its own. Encoders mark and retime what they are given, so each gets its own."""
    return unwrap(replace(wrap(picture), handle=None))


def _even(frame: Frame) -> Frame:
    width, height = frame.size_wh
    if width % 2 == 0 and height % 2 == 0:
        return frame
    across, down = frame.format.subsampling
    wide, high = width - width % 2, height - height % 2
    luma, *chroma = frame.planes
    cut = (luma[:high, :wide], *(plane[: high // down, : wide // across] for plane in chroma))
    return replace(frame, planes=cut, handle=None)
