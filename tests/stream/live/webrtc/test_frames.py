"""Frames as they come from decoders and go to encoders."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from av.codec import CodecContext
from av.video.reformatter import ColorRange, Colorspace

from emocolor.frames import ColorSpec
from stream.live.webrtc.frames import copy_video, frame_from_decoder, frame_to_send
from stream.media.frames import frame_from_av


def decoded(size_wh=(64, 48), form="yuv420p", value=100):
    frame = av.VideoFrame(*size_wh, form)
    for number, plane in enumerate(frame.planes):
        plane.update(bytes([value + 20 * number]) * plane.buffer_size)
    frame.pts, frame.time_base = 4500, Fraction(1, 90_000)
    return frame


def test_untagged_frames_are_bt601_whatever_their_size():
    """Where a file of 720 lines would be taken for BT.709."""
    frame = frame_from_decoder(decoded((1280, 720)))
    assert (frame.color.matrix, frame.color.full_range) == ("bt601", False)
    assert (frame.pts, frame.time_base) == (4500, Fraction(1, 90_000))


def test_tags_are_believed():
    tagged = decoded()
    tagged.colorspace, tagged.color_range = 1, 2
    assert frame_from_decoder(tagged).color == replace(
        frame_from_decoder(tagged).color, matrix="bt709", full_range=True
    )
    assert frame_from_decoder(decoded(form="yuvj420p")).color.full_range


def test_what_is_right_already_goes_out_as_it_is():
    received = decoded()
    assert frame_to_send(frame_from_decoder(received)) is received


def test_other_matrices_and_ranges_become_bt601_limited():
    """The same colour in other code values: sRGB (200, 60, 90), by the definitions of the matrices."""
    rgb = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (200, 60, 90), np.uint8), format="rgb24")
    received = rgb.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
    )
    frame = replace(frame_from_av(received), color=ColorSpec(matrix="bt709", full_range=True))
    sent = frame_to_send(frame)
    y = 16 + 219 * (0.299 * 200 + 0.587 * 60 + 0.114 * 90) / 255
    u = 128 + 224 * 0.564 * (90 - (0.299 * 200 + 0.587 * 60 + 0.114 * 90)) / 255
    v = 128 + 224 * 0.713 * (200 - (0.299 * 200 + 0.587 * 60 + 0.114 * 90)) / 255
    planes = [np.frombuffer(memoryview(plane), np.uint8)[0] for plane in sent.planes]
    assert planes == [pytest.approx(value, abs=2) for value in (y, u, v)]
    assert (sent.pts, sent.time_base) == (frame.pts, frame.time_base)
    assert (int(sent.colorspace), int(sent.color_range)) == (6, 1)


def test_odd_sides_lose_a_line_and_h264_takes_the_rest():
    sent = frame_to_send(frame_from_decoder(decoded((65, 47))))
    assert (sent.width, sent.height) == (64, 46)
    assert [np.asarray(plane)[0] for plane in sent.planes] == [100, 120, 140]
    encoder = CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 46, "yuv420p", Fraction(1, 30)
    assert len(encoder.encode(sent) + encoder.encode(None)) == 1


def test_other_formats_become_yuv420p():
    assert frame_to_send(frame_from_decoder(decoded(form="yuv444p"))).format.name == "yuv420p"


def test_a_copy_shares_nothing():
    received = decoded()
    copy = copy_video(received)
    np.frombuffer(memoryview(received.planes[0]), np.uint8)[:] = 7
    received.pict_type = 1
    assert np.asarray(copy.planes[0])[0] == 100
    assert (copy.pts, copy.time_base, int(copy.pict_type)) == (4500, Fraction(1, 90_000), 0)
