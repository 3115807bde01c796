"""The bounded queue between the network and a decoder."""

from collections import Counter
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload

from stream.live.webrtc.encoded_queue import KEY_FRAME_REQUEST_INTERVAL_S, EncodedQueue, is_key_frame
from tests.stream.live.manual_clock import ManualClock

VP8 = SimpleNamespace(name="VP8")
KEY, DELTA = SimpleNamespace(data=b"\x10rest"), SimpleNamespace(data=b"\x11rest")


class Counts:
    """Counts what a queue reports."""

    def __init__(self):
        self.drops, self.requests = Counter(), 0

    def drop(self, reason):
        self.drops[reason] += 1

    def request(self):
        self.requests += 1


def taken(queue, count):
    return [queue.get_nowait()[1] for _ in range(count)]


def test_below_its_capacity_it_is_a_queue():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, counts.request)
    for frame in (KEY, DELTA, DELTA):
        queue.put((VP8, frame))
    assert taken(queue, 3) == [KEY, DELTA, DELTA]
    assert (counts.drops, counts.requests) == ({}, 0)


def test_beyond_its_capacity_everything_up_to_the_next_key_frame_is_dropped():
    clock, counts = ManualClock(), Counts()
    queue = EncodedQueue(3, counts.drop, counts.request, clock=clock)
    for frame in (KEY, DELTA, DELTA):
        queue.put((VP8, frame))
    for _ in range(4):
        queue.put((VP8, DELTA))
    assert queue.qsize() == 0, "frames that refer to lost ones are useless"
    assert (counts.drops, counts.requests) == ({"decoder busy": 7}, 1)
    clock.advance(KEY_FRAME_REQUEST_INTERVAL_S)
    queue.put((VP8, DELTA))
    assert counts.requests == 2, "requested again where none came"
    queue.put((VP8, KEY))
    queue.put((VP8, DELTA))
    assert taken(queue, 2) == [KEY, DELTA]


def test_it_starts_with_a_key_frame_and_requests_one():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, counts.request, clock=ManualClock())
    for frame in (DELTA, DELTA, KEY, DELTA):
        queue.put((VP8, frame))
    assert taken(queue, 2) == [KEY, DELTA]
    assert (counts.drops, counts.requests) == ({"no key frame": 2}, 1)


def test_h264_with_intra_refresh_starts_at_its_parameter_sets():
    sps, slice_ = b"\x00\x00\x00\x01\x67\x42\xc0\x1f", b"\x00\x00\x00\x01\x41\x9a"
    assert is_key_frame("H264", sps + slice_)
    assert not is_key_frame("H264", slice_)


def test_audio_drops_its_backlog_and_goes_on():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, None)
    for k in range(4):
        queue.put(("opus", k))
    assert queue.get_nowait() == ("opus", 3)
    assert counts.drops == {"audio backlog": 3}


def test_the_end_overtakes_the_backlog():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, counts.request)
    queue.put((VP8, KEY))
    queue.put(None)
    assert queue.get_nowait() is None


@pytest.mark.parametrize(
    ("codec", "encoder", "depayload"), [("VP8", Vp8Encoder, vp8_depayload), ("H264", H264Encoder, h264_depayload)]
)
def test_key_frames_of_real_encoders_are_recognised(codec, encoder, depayload):
    encoding, found = encoder(), []
    for index in range(6):
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([index * 10]) * plane.buffer_size)
        frame.pts, frame.time_base = index * 3000, Fraction(1, 90_000)
        payloads, _ = encoding.encode(frame, force_keyframe=index == 4)
        found.append(is_key_frame(codec, b"".join(map(depayload, payloads))))
    assert found == [True, False, False, False, True, False]
