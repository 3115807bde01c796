"""A long film for benchmarks, in seconds: shots are encoded once, and their packets repeated in random order."""

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from stream.demo.clip import demo_frames

SIZE_WH: Final = (640, 360)
RATE: Final = 25
SHOT_SECONDS: Final = 8
SAMPLE_RATE: Final = 48_000
AUDIO_SAMPLES: Final = 1024
"""Of one packet of AAC."""

Image = NDArray[np.uint8]
Packets = list[tuple[int, int, bool, bytes]]
"""Of a shot: presentation and decoding times in frames from its start, whether it is a key frame, and the data."""


def make_film(
    path: Path,
    *,
    seconds: float,
    clips: Path | None,
    seed: int,
    shot_seconds: int = SHOT_SECONDS,
    is_gray: bool = False,
) -> Path:
    """Write the film: H.264 at 25 frames per second, and AAC."""
    rng = random.Random(seed)
    with av.open(str(path), "w") as container:
        video, audio = _video_stream(container), container.add_stream("aac", rate=SAMPLE_RATE)
        audio.layout = "mono"
        shots = [_encoded(frames, is_gray=is_gray) for frames in _shots(clips, shot_seconds)]
        container.start_encoding()
        silence = list(_silence(audio))
        number = sent = last = 0
        while number < seconds * RATE:
            last = rng.choice([index for index in range(len(shots)) if index != last])
            for pts, dts, is_key, data in shots[last]:
                container.mux(_packet(video, pts + number, dts + number, Fraction(1, RATE), data, is_key=is_key))
            number += len(shots[last])
            while sent * AUDIO_SAMPLES * RATE < number * SAMPLE_RATE:
                time = sent * AUDIO_SAMPLES
                container.mux(
                    _packet(audio, time, time, Fraction(1, SAMPLE_RATE), silence[sent % len(silence)], is_key=True)
                )
                sent += 1
    return path


def _video_stream(container: Any) -> Any:
    video = container.add_stream("libx264", rate=RATE)
    video.width, video.height = SIZE_WH
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = video.time_base = Fraction(1, RATE)
    # The same headers for every shot.
    video.options = {"preset": "veryfast", "crf": "20", "threads": "2"}
    return video


def _shots(clips: Path | None, seconds: int) -> Iterator[Iterator[av.VideoFrame]]:
    """The demo clip as it is, mirrored, and upside down; and the beginning of each clip."""
    demo = [av.VideoFrame.from_ndarray(image, "rgb24") for image in demo_frames(seconds=seconds, size_wh=SIZE_WH)]
    yield iter(demo)
    yield (_turned(frame, np.s_[:, ::-1]) for frame in demo)
    yield (_turned(frame, np.s_[::-1]) for frame in demo)
    for path in sorted(clips.glob("*.mp4")) if clips is not None else ():
        if not path.name.startswith(("odd_", "made_")):
            yield islice(_decoded(path), seconds * RATE)


def _turned(frame: av.VideoFrame, how: Any) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.to_ndarray()[how]), "rgb24")


def _decoded(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


def _encoded(frames: Iterator[av.VideoFrame], *, is_gray: bool) -> Packets:
    """A shot by itself, which starts with a key frame."""
    with av.open("shot.nut", "w", format="null") as container:
        video = _video_stream(container)
        packets: list[Any] = []
        for number, frame in enumerate(frames):
            scaled = frame.reformat(*SIZE_WH, format="gray" if is_gray else "yuv420p").reformat(format="yuv420p")
            scaled.pts, scaled.time_base, scaled.pict_type = number, Fraction(1, RATE), 0
            packets += video.encode(scaled)
        packets += video.encode(None)
        return [(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in packets]


def _silence(audio: Any) -> Iterator[bytes]:
    """A second of faint noise."""
    noise = np.random.default_rng(1).normal(0, 0.01, (1, SAMPLE_RATE)).astype(np.float32)
    for start in range(0, SAMPLE_RATE, AUDIO_SAMPLES):
        frame = av.AudioFrame.from_ndarray(noise[:, start : start + AUDIO_SAMPLES], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield from (bytes(packet) for packet in audio.encode(frame))
    yield from (bytes(packet) for packet in audio.encode(None))


def _packet(stream: Any, pts: int, dts: int, unit: Fraction, data: bytes, *, is_key: bool) -> Any:
    packet = av.Packet(data)
    packet.stream, packet.pts, packet.dts, packet.time_base, packet.is_keyframe = stream, pts, dts, unit, is_key
    return packet
