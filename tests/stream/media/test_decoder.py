from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stream.media.decoder import FrameDecoder
from stream.media.source_info import Damage
from tests.stream.media.clip_io import frames_of, read


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name", "expected"),
    [
        ("libx264", "yuv444p", "clip.mkv", "yuv444p"),
        ("libx264", "yuv420p10le", "clip.mkv", "yuv420p10le"),
        ("libx264", "yuvj420p", "clip.mp4", "yuv420p"),
        ("ffv1", "gray", "clip.mkv", "gray"),
        ("ffv1", "bgra", "clip.mkv", "yuv444p"),
        ("png", "rgb24", "clip.nut", "yuv444p"),
        ("ffv1", "yuv422p12le", "clip.mkv", "yuv422p12le"),
    ],
)
@pytest.mark.parametrize("size_wh", [(64, 48), (34, 18)])
def test_pixel_formats(
    make_clip: Any, codec: str, pix_fmt: str, name: str, expected: str, size_wh: tuple[int, int]
) -> None:
    source, units = read(make_clip(name, codec=codec, pix_fmt=pix_fmt, size_wh=size_wh, frames=3))
    assert {(frame.format.name, frame.size_wh) for frame in frames_of(units)} == {(expected, size_wh)}
    assert bool(source.warnings) == (pix_fmt == "bgra"), source.warnings


def test_a_frame_that_changes_size_is_scaled_to_the_first(make_clip: Any, tmp_path: Path) -> None:
    parts = [make_clip("a.ts", frames=5), make_clip("b.ts", frames=5, size_wh=(96, 64))]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    source, units = read(joined)
    assert {frame.size_wh for frame in frames_of(units)} == {(64, 48)}
    assert len(frames_of(units)) == 10
    assert any("changes from 64x48" in warning for warning in source.warnings)
    times = [frame.pts for frame in frames_of(units)]
    assert times == sorted(set(times)), "the clock starts anew in the second part"


def test_damaged_pieces_are_counted_and_skipped(make_clip: Any) -> None:
    path = make_clip("clip.nut", codec="png", pix_fmt="rgb24", frames=30, options={"pred": "none"})
    data = bytearray(path.read_bytes())
    place = data.find(b"IDAT", len(data) // 2)
    data[place + 6 : place + 40] = b"\0" * 34
    path.write_bytes(bytes(data))
    source, units = read(path)
    assert 1 <= source.damage.packets <= 2
    assert len(frames_of(units)) == 30 - source.damage.packets
    assert f"{source.damage.packets} damaged packets" in source.damage.text


def test_the_first_frame_decides_on_the_format_of_all(make_clip: Any) -> None:
    damage, warnings = Damage(), []
    with av.open(str(make_clip("clip.mkv", frames=5, sample_aspect_ratio=Fraction(4, 3)))) as container:
        stream = container.streams.video[0]
        decoder = FrameDecoder(stream, damage, warnings)
        packets = [packet for packet in container.demux(stream) if packet.size]
        frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert not decoder.on_device
    assert {(frame.size_wh, frame.format.name, frame.sample_aspect) for frame in frames} == {
        ((64, 48), "yuv420p", Fraction(4, 3))
    }
    assert [round(frame.time * 25) for frame in frames] == [0, 1, 2, 3, 4]
    assert (decoder.failure, damage.any, warnings) == (None, False, [])


def test_a_packet_that_cannot_be_decoded_is_counted_and_its_error_kept(make_clip: Any) -> None:
    damage = Damage()
    with av.open(str(make_clip("clip.nut", codec="png", pix_fmt="rgb24", frames=3))) as container:
        stream = container.streams.video[0]
        decoder = FrameDecoder(stream, damage, [])
        good = [packet for packet in container.demux(stream) if packet.size]
        bad = av.Packet(b"no image at all")
        bad.stream, bad.time_base = stream, good[1].time_base
        bad.pts = bad.dts = good[1].pts
        packets = [good[0], bad, good[2], None]
        frames = [frame for packet in packets for frame in decoder.decode(packet)]
    assert len(frames) == 2
    assert damage.packets == 1
    assert isinstance(decoder.failure, av.FFmpegError)


def test_frames_that_are_lost_at_the_end_are_counted(make_clip: Any) -> None:
    """With frame threads the last errors show only when the decoder is emptied, where PyAV passes over them."""
    damage = Damage()
    with av.open(str(make_clip("clip.nut", codec="png", pix_fmt="rgb24", frames=12))) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "FRAME", 4
        decoder = FrameDecoder(stream, damage, [])
        packets = [packet for packet in container.demux(stream) if packet.size]
        bad: Any = av.Packet(b"no image at all")
        bad.stream, bad.time_base, bad.pts, bad.dts = stream, packets[-2].time_base, packets[-2].pts, packets[-2].dts
        packets[-2] = bad
        frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert len(frames) + damage.packets == 12
    assert damage.packets > 0


def test_the_delay_of_b_frames_in_avi_is_that_of_its_start(make_clip: Any, tmp_path: Path) -> None:
    clip = make_clip(
        "clip.avi", times=range(75), time_base=Fraction(1, 25), codec="mpeg4", gop_size=25, options={"bf": "2"}
    )
    path = tmp_path / "hole.avi"
    with av.open(str(clip)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(one for one in given.demux(video=0) if one.size):
            packet.dts = packet.pts = number + 3 * (number > 0)
            packet.stream = stream
            made.mux(packet)
    whole, part = frames_of(read(path)[1]), frames_of(read(path, start_seconds=2)[1])
    assert [frame.pts for frame in part] == list(range(25))
    assert np.array_equal(part[0].planes[0], whole[50].planes[0])
