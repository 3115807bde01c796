"""The bound between what comes from the network and the decoder."""

import asyncio
from collections import Counter
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload

from stream.live.webrtc import encoded_queue
from stream.live.webrtc.encoded_queue import EncodedQueue, bound_decoder_queue, is_key_frame

VP8 = SimpleNamespace(name="VP8")
KEY, DELTA = SimpleNamespace(data=b"\x10rest"), SimpleNamespace(data=b"\x11rest")


class Counts:
    def __init__(self):
        self.drops, self.asked = Counter(), 0

    def drop(self, reason):
        self.drops[reason] += 1

    def ask(self):
        self.asked += 1


def test_within_the_bound_it_is_a_queue():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, counts.ask)
    for frame in (KEY, DELTA, DELTA):
        queue.put((VP8, frame))
    assert [queue.get(timeout=5)[1] for _ in range(3)] == [KEY, DELTA, DELTA]
    assert (counts.drops, counts.asked) == ({}, 0)


def test_what_does_not_fit_is_dropped_up_to_the_next_key_frame(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(encoded_queue.time, "monotonic", lambda: now[0])
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, counts.ask)
    for frame in (KEY, DELTA, DELTA):
        queue.put((VP8, frame))
    for _ in range(4):
        queue.put((VP8, DELTA))
    assert queue.qsize() == 0, "frames that build on lost ones are of no use"
    assert (counts.drops, counts.asked) == ({"decoder busy": 7}, 1)
    now[0] += 0.6
    queue.put((VP8, DELTA))
    assert counts.asked == 2, "asked again where none came"
    queue.put((VP8, KEY))
    queue.put((VP8, DELTA))
    assert [queue.get(timeout=5)[1] for _ in range(2)] == [KEY, DELTA]


def test_it_begins_with_a_key_frame_and_asks_for_one():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, counts.ask)
    for frame in (DELTA, DELTA, KEY, DELTA):
        queue.put((VP8, frame))
    assert [queue.get(timeout=5)[1] for _ in range(2)] == [KEY, DELTA]
    assert (counts.drops, counts.asked) == ({"no key frame": 2}, 1)


def test_h264_that_is_refreshed_little_by_little_begins_with_its_parameters():
    sps, slice_ = b"\x00\x00\x00\x01\x67\x42\xc0\x1f", b"\x00\x00\x00\x01\x41\x9a"
    assert is_key_frame("H264", sps + slice_)
    assert not is_key_frame("H264", slice_)


def test_sound_loses_what_waits_and_goes_on():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, None)
    for k in range(4):
        queue.put(("opus", k))
    assert queue.get(timeout=5) == ("opus", 3)
    assert counts.drops == {"sound": 3}


def test_the_end_overtakes_what_waits():
    counts = Counts()
    queue = EncodedQueue(3, counts.drop, counts.ask)
    queue.put((VP8, KEY))
    queue.put(None)
    assert queue.get(timeout=5) is None


@pytest.mark.parametrize(
    ("codec", "encoder", "depayload"), [("VP8", Vp8Encoder, vp8_depayload), ("H264", H264Encoder, h264_depayload)]
)
def test_key_frames_of_real_encoders_are_known(codec, encoder, depayload):
    made, found = encoder(), []
    for index in range(6):
        picture = av.VideoFrame(64, 48, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([index * 10]) * plane.buffer_size)
        picture.pts, picture.time_base = index * 3000, Fraction(1, 90_000)
        payloads, _ = made.encode(picture, force_keyframe=index == 4)
        found.append(is_key_frame(codec, b"".join(map(depayload, payloads))))
    assert found == [True, False, False, False, True, False]


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_receiver_takes_the_bounded_queue(kind):
    """aiortc names these attributes as it likes: this fails where it changes them."""

    async def go():
        connection, counts = RTCPeerConnection(), Counts()
        receiver = connection.addTransceiver(kind).receiver
        bound_decoder_queue(receiver, kind, counts.drop)
        queue = receiver._RTCRtpReceiver__decoder_queue
        failed = receiver._RTCRtpReceiver__decoder_error
        for _ in range(200):
            queue.put((VP8, DELTA))
        assert list(counts.drops) == ["no key frame" if kind == "video" else "sound"]
        assert queue.qsize() < 60
        assert failed.is_set() == (kind == "video")
        failed.clear()
        failed.set()
        assert failed.is_set()
        assert counts.drops["undecodable"] == 1
        await connection.close()

    asyncio.run(go())
