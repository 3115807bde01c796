from pathlib import Path
from typing import Any

import av
import pytest

from stream.media.writing.companion_writers import CopiedStream, ReencodedAudio
from tests.stream.media.clip_io import process

AUDIO = {"codec": "aac", "parts": 20}


def cues_of(path: Path) -> list[tuple[float, float, str]]:
    """Start, end and text of every cue that is not empty."""
    with av.open(str(path)) as made:
        stream = made.streams.subtitles[0]
        found = [packet for packet in made.demux(stream) if packet.size > 2]
        texts = [" / ".join(text.dialogue.decode() for text in packet.decode()) for packet in found]
        starts = [(packet.pts * packet.time_base, packet.duration * packet.time_base) for packet in found]
    return [
        (round(float(start), 3), round(float(start + length), 3), text)
        for (start, length), text in zip(starts, texts, strict=True)
    ]


def test_copied_packets_have_times(make_clip: Any, tmp_path: Path) -> None:
    with av.open(str(make_clip("in.mkv", audio=[AUDIO]))) as given, av.open(str(tmp_path / "out.mkv"), "w") as made:
        copy = CopiedStream(made.add_stream_from_template(given.streams.audio[0]))
        packets = [packet for packet in given.demux(audio=0) if packet.size][:4]
        for packet, (pts, dts) in zip(packets, [(5, 5), (None, None), (None, 40), (3, 60)], strict=True):
            packet.pts, packet.dts, packet.duration = pts, dts, 10
        copied = [written for packet in packets for written in copy.put(packet)]
    assert [(packet.pts, packet.dts) for packet in copied] == [(5, 5), (15, 15), (40, 40), (60, 60)]
    assert copy.flush() == []


def test_audio_that_cannot_be_decoded_is_counted(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", audio=[{**AUDIO, "codec": "ac3"}])
    with av.open(str(path)) as given, av.open(str(tmp_path / "out.mkv"), "w") as made:
        encoded: Any = made.add_stream("aac", rate=48000)
        encoded.codec_context.open()
        audio = ReencodedAudio(given.streams.audio[0], encoded)
        packets: list[Any] = [packet for packet in given.demux(audio=0) if packet.size]
        broken: Any = av.Packet(b"\xff" * 100)
        broken.pts, broken.dts, broken.time_base = packets[4].pts, packets[4].dts, packets[4].time_base
        written = [one for packet in [*packets[:4], broken, *packets[5:]] for one in audio.put(packet)]
        written += audio.flush()
    assert audio.undecodable == 1
    assert sum(packet.duration for packet in written) == pytest.approx(len(packets) * 1536, abs=2048)


def test_an_empty_packet_of_audio_is_no_damage(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.nut", audio=[{**AUDIO, "codec": "flac"}])
    sink = process(path, tmp_path / "out.ts")
    assert sink.lost_packets == 0


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_cues_that_overlap_keep_their_times(make_clip: Any, tmp_path: Path, name: str) -> None:
    """MP4 shows one text at a time."""
    lines = [(100, 700, "a"), (300, 200, "b"), (900, 100, "c")]
    path = make_clip("in.mkv", frames=30, subtitles=[{"codec": "subrip", "lines": lines, "metadata": {}}])
    sink = process(path, tmp_path / name)
    assert sink.lost_packets == 0
    assert cues_of(tmp_path / name) == [(0.1, 0.3, "a"), (0.3, 0.5, "a\nb"), (0.5, 0.8, "a"), (0.9, 1.0, "c")]


def test_cues_that_overlap_pass_as_they_are_where_they_may(make_clip: Any, tmp_path: Path) -> None:
    lines = [(100, 700, "first"), (300, 200, "second")]
    path = make_clip("in.mkv", frames=30, subtitles=[{"codec": "subrip", "lines": lines, "metadata": {}}])
    process(path, tmp_path / "out.webm")
    assert cues_of(tmp_path / "out.webm") == [(0.1, 0.8, "first"), (0.3, 0.5, "second")]


def test_a_cue_without_duration_lasts_until_the_next(make_clip: Any, tmp_path: Path) -> None:
    lines = [(100, 0, "a"), (300, 200, "b")]
    path = make_clip("in.mkv", frames=30, subtitles=[{"codec": "subrip", "lines": lines, "metadata": {}}])
    process(path, tmp_path / "out.mp4")
    assert [(start, text) for start, _, text in cues_of(tmp_path / "out.mp4")] == [(0.1, "a"), (0.3, "b")]
