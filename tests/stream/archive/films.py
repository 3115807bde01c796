"""Films for tests of pieces: shots of a pattern that moves, with audio, and what was made of them."""

import hashlib
from fractions import Fraction

import av
import numpy as np

SIZE_WH = (160, 96)


def make_film(path, shots=(12, 15, 13), *, rate=25, step=None, codec="libx264"):
    """A film with a cut before every shot but the first; ``step``: every so many frames one is missing."""
    random = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=rate)
        video.width, video.height = SIZE_WH
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, rate)
        if codec == "libx264":
            video.options = {"preset": "ultrafast", "g": "7"}
        audio = container.add_stream("aac", rate=48000)
        audio.layout = "mono"
        number = 0
        for shot in shots:
            pattern = np.kron(random.integers(40, 220, (4, 6), np.uint8), np.ones((32, 32), np.uint8))
            for moved in range(shot):
                number += 1
                if step and number % step == 0:
                    continue
                left = moved % 8 if moved % 8 < 4 else 8 - moved % 8  # back and forth, so that no jump looks like a cut
                frame = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(pattern[: SIZE_WH[1], left : left + SIZE_WH[0]]), "gray"
                )
                frame = frame.reformat(format="yuv420p")
                frame.pts, frame.time_base = number - 1, Fraction(1, rate)
                container.mux(video.encode(frame))
        container.mux(video.encode(None))
        tone = (8000 * np.sin(np.arange(int(48000 * sum(shots) / rate)) / 20)).astype(np.int16)
        for start in range(0, len(tone), 1024):
            audio_frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "s16", "mono")
            audio_frame.sample_rate, audio_frame.pts, audio_frame.time_base = 48000, start, Fraction(1, 48000)
            container.mux(audio.encode(audio_frame))
        container.mux(audio.encode(None))
    return path


def frames_of(path):
    """The time of each frame and a hash of what is decoded."""
    with av.open(str(path)) as container:
        return [
            (frame.pts * frame.time_base, hashlib.md5(frame.to_ndarray().tobytes()).hexdigest())
            for frame in container.decode(video=0)
        ]


def packets_of(path, kind):
    with av.open(str(path)) as container:
        stream = next(iter(getattr(container.streams, kind)))
        return [
            (packet.pts * packet.time_base, packet.dts and packet.dts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]
