"""The tracks that aiortc's senders read."""

import asyncio
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from stream.live.webrtc.outgoing_tracks import HEAD_START_S, MOST_SOUND, OutgoingAudio, OutgoingVideo, copy_of_sound


def run(work):
    return asyncio.run(asyncio.wait_for(work, 20))


def sound(index):
    made = av.AudioFrame.from_ndarray(np.full((1, 1920), index, np.int16), format="s16", layout="stereo")
    made.sample_rate, made.pts, made.time_base = 48_000, 960 * index, Fraction(1, 48_000)
    return made


def test_the_encoder_gets_the_newest_and_what_it_missed_is_counted():
    async def go():
        track = OutgoingVideo()
        pictures = [av.VideoFrame(16, 16) for _ in range(3)]
        for picture in pictures:
            track.put(picture, time.monotonic() - 0.5)
        assert await track.recv() is pictures[2]
        figures = track.statistics.snapshot(time.monotonic())
        assert (figures.frames_out, figures.drops) == (1, {"encoder busy": 2})
        assert figures.latency_ms["p50"] == pytest.approx(500, abs=200), "from receipt to hand-over"

    run(go())


@pytest.mark.parametrize("make", [OutgoingVideo, lambda: OutgoingAudio(lambda: 0.0)])
def test_stopping_ends_the_wait(make):
    async def go():
        track = make()
        asyncio.get_running_loop().call_later(0.01, track.stop)
        with pytest.raises(MediaStreamError):
            await track.recv()
        assert track.readyState == "ended"
        with pytest.raises(MediaStreamError):
            await track.recv()

    run(go())


def test_sound_comes_in_order_and_waits_as_long_as_the_picture():
    async def go():
        track = OutgoingAudio(lambda: HEAD_START_S + 0.1)
        for index in range(3):
            track.put(sound(index))
        before = time.monotonic()
        assert [(await track.recv()).pts for _ in range(3)] == [0, 960, 1920]
        assert time.monotonic() - before >= 0.09
        at_once = OutgoingAudio(lambda: HEAD_START_S)
        at_once.put(sound(0))
        await asyncio.wait_for(at_once.recv(), 5)

    run(go())


def test_sound_that_nobody_takes_is_bounded():
    async def go():
        track = OutgoingAudio(lambda: 0.0)
        for index in range(3 * MOST_SOUND):
            track.put(sound(index))
        assert (await track.recv()).pts == 960 * 2 * MOST_SOUND

    run(go())


def test_a_copy_of_sound_is_the_same_sound():
    piece = sound(5)
    copy = copy_of_sound(piece)
    assert copy is not piece
    assert (copy.pts, copy.sample_rate, copy.layout.name, copy.time_base) == (4800, 48_000, "stereo", piece.time_base)
    assert np.array_equal(copy.to_ndarray(), piece.to_ndarray())
