import io
from fractions import Fraction
from typing import Any

import av
import pytest

from stream.media.reading.discontinuities import ContinuousTimes, Leap

UNIT = Fraction(1, 25)


class Streams:
    """A video and an audio stream whose packets tests make; all times are in 25ths of a second."""

    def __init__(self) -> None:
        container = av.open(io.BytesIO(), "w", format="matroska")
        self.video: Any = container.add_stream("mpeg4", rate=25)
        self.audio: Any = container.add_stream("ac3", rate=48000)
        self.subtitles: Any = container.add_mux_stream("subrip")
        self._container = container

    def packet(self, stream: Any, dts: int | None, duration: int = 1) -> Any:
        packet: Any = av.Packet(b"x")
        packet.stream, packet.time_base = stream, UNIT
        packet.pts = packet.dts = dts
        packet.duration = duration
        return packet


def put(times: ContinuousTimes, packets: list[Any]) -> list[Any]:
    ready = [packet for given in packets for packet in times.put(given)]
    return ready + times.flush()


def interleaved(streams: Streams, spans: list[range]) -> list[Any]:
    """Video and audio packets of the same times, alternating."""
    return [streams.packet(stream, dts) for span in spans for dts in span for stream in (streams.video, streams.audio)]


def times_of(packets: list[Any], stream: Any) -> list[int]:
    return [packet.dts for packet in packets if packet.stream is stream]


@pytest.fixture
def streams() -> Streams:
    return Streams()


def test_the_origin_is_the_zero_of_all_streams(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(2), video=0)
    ready = put(times, [streams.packet(streams.video, 50), streams.packet(streams.audio, 49)])
    assert [(packet.dts, packet.pts) for packet in ready] == [(0, 0), (-1, -1)]


def test_a_clock_that_steps_back_goes_on_from_where_it_was(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(2), video=0)
    ready = put(times, interleaved(streams, [range(50, 150), range(10, 20)]))
    assert times_of(ready, streams.video) == times_of(ready, streams.audio) == list(range(110))
    assert (times.restarts, times.joined, times.pause, times.outliers) == (1, [], None, 0)


def test_packets_keep_their_order(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    packets = interleaved(streams, [range(50), range(90_000, 90_100)])
    assert put(times, packets) == packets


@pytest.mark.parametrize("lag", [1, 40])
@pytest.mark.parametrize("first", ["video", "audio"])
@pytest.mark.parametrize("step", [-2000, 90_000])
def test_each_stream_passes_the_step_at_its_own_packets(streams: Streams, lag: int, first: str, step: int) -> None:
    ahead, behind = (streams.video, streams.audio) if first == "video" else (streams.audio, streams.video)
    clock = [*range(3000, 3100), *range(3100 + step, 3200 + step)]
    packets = [streams.packet(ahead, dts) for dts in clock[:lag]]
    for early, late in zip(clock[lag:], clock, strict=False):
        packets += [streams.packet(ahead, early), streams.packet(behind, late)]
    packets += [streams.packet(behind, dts) for dts in clock[-lag:]]
    times = ContinuousTimes(3000 * UNIT, video=0)
    ready = put(times, packets)
    assert times_of(ready, streams.video) == times_of(ready, streams.audio) == list(range(200))
    assert (times.restarts, len(times.joined)) == ((1, 0) if step < 0 else (0, 1))


def test_a_leap_of_all_streams_is_cut_out_and_told(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    ready = put(times, interleaved(streams, [range(100), range(90_100, 90_150)]))
    assert times_of(ready, streams.video) == times_of(ready, streams.audio) == list(range(150))
    assert times.joined == [Leap(at=Fraction(4), length=Fraction(3600))]
    assert times.pause is None


def test_video_alone_leaps_at_once(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    ready = put(times, [streams.packet(streams.video, dts) for dts in [*range(10), *range(5000, 5010)]])
    assert times_of(ready, streams.video) == list(range(20))


def test_a_hole_in_the_video_stays_while_the_audio_goes_on(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    audio = [streams.packet(streams.audio, dts) for dts in range(100, 600)]
    packets = [*interleaved(streams, [range(100)]), *audio, *interleaved(streams, [range(600, 700)])]
    ready = put(times, packets)
    assert times_of(ready, streams.video) == [*range(100), *range(600, 700)]
    assert times_of(ready, streams.audio) == list(range(700))
    assert times.joined == []
    assert times.pause == Leap(at=Fraction(4), length=Fraction(20))


def test_a_hole_in_the_audio_stays_while_the_video_goes_on(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    video = [streams.packet(streams.video, dts) for dts in range(100, 600)]
    packets = [*interleaved(streams, [range(100)]), *video, *interleaved(streams, [range(600, 700)])]
    ready = put(times, packets)
    assert times_of(ready, streams.audio) == [*range(100), *range(600, 700)]
    assert times_of(ready, streams.video) == list(range(700))
    assert (times.restarts, times.joined, times.pause) == (0, [], None)


def test_audio_that_ended_does_not_hold_the_video_back(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    later = [streams.packet(streams.video, dts) for dts in [*range(50, 200), *range(90_000, 90_100)]]
    ready = put(times, [*interleaved(streams, [range(50)]), *later])
    assert times_of(ready, streams.video) == list(range(300))


def test_leaps_are_pauses_where_the_clock_of_the_format_does_not_leap(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0, joins_leaps=False)
    clock = [*range(100), *range(90_100, 90_150)]
    ready = put(times, interleaved(streams, [range(100), range(90_100, 90_150)]))
    assert times_of(ready, streams.video) == times_of(ready, streams.audio) == clock
    assert times.pause == Leap(at=Fraction(4), length=Fraction(3600))


def test_frames_that_last_long_are_no_leap(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    ready = put(times, [streams.packet(streams.video, dts, 1500) for dts in range(0, 15_000, 1500)])
    assert times_of(ready, streams.video) == list(range(0, 15_000, 1500))
    assert times.pause is None


@pytest.mark.parametrize("wrong", [-90_000, 90_000])
@pytest.mark.parametrize("stream", ["video", "audio"])
def test_a_single_damaged_time_is_dropped(streams: Streams, stream: str, wrong: int) -> None:
    packets = interleaved(streams, [range(100)])
    damaged = packets[100 if stream == "video" else 101]
    damaged.pts = damaged.dts = damaged.dts + wrong
    times = ContinuousTimes(Fraction(0), video=0)
    put(times, packets)
    assert damaged.dts is damaged.pts is None
    expected = [dts for dts in range(100) if dts != 50]
    assert times_of([one for one in packets if one is not damaged], damaged.stream) == expected
    assert (times.outliers, times.restarts, times.joined) == (1, 0, [])


def test_a_small_step_back_is_no_new_start(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    ready = put(times, [streams.packet(streams.video, dts) for dts in (50, 40, 41)])
    assert times_of(ready, streams.video) == [50, 40, 41]
    assert times.restarts == 0


def test_subtitles_follow_the_video(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    packets = interleaved(streams, [range(100), range(90_100, 90_150)])
    caption = streams.packet(streams.subtitles, 90_110, 50)
    put(times, [*packets[:-10], caption, *packets[-10:]])
    assert caption.dts == 110


def test_packets_without_times_pass(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0)
    packets = [streams.packet(streams.video, None), streams.packet(streams.video, 3)]
    assert [packet.dts for packet in put(times, packets)] == [None, 3]


def test_no_more_is_held_than_memory_allows(streams: Streams) -> None:
    times = ContinuousTimes(Fraction(0), video=0, max_held_bytes=10)
    audio = [streams.packet(streams.audio, dts) for dts in [*range(50), *range(90_000, 90_020)]]
    video = [streams.packet(streams.video, dts) for dts in range(50)]
    held = 0
    for packet in [*video, *audio]:
        held += 1 - len(times.put(packet))
        assert held < 10
