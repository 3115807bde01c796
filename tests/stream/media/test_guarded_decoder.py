"""Hardware that loses frames, played by FFmpeg's own decoder with some of its frames taken away."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stream.media.decoder import Hardware
from stream.media.guarded_decoder import MAX_KEPT_BYTES, GuardedDecoder
from stream.media.nvdec import copy_parameters
from stream.media.source import SourceOptions, VideoSource

STEP = 512
MARK = 255
"""Luma that none of the clips has; hardware's frames bear it at the top left."""
LISTENED_TO = 30
"""No more frames than this come before software, with 16 threads at most, has given its first."""
GROUPS = {"g": "10", "bf": "3", "x264-params": "b-pyramid=normal:scenecut=0"}
OPEN_GROUPS = {"g": "10", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}
REFRESHED = {"g": "10", "x264-params": "intra-refresh=1:bframes=0"}


class PlayedHardware:
    """A decoder of its own, marking what it gives but the first, which loses what the test says."""

    def __init__(
        self,
        *,
        lose: Callable[[int], bool] = lambda index: False,
        fail_at: int | None = None,
        spoil_first: bool = False,
    ) -> None:
        self._lose, self._fail_at, self._spoil_first = lose, fail_at, spoil_first
        self._sent = self._given = 0

    def open(self, stream: av.VideoStream) -> "PlayedHardware":
        software = stream.codec_context
        self._context: Any = av.CodecContext.create(software.codec.name, "r")
        copy_parameters(software, self._context)
        return self

    def decode(self, packet: Any) -> list[av.VideoFrame]:
        if self._sent == self._fail_at:
            raise av.error.ExternalError(-542398533, "Generic error in an external library")
        self._sent += 1
        given = []
        for frame in self._context.decode(packet):
            index, self._given = self._given, self._given + 1
            if index > 0 or self._spoil_first:
                frame.make_writable()
                memoryview(frame.planes[0])[0] = MARK
            if not self._lose(index):
                given.append(frame)
        return given


def read(
    path: Path, hardware: PlayedHardware | None = None, *, max_kept_bytes: int = MAX_KEPT_BYTES, **options: Any
) -> tuple[VideoSource, list[Any]]:
    """The source, closed, and its frames."""
    given = Hardware(open=hardware.open, max_kept_bytes=max_kept_bytes) if hardware else None
    source = VideoSource(str(path), SourceOptions(**options), hardware=given)
    frames = [unit.frame for unit in source.units() if unit.frame is not None]
    source.close()
    return source, frames


def from_hardware(frames: list[Any]) -> list[bool]:
    return [frame.luma[0, 0] == MARK for frame in frames]


def assert_same(frames: list[Any], expected: list[Any]) -> None:
    """Same times, and the same samples but for the mark."""
    assert [frame.pts for frame in frames] == [frame.pts for frame in expected]
    for frame, other in zip(frames, expected, strict=True):
        for plane, samples in zip(frame.planes, other.planes, strict=True):
            assert np.array_equal(plane.ravel()[1:], samples.ravel()[1:])


@pytest.mark.parametrize("options", [GROUPS, OPEN_GROUPS, REFRESHED], ids=["closed", "open", "refresh"])
def test_hardware_that_gives_all_is_left_alone(make_clip: Any, options: dict[str, str]) -> None:
    path = make_clip(frames=45, options=options)
    source, frames = read(path, PlayedHardware())
    assert_same(frames, read(path)[1])
    assert from_hardware(frames) == [False] + [True] * 44
    assert source.warnings == []
    assert not source.damage.any


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("clip.ts", "libx264"),
        ("clip.mp4", "libx265"),
        ("clip.ts", "libx265"),
        ("clip.webm", "libvpx-vp9"),
        ("clip.webm", "libvpx"),
        ("clip.mkv", "libsvtav1"),
    ],
)
def test_a_decoder_of_its_own_gets_the_container_s_parameters(make_clip: Any, name: str, codec: str) -> None:
    colors = {"color_range": 2, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
    path = make_clip(name, frames=40, codec=codec, size_wh=(96, 80), tags=colors)
    source, frames = read(path, PlayedHardware())
    assert_same(frames, read(path)[1])
    assert source.warnings == []
    assert all(from_hardware(frames)[35:])
    assert all(frame.color == source.info.color for frame in frames)


@pytest.mark.parametrize("options", [GROUPS, OPEN_GROUPS, REFRESHED], ids=["closed", "open", "refresh"])
@pytest.mark.parametrize("lost", [1, 9, 11, 39, 40, 41, 42, 57, 73])
def test_a_lost_frame_comes_from_software_and_so_does_the_rest(
    make_clip: Any, options: dict[str, str], lost: int
) -> None:
    path = make_clip(frames=75, options=options)
    source, frames = read(path, PlayedHardware(lose=lambda index: index == lost))
    assert_same(frames, read(path)[1])
    assert len(source.warnings) == 1
    assert source.warnings[0].startswith(f"NVDEC did not give the frame at {lost / 25:.3f} s; ")
    if lost > LISTENED_TO:
        assert from_hardware(frames) == [False] + [True] * (lost - 1) + [False] * (75 - lost)
        assert source.warnings[0].endswith("software decoder takes over from there.")


@pytest.mark.parametrize("kept", [1, 35, 44])
def test_frames_missing_at_the_end_are_known_when_it_comes(make_clip: Any, kept: int) -> None:
    path = make_clip(frames=45, options=GROUPS)
    source, frames = read(path, PlayedHardware(lose=lambda index: index >= kept))
    assert_same(frames, read(path)[1])
    assert len(source.warnings) == 1
    if kept > LISTENED_TO:
        assert from_hardware(frames) == [False] + [True] * (kept - 1) + [False] * (45 - kept)


def test_hardware_that_stops_giving_is_not_waited_for(make_clip: Any) -> None:
    path = make_clip(frames=200, options=GROUPS)
    source, frames = read(path, PlayedHardware(lose=lambda index: index >= 50))
    assert_same(frames, read(path)[1])
    assert "holds back the frame at 2.000 s" in source.warnings[0]


@pytest.mark.parametrize("packet", [0, 1, 5, 25, 44])
def test_hardware_that_fails_is_replaced(make_clip: Any, packet: int) -> None:
    path = make_clip(frames=45, options=GROUPS)
    source, frames = read(path, PlayedHardware(fail_at=packet))
    assert_same(frames, read(path)[1])
    assert len(source.warnings) == 1
    assert source.warnings[0].startswith("NVDEC failed (Generic error in an external library); FFmpeg's software")
    assert not source.damage.any


@pytest.mark.parametrize("hardware", [{"spoil_first": True}, {"lose": lambda index: index == 0}])
def test_hardware_that_does_not_show_the_first_frame_is_not_used(make_clip: Any, hardware: dict[str, Any]) -> None:
    path = make_clip(frames=45, options=GROUPS)
    source, frames = read(path, PlayedHardware(**hardware))
    assert_same(frames, read(path)[1])
    assert not any(from_hardware(frames))
    assert source.warnings == [
        "NVDEC decodes the first frame differently from FFmpeg's own decoder; FFmpeg's software decoder is used."
    ]


def test_packets_without_times_are_software_s(make_clip: Any) -> None:
    path = make_clip("clip.h264", frames=20)
    source, frames = read(path, PlayedHardware())
    assert_same(frames, read(path)[1])
    assert not any(from_hardware(frames))
    assert "cannot be checked on packets without times" in source.warnings[0]


def test_a_part_that_starts_in_an_open_group_raises_no_alarm(make_clip: Any) -> None:
    path = make_clip("clip.mkv", frames=60, options=OPEN_GROUPS)
    source, frames = read(path, PlayedHardware(), start_seconds=1.3)
    assert_same(frames, read(path, start_seconds=1.3)[1])
    assert all(from_hardware(frames))
    assert source.warnings == []


def test_one_frame_is_software_s(make_clip: Any) -> None:
    source, frames = read(make_clip(frames=1), PlayedHardware())
    assert from_hardware(frames) == [False]
    assert source.warnings == []


def test_key_frames_too_rare_to_keep_all_packets_end_hardware_s_part(make_clip: Any) -> None:
    path = make_clip(frames=80, options={"g": "1000"})
    source, frames = read(path, PlayedHardware(), max_kept_bytes=path.stat().st_size // 2)
    assert_same(frames, read(path)[1])
    assert "key frames are this rare" in source.warnings[0]


def test_packets_that_are_no_longer_needed_do_not_count(make_clip: Any) -> None:
    path = make_clip(frames=200, options=GROUPS)
    source, frames = read(path, PlayedHardware(), max_kept_bytes=path.stat().st_size // 2)
    assert all(from_hardware(frames)[1:])
    assert source.warnings == []


def test_frames_do_not_pile_up_where_software_gives_none(make_clip: Any) -> None:
    warnings: list[str] = []
    with av.open(str(make_clip(frames=90))) as container:
        stream = container.streams.video[0]
        hardware = PlayedHardware().open(stream)
        decoder = GuardedDecoder(hardware, lambda packet: [], restart=lambda: None, warn=warnings.append)
        for packet in container.demux(stream):
            assert list(decoder.decode(packet if packet.size else None)) == []
    assert warnings == [
        "NVDEC cannot be compared with FFmpeg's own decoder, which gives no frame; FFmpeg's software decoder is used."
    ]


def test_software_begins_two_key_frames_back(make_clip: Any) -> None:
    """What is decoded twice is bounded by the groups, not by the film."""
    path = make_clip(frames=200, options=GROUPS)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        sent: list[int] = []

        def software(packet: Any) -> list[av.VideoFrame]:
            sent.append(packet.pts if packet else -1)
            return stream.codec_context.decode(packet)

        def restart() -> None:
            stream.codec_context.flush_buffers()
            sent.clear()

        hardware = PlayedHardware(lose=lambda index: index == 155).open(stream)
        decoder = GuardedDecoder(hardware, software, restart=restart, warn=lambda text: None)
        packets = [packet for packet in container.demux(stream) if packet.size]
        given = [frame.pts for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert given == [index * STEP for index in range(200)]
    assert sent[0] == 140 * STEP


def test_damage_is_counted_as_software_counts_it(make_clip: Any) -> None:
    path = make_clip("clip.mkv", frames=60, options=GROUPS)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    path.write_bytes(data)
    source, frames = read(path, PlayedHardware())
    alone, expected = read(path)
    assert [frame.pts for frame in frames] == [frame.pts for frame in expected]
    assert alone.damage.any
    assert source.damage.text == alone.damage.text


def test_the_info_is_that_of_software(make_clip: Any) -> None:
    path = make_clip(frames=20, turn=-90, sample_aspect_ratio=Fraction(4, 3))
    source, frames = read(path, PlayedHardware())
    alone, _ = read(path)
    assert source.info.rotation == 90
    assert frames[-1].rotation == 90
    assert (source.info.pix_fmt, source.info.format) == (alone.info.pix_fmt, alone.info.format)
    assert source.info.sample_aspect == Fraction(4, 3)
