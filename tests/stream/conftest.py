"""Small real clips, made with FFmpeg as a test asks for them."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

FIELD_ORDERS = {"tff": 2, "bff": 3}
INTERLACED = 0x40000 | 0x20000000
ClipMaker = Callable[..., Path]


def gradient_frame(index: int, size_wh: tuple[int, int], pix_fmt: str) -> av.VideoFrame:
    """A frame with a gradient that moves with ``index``, different in every plane."""
    made = av.VideoFrame(*size_wh, pix_fmt)
    wide = made.format.components[0].bits > 8
    for number, plane in enumerate(made.planes):
        samples = np.frombuffer(memoryview(plane), np.uint16 if wide else np.uint8).reshape(plane.height, -1)
        across, down = np.arange(samples.shape[1]), np.arange(samples.shape[0])[:, None]
        values = 40 + (across * (number + 1) + down * 2 + index * 7) % 150
        samples[:] = values << (made.format.components[0].bits - 8) if wide else values
    return made


def as_fields(made: av.VideoFrame, order: str = "tff") -> av.VideoFrame:
    """The frame marked as two fields, the top or the bottom one first."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=made.width, height=made.height, format=made.format, time_base=made.time_base)
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    graph.push(made)
    return graph.pull()


def tone(index: int, rate: int, samples: int = 1024) -> av.AudioFrame:
    """Part ``index`` of a stereo tone of 440 Hz."""
    times = (np.arange(samples) + index * samples) / rate
    wave = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave], axis=1).reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate, index * samples, Fraction(1, rate)
    return frame


class _Clip:
    """A clip in the making."""

    def __init__(self, path: Path, format_name: str | None) -> None:
        self.container = av.open(str(path), "w", format=format_name)
        self.packets: list[tuple[Fraction, Any]] = []

    def video(self, times: Sequence[int], size_wh: tuple[int, int], pix_fmt: str, codec: str, **settings: Any) -> None:
        rate, unit = Fraction(settings.pop("rate", 25)), settings.pop("time_base", Fraction(1, 12800))
        stream: Any = self.container.add_stream(codec, rate=rate, options=settings.pop("options", {}))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt, context.time_base = *size_wh, pix_fmt, unit
        stream.metadata.update(settings.pop("metadata", {}))
        turn = settings.pop("turn", None)
        if turn is not None:
            stream.set_display_rotation(turn)
        tags, fields = settings.pop("tags", {}), settings.pop("fields", None)
        if fields:
            context.field_order = FIELD_ORDERS[fields]
            context.flags |= INTERLACED
        for name, value in {**settings, **tags}.items():
            setattr(context, name, value)
        for index, time in enumerate(times):
            made = gradient_frame(index, size_wh, pix_fmt)
            made.pts, made.time_base = time, unit
            for name, value in tags.items():
                setattr(made, name, value)
            self.keep(stream.encode(as_fields(made, fields) if fields else made))
        self.keep(stream.encode(None))

    def audio(
        self,
        codec: str,
        parts: int,
        rate: int = 48000,
        layout: str = "stereo",
        metadata: dict[str, str] | None = None,
    ) -> None:
        stream: Any = self.container.add_stream(codec, rate=rate)
        stream.codec_context.layout, stream.codec_context.bit_rate = layout, 128_000
        stream.metadata.update(metadata or {})
        stream.codec_context.open()
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate, frame_size=stream.codec_context.frame_size or None
        )
        for index in range(parts):
            for frame in resampler.resample(tone(index, rate)):
                self.keep(stream.encode(frame))
        for frame in resampler.resample(None):
            self.keep(stream.encode(frame))
        self.keep(stream.encode(None))

    def subtitles(
        self, codec: str, lines: Sequence[tuple[int, int, str]], metadata: dict[str, str], disposition: int = 0
    ) -> None:
        """``lines`` are (start, duration, text) in milliseconds."""
        stream: Any = self.container.add_mux_stream(codec)
        stream.time_base, stream.disposition = Fraction(1, 1000), disposition
        stream.metadata.update(metadata)
        for start, duration, text in lines:
            packet: Any = av.Packet(text.encode())
            packet.pts = packet.dts = start
            packet.duration, packet.time_base = duration, Fraction(1, 1000)
            packet.stream = stream
            self.keep([packet])

    def keep(self, packets: Sequence[Any]) -> None:
        self.packets += [(packet.dts * packet.time_base, packet) for packet in packets]

    def close(self) -> None:
        for _, packet in sorted(self.packets, key=lambda entry: entry[0]):
            self.container.mux(packet)
        self.container.close()


@pytest.fixture
def make_clip(tmp_path: Path) -> ClipMaker:
    """Makes a clip under ``tmp_path``: video, and what else is asked for."""

    def make(
        name: str = "clip.mp4",
        *,
        frames: int = 10,
        times: Sequence[int] | None = None,
        size_wh: tuple[int, int] = (64, 48),
        pix_fmt: str = "yuv420p",
        codec: str = "libx264",
        format_name: str | None = None,
        audio: Sequence[dict[str, Any]] = (),
        subtitles: Sequence[dict[str, Any]] = (),
        chapters: Sequence[tuple[int, int, str]] = (),
        attachments: Sequence[tuple[str, str, bytes]] = (),
        metadata: dict[str, str] | None = None,
        **settings: Any,
    ) -> Path:
        path = tmp_path / name
        clip = _Clip(path, format_name)
        clip.container.metadata.update(metadata or {})
        if chapters:
            clip.container.set_chapters(
                [
                    {"id": i, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                    for i, (start, end, title) in enumerate(chapters, start=1)
                ]
            )
        for attachment in attachments:
            clip.container.add_attachment(*attachment)
        clip.video(times or [i * 512 for i in range(frames)], size_wh, pix_fmt, codec, **settings)
        for track in audio:
            clip.audio(**track)
        for text in subtitles:
            clip.subtitles(**text)
        clip.close()
        return path

    return make
