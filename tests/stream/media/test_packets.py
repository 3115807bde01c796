import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from stream.media.packets import PacketReader
from stream.media.source_info import Damage
from tests.stream.media.clip_io import frames_of, packets_of, read

AUDIO = {"codec": "aac", "parts": 20, "metadata": {"language": "ger"}}


def test_packets_of_other_streams_travel_in_order(make_clip: Any) -> None:
    path = make_clip(frames=20, audio=[AUDIO])
    _, units = read(path)
    with av.open(str(path)) as container:
        expected = [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]
    assert [(packet.pts, bytes(packet)) for packet in packets_of(units)] == expected


def test_a_truncated_file_gives_what_it_has(make_clip: Any, tmp_path: Path) -> None:
    whole = make_clip(frames=100, size_wh=(128, 96))
    data = whole.read_bytes()
    # The index at the end of the file has to come first for the rest to be readable at all.
    moved = tmp_path / "moved.mp4"
    with av.open(str(whole)) as given, av.open(str(moved), "w", container_options={"movflags": "faststart"}) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    moved.write_bytes(moved.read_bytes()[: len(data) * 6 // 10])
    source, units = read(moved)
    assert 10 < len(frames_of(units)) < 100
    assert source.damage.truncated
    assert re.search(r"ends too early, at [123]\.\d s instead of 4\.0 s", source.damage.text)


@contextmanager
def reader_of(path: Path, origin: Fraction = Fraction(0)) -> Iterator[PacketReader]:
    container = av.open(str(path))
    video, *others = container.streams.video[0], *container.streams.audio
    reader = PacketReader(container, video, others, origin, Damage())
    yield reader
    reader.close()


def test_times_begin_at_the_origin_and_the_video_s_end_is_known(make_clip: Any) -> None:
    path = make_clip(times=[12800 + 512 * index for index in range(10)])
    with reader_of(path, Fraction(1)) as reader:
        assert min(packet.pts for packet in reader.packets()) == 0
        assert reader.video_end == pytest.approx(0.4)
        assert (reader.failure, reader.jumps, reader.stopped) == (None, 0, False)


def test_reading_goes_on_where_it_was_left(make_clip: Any) -> None:
    with reader_of(make_clip(frames=10, options={"bf": "0"})) as reader:
        first = next(iter(reader.packets()))
        rest = list(reader.packets())
        assert [packet.pts for packet in [first, *rest]] == [512 * index for index in range(10)]


@pytest.mark.parametrize("end", ["stop", "close"])
def test_no_packet_follows_a_stop(make_clip: Any, end: str) -> None:
    with reader_of(make_clip(frames=50)) as reader:
        packets = reader.packets()
        next(packets)
        getattr(reader, end)()
        assert reader.stopped
        assert list(packets) == []
