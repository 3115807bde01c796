"""AAC whose description was lost, as some cameras and cutting programs write it."""

import io
from pathlib import Path
from typing import Any

import av
import pytest

from stream.media.packets import Packet
from stream.media.writing.acceptance import keeps_times, streams_without_packets, takes_packets

FORMATS_THAT_NEED_THE_DESCRIPTION = {"matroska"}


def first_packets(path: Path, count: int) -> tuple[list[Packet], av.container.InputContainer]:
    given = av.open(str(path))
    return [packet for packet in given.demux(audio=0) if packet.size][:count], given


@pytest.mark.parametrize("format_name", ["matroska", "mp4", "mov", "nut"])
def test_what_a_container_takes_beyond_its_header(make_clip: Any, format_name: str) -> None:
    packets, given = first_packets(make_clip("in.mp4", audio=[{"codec": "aac", "parts": 20}]), 4)
    stream = given.streams.audio[0]

    def add(trial: Any, *, described: bool = True) -> Any:
        made = trial.add_stream_from_template(stream, opaque=True)
        if not described:
            made.codec_context.extradata = None
        return made

    before = [(packet.pts, packet.stream) for packet in packets]
    assert takes_packets(format_name, add, packets)
    taken = takes_packets(format_name, lambda trial: add(trial, described=False), packets)
    assert taken == (format_name not in FORMATS_THAT_NEED_THE_DESCRIPTION)
    assert [(packet.pts, packet.stream) for packet in packets] == before


def test_one_packet_that_is_taken_is_enough(make_clip: Any) -> None:
    packets, given = first_packets(make_clip("in.ts", audio=[{"codec": "aac", "parts": 20}]), 3)
    for index in (1, 2):
        damaged: Packet = av.Packet(b"\0\0\0\0" + bytes(packets[index])[4:])
        damaged.pts, damaged.dts, damaged.time_base = packets[index].pts, packets[index].dts, packets[index].time_base
        packets[index] = damaged

    def add(trial: Any) -> Any:
        return trial.add_stream_from_template(given.streams.audio[0], opaque=True)

    assert takes_packets("mp4", add, packets)


def test_what_cannot_be_tried_is_no_reason_against_a_stream(make_clip: Any) -> None:
    packets, given = first_packets(make_clip("in.mp4", audio=[{"codec": "aac", "parts": 20}]), 2)

    def add(trial: Any) -> Any:
        return trial.add_stream_from_template(given.streams.audio[0], opaque=True)

    assert takes_packets("matroska", add, [])
    with pytest.raises(ValueError, match="not support"):
        add(av.open(io.BytesIO(), "w", format="webm"))
    assert takes_packets("webm", add, packets)


@pytest.mark.parametrize(("ending", "kept"), [("mp4", True), ("avi", False)])
def test_avi_counts_audio_by_what_the_input_says_of_its_packets(make_clip: Any, ending: str, kept: bool) -> None:
    """What AVI says of AAC, in bytes of the largest packet, would crowd all packets at its beginning."""
    path = make_clip(f"in.{ending}", codec="mpeg4", audio=[{"codec": "aac", "parts": 20}])
    packets, given = first_packets(path, 8)

    def add(trial: Any) -> Any:
        return trial.add_stream_from_template(given.streams.audio[0], opaque=True)

    assert keeps_times("avi", add, packets) == kept
    assert keeps_times("matroska", add, packets)
    assert keeps_times("avi", add, [])


def test_streams_without_packets_are_found(make_clip: Any, tmp_path: Path) -> None:
    text = {"codec": "subrip", "lines": [], "metadata": {}}
    path = make_clip("in.mkv", audio=[{"codec": "aac", "parts": 20}], subtitles=[text])
    assert streams_without_packets(str(path), [1, 2]) == [2]
    assert streams_without_packets(str(path), [0, 1]) == []
    (tmp_path / "no.mkv").write_bytes(b"no film")
    assert streams_without_packets(str(tmp_path / "no.mkv"), [0]) == []
