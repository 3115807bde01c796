"""The tracks that aiortc's senders read."""

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from stream.live.webrtc.outgoing_tracks import AUDIO_CAPACITY, AUDIO_LAG_S, OutgoingAudio, OutgoingVideo, copy_audio
from tests.stream.live.manual_clock import ManualClock


def run(work):
    return asyncio.run(asyncio.wait_for(work, 20))


def audio(index):
    frame = av.AudioFrame.from_ndarray(np.full((1, 1920), index, np.int16), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 960 * index, Fraction(1, 48_000)
    return frame


def test_the_sender_gets_the_newest_frame_and_drops_are_counted():
    async def go():
        clock = ManualClock(10.0)
        track = OutgoingVideo(clock)
        frames = [av.VideoFrame(16, 16) for _ in range(3)]
        for frame in frames:
            track.put(frame, received_at=9.5)
        assert await track.recv() is frames[2]
        return track.statistics.snapshot(clock.now())

    statistics = run(go())
    assert (statistics.frames_out, statistics.drops) == (1, {"encoder busy": 2})
    assert statistics.latency_ms["p50"] == pytest.approx(500), "from receipt to the sender"


@pytest.mark.parametrize("make", [OutgoingVideo, lambda: OutgoingAudio(lambda: 0.0)])
def test_stopping_ends_the_wait(make):
    async def go():
        track = make()
        waiting = asyncio.create_task(track.recv())
        asyncio.get_running_loop().call_soon(track.stop)
        with pytest.raises(MediaStreamError):
            await waiting
        assert track.readyState == "ended"
        with pytest.raises(MediaStreamError):
            await track.recv()

    run(go())


def test_audio_comes_in_order_and_as_late_as_the_video():
    async def go():
        clock = ManualClock()
        track = OutgoingAudio(lambda: AUDIO_LAG_S + 0.1, clock)
        for index in range(3):
            track.put_audio(audio(index), received_at=0.0)
        first = asyncio.create_task(track.recv())
        await asyncio.to_thread(clock.wait_for_sleepers)
        clock.advance(0.09)
        assert not first.done()
        clock.advance(0.02)
        return [(await first).pts, (await track.recv()).pts, (await track.recv()).pts]

    assert run(go()) == [0, 960, 1920]


def test_audio_is_not_delayed_where_the_video_is_no_later():
    async def go():
        track = OutgoingAudio(lambda: AUDIO_LAG_S, ManualClock())
        track.put_audio(audio(0), received_at=0.0)
        return (await track.recv()).pts

    assert run(go()) == 0


def test_waiting_audio_is_bounded():
    async def go():
        track = OutgoingAudio(lambda: 0.0, ManualClock())
        for index in range(3 * AUDIO_CAPACITY):
            track.put_audio(audio(index), received_at=0.0)
        return (await track.recv()).pts

    assert run(go()) == 960 * 2 * AUDIO_CAPACITY


def test_copied_audio_is_the_same_audio():
    frame = audio(5)
    copy = copy_audio(frame)
    assert copy is not frame
    assert (copy.pts, copy.sample_rate, copy.layout.name, copy.time_base) == (4800, 48_000, "stereo", frame.time_base)
    assert np.array_equal(copy.to_ndarray(), frame.to_ndarray())
