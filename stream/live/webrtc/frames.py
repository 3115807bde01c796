"""Video frames as WebRTC carries them, converted from and to the pipeline's frames.

WebRTC's video is 8-bit 4:2:0. VP8 is BT.601 in limited range by definition (RFC 6386, section 9.2), browsers read
untagged H.264 the same way whatever its size, and aiortc's encoders write no tags. So untagged frames are BT.601 here,
even where a file of that size would count as BT.709, and all frames are converted to BT.601 before they are sent.
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
    frame_from_av,
    frame_to_av,
    to_working_format,
)

MIN_SIDE: Final = 16
"""Pixels: the smallest width and height that every effect supports."""
_SMPTE170M: Final = 6
"""FFmpeg's code of BT.601 (525 lines), as matrix and as primaries."""


def frame_from_decoder(decoded: av.VideoFrame) -> Frame:
    """A frame of a received track, with its timestamps, tagged BT.601 where it has no tags; shares the planes.

    Rotation is 0: the RTP header extension that would carry it (3GPP's CVO) is not negotiated, so senders turn their
    frames upright.
    """
    if decoded.colorspace == UNSPECIFIED:
        decoded.colorspace = _SMPTE170M
    if decoded.color_primaries == UNSPECIFIED:
        decoded.color_primaries = _SMPTE170M
    if decoded.color_range == RANGE_UNSPECIFIED and not decoded.format.name.startswith("yuvj"):
        decoded.color_range = LIMITED
    return frame_from_av(to_working_format(decoded))


def frame_to_send(frame: Frame) -> av.VideoFrame:
    """The frame as encoders take it: ``yuv420p`` in BT.601, limited range, even width and height. It is used up.

    The last column or row is cut off where their number is odd: 4:2:0 H.264 has even sizes only.
    """
    even = frame_to_av(_even(frame))
    same = frame.color.matrix == "bt601" and not frame.color.full_range and frame.format.name == "yuv420p"
    return even if same else convert(even, frame.color, "yuv420p", full_range=False, matrix="bt601")


def copy_video(frame: av.VideoFrame) -> av.VideoFrame:
    """The same frame in memory of its own. Encoders mark and retime their frames, so each encoder needs its own."""
    return frame_to_av(replace(frame_from_av(frame), handle=None))


def _even(frame: Frame) -> Frame:
    width, height = frame.size_wh
    if width % 2 == 0 and height % 2 == 0:
        return frame
    step_x, step_y = frame.format.subsampling
    width, height = width - width % 2, height - height % 2
    luma, *chroma = frame.planes
    cut = (luma[:height, :width], *(plane[: height // step_y, : width // step_x] for plane in chroma))
    return replace(frame, planes=cut, handle=None)
