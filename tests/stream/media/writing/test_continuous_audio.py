from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stream.media.writing.continuous_audio import CHUNK_SECONDS, ContinuousAudio, silence
from tests.stream.media.clip_io import process, samples


class Untouched:
    """Passes packets on."""

    copies = True
    undecodable = 0
    decoded = False

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def put(self, packet: Any) -> list[Any]:
        return [packet]

    def flush(self) -> list[Any]:
        return []


def context_of(codec: str, rate: int = 48_000) -> Any:
    context: Any = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = rate, "stereo"
    return context


@pytest.fixture
def stream(tmp_path: Path) -> Any:
    return av.open(str(tmp_path / "out.avi"), "w").add_stream("pcm_s16le", rate=48_000)


def packet_at(stream: Any, milliseconds: int, length: int = 20) -> Any:
    packet: Any = av.Packet(b"\1" * 4 * 48 * length)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = milliseconds
    packet.duration = length
    return packet


def test_a_single_packet_far_ahead_is_left_out_and_counted(stream: Any) -> None:
    """Its time is damaged: a month of silence would not end."""
    audio = ContinuousAudio(Untouched(stream), context_of("pcm_s16le"), "audio 1", lambda text: None)
    given = [packet_at(stream, at) for at in (0, 2_667_577_422, 20, 40, 3_000_000)]
    written = [ready for packet in given for ready in audio.put(packet)]
    assert written == [given[0], given[2], given[3]]
    assert audio.flush() == []
    assert audio.undecodable == 2


def test_a_long_hole_is_filled_where_the_audio_goes_on_behind_it(stream: Any) -> None:
    audio = ContinuousAudio(Untouched(stream), context_of("pcm_s16le"), "audio 1", lambda text: None)
    given = [packet_at(stream, at) for at in (0, 100_000, 100_020)]
    written = [ready for packet in given for ready in audio.put(packet)]
    ends = np.cumsum([packet.size / 4 / 48 for packet in written])
    assert [round(ends[written.index(packet)]) for packet in given] == [20, 100_020, 100_040]
    assert audio.undecodable == 0


def test_a_hole_of_hours_is_not_filled_and_named(stream: Any) -> None:
    warnings: list[str] = []
    audio = ContinuousAudio(Untouched(stream), context_of("pcm_s16le"), "audio 1", warnings.append)
    given = [packet_at(stream, at) for at in (0, 10_000_000, 10_000_020)]
    assert [ready for packet in given for ready in audio.put(packet)] == given
    assert len(warnings) == 1
    assert "audio 1 pauses: it is early after that" in warnings[0]


def test_a_late_start_and_a_hole_are_filled_with_silence(stream: Any) -> None:
    warnings: list[str] = []
    audio = ContinuousAudio(Untouched(stream), context_of("pcm_s16le"), "audio 1", warnings.append)
    given = [packet_at(stream, at) for at in (1500, 1520, 1541, 2000)]
    written = [ready for packet in given for ready in audio.put(packet)] + audio.flush()
    ends = np.cumsum([packet.size / 4 / 48 for packet in written])
    assert [round(ends[written.index(packet)]) for packet in given] == [1520, 1540, 1560, 2019]
    assert max(packet.duration * packet.time_base for packet in written) <= CHUNK_SECONDS
    starts = [packet.pts * packet.time_base for packet in written]
    assert starts == sorted(starts)
    assert (warnings, audio.copies, audio.undecodable) == ([], True, 0)


def test_what_overlaps_is_dropped(stream: Any) -> None:
    audio = ContinuousAudio(Untouched(stream), context_of("pcm_s16le"), "audio 1", print)
    given = [packet_at(stream, at) for at in (0, 20, 40, 10, 60)]
    assert [ready.pts for packet in given for ready in audio.put(packet)] == [0, 20, 40, 60]


def test_codecs_without_silence_are_warned_of(stream: Any) -> None:
    warnings: list[str] = []
    audio = ContinuousAudio(Untouched(stream), context_of("wmav2"), "audio 1 (wmav2)", warnings.append)
    assert len(audio.put(packet_at(stream, 1500))) == 1
    assert "audio 1 (wmav2) pauses" in warnings[0]


@pytest.mark.parametrize(
    ("codec", "value"),
    [("pcm_s16le", 0), ("pcm_s24be", 0), ("pcm_f32le", 0), ("pcm_u8", 0x80), ("pcm_alaw", 0xD5), ("pcm_mulaw", 0xFF)],
)
def test_silent_pcm_has_the_length_that_is_asked_for(codec: str, value: int) -> None:
    pieces = list(silence(context_of(codec, 44_100), Fraction(1, 3)) or [])
    assert sum(length for _, length in pieces) == Fraction(14_700, 44_100)
    assert {byte for content, _ in pieces for byte in content} == {value}
    width = {"pcm_s16le": 4, "pcm_s24be": 6, "pcm_f32le": 8}.get(codec, 2)
    assert sum(len(content) for content, _ in pieces) == 14_700 * width


@pytest.mark.parametrize("codec", ["mp2", "mp3", "ac3"])
def test_silent_packets_decode_to_silence(codec: str) -> None:
    pieces = list(silence(context_of(codec), Fraction(1)) or [])
    assert sum(length for _, length in pieces) == pytest.approx(1, abs=0.02)
    decoder: Any = av.CodecContext.create(codec, "r")
    frames = [frame for content, _ in pieces for frame in decoder.decode(av.Packet(content))]
    assert max(np.abs(frame.to_ndarray().astype(float)).max() for frame in frames) < 1e-3


@pytest.mark.parametrize("codec", ["pcm_s16le", "libmp3lame", "libopus", "aac"])
def test_audio_that_starts_late_stays_late_in_avi(make_clip: Any, tmp_path: Path, codec: str) -> None:
    whole, late = make_clip("whole.mkv", frames=75, audio=[{"codec": codec, "parts": 60}]), tmp_path / "late.mkv"
    with av.open(str(whole)) as given, av.open(str(late), "w") as made:
        streams = {stream.index: made.add_stream_from_template(stream, opaque=True) for stream in given.streams}
        for packet in [packet for packet in given.demux() if packet.size]:
            if packet.stream.type == "audio":
                packet.pts, packet.dts = packet.pts + 1500, packet.dts + 1500
            packet.stream = streams[packet.stream.index]
            made.mux(packet)
    process(late, tmp_path / "late.avi")
    start, wave = samples(tmp_path / "late.avi")
    first = np.flatnonzero(np.abs(wave) > 0.05)[0]
    assert start == pytest.approx(0, abs=0.03)
    assert first / 48_000 == pytest.approx(1.5, abs=0.06)
