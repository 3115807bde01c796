"""Every sink of a publication gets frames of its own."""

from fractions import Fraction

import av
import numpy as np

from stream.live.webrtc.fan_out import FanOut
from stream.live.webrtc.frames import frame_from_decoder


class Sink:
    """Keeps what it gets, and spoils it: encoders mark and retime their frames."""

    def __init__(self):
        self.video, self.audio = [], []

    def put(self, frame, received_at):
        self.video.append((int(np.asarray(frame.planes[0])[0]), frame.pts, received_at))
        np.frombuffer(memoryview(frame.planes[0]), np.uint8)[:] = 0
        frame.pts += 90_000

    def put_audio(self, frame, received_at):
        self.audio.append((int(frame.to_ndarray()[0, 0]), frame.pts, received_at))
        np.frombuffer(memoryview(frame.planes[0]), np.int16)[:] = 0
        frame.pts += 48_000


def video(luma=100):
    decoded = av.VideoFrame(64, 48, "yuv420p")
    for plane in decoded.planes:
        plane.update(bytes([luma]) * plane.buffer_size)
    decoded.pts, decoded.time_base = 4500, Fraction(1, 90_000)
    return frame_from_decoder(decoded)


def audio():
    frame = av.AudioFrame.from_ndarray(np.full((1, 1920), 7, np.int16), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 960, Fraction(1, 48_000)
    return frame


def test_sinks_do_not_share_frames():
    fan_out, sinks = FanOut(), [Sink() for _ in range(3)]
    for sink in sinks:
        fan_out.add_video(sink)
        fan_out.add_audio(sink)
    fan_out.put_video(video(), received_at=5.0)
    fan_out.put_audio(audio(), received_at=6.0)
    for sink in sinks:
        assert sink.video == [(100, 4500, 5.0)]
        assert sink.audio == [(7, 960, 6.0)]


def test_a_removed_sink_gets_nothing_more():
    fan_out, kept, removed = FanOut(), Sink(), Sink()
    for sink in (kept, removed):
        fan_out.add_video(sink)
        fan_out.add_audio(sink)
    fan_out.remove(removed, None)
    fan_out.put_video(video(), received_at=5.0)
    fan_out.put_audio(audio(), received_at=5.0)
    assert (len(kept.video), len(kept.audio)) == (1, 1)
    assert (removed.video, removed.audio) == ([], [])


def test_without_sinks_nothing_happens():
    FanOut().put_video(video(), received_at=0.0)
    FanOut().put_audio(audio(), received_at=0.0)
