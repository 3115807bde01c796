"""A live run as a library: its parts wired together, its reports, its end."""

import queue
from dataclasses import replace

import av
import pytest

from emocolor.effects import ColormapOptions
from emocolor.errors import SinkError, SourceError
from stream.live.capture.inputs import LiveInput, parse_input
from stream.live.controls import Controls
from stream.live.output.destinations import Destination, parse_output
from stream.live.run import LiveRun, LiveSettings
from stream.settings import AnalysisOptions, LiveOptions

PATIENCE_S = 60
FULL_DISK = Destination(kind="file", shown="full.ts", name="/dev/full", format="mpegts")


@pytest.fixture
def settings(make_clip, tmp_path):
    """Ten frames of a file, recoloured into another."""
    destination = parse_output(str(tmp_path / "out.mkv"), format_name=None, overwrite=False, source="-")
    return LiveSettings(
        source=parse_input(str(make_clip(audio=[{"codec": "aac", "parts": 20}]))),
        destinations=(destination,),
        controls=Controls.of((ColormapOptions(),)),
    )


def run_to_end(settings):
    """The run, which has ended, and why."""
    endings = queue.SimpleQueue()
    with LiveRun(settings, endings.put) as run:
        ending = endings.get(timeout=PATIENCE_S)
    return run, ending


def test_frames_and_audio_go_from_the_input_to_the_output(settings, tmp_path):
    run, ending = run_to_end(settings)
    assert ending is None
    report = run.report()
    (output,) = report.outputs
    assert report.session.frames_in == 10
    assert output.frames == report.sent == 10 - sum(report.drops.values())
    assert (report.losses, report.level, report.repeated, output.error) == (0, 0, 0, None)
    assert report.scene is not None
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(container.streams.audio) == 1
        assert sum(1 for _ in container.decode(video=0)) == output.frames


def test_an_input_that_is_not_there_is_raised_before_anything_starts(settings, tmp_path):
    gone = LiveInput(location=str(tmp_path / "gone.mp4"), kind="file")
    with pytest.raises(SourceError, match="no such file"), LiveRun(replace(settings, source=gone), print):
        pytest.fail("it must not start")
    assert not (tmp_path / "out.mkv").exists()


def test_the_run_ends_when_its_last_output_fails(settings):
    run, ending = run_to_end(replace(settings, destinations=(FULL_DISK,)))
    assert isinstance(ending, SinkError)
    assert run.report().outputs[0].error is ending


def test_the_run_goes_on_while_there_is_another_output(settings):
    run, ending = run_to_end(replace(settings, destinations=(*settings.destinations, FULL_DISK)))
    assert ending is None
    whole, failed = run.report().outputs
    assert (whole.error, whole.frames) == (None, run.report().sent)
    assert "The disk is full" in str(failed.error)


def test_a_lost_input_ends_the_run_once(settings):
    """A network input that nobody serves, which is not to be opened again."""
    source = LiveInput(location="tcp://127.0.0.1:1", kind="network", timeout_s=1.0)
    once = replace(settings, source=source, options=LiveOptions(once=True))
    with pytest.raises(SourceError, match="refused"), LiveRun(once, print):
        pytest.fail("it must not start")


def test_what_analysis_is_asked_for_is_the_best_level(settings):
    run = LiveRun(replace(settings, analysis=AnalysisOptions(net="tiny", rate_hz=4, passes=2)), print)
    assert (run.report().level, run.report().levels) == (0, 6)
    quality = run._session.quality
    assert (quality.net, quality.rate_hz, quality.passes) == ("tiny", 4, 2)


def test_drops_of_the_same_reason_are_added_up(settings):
    run = LiveRun(settings, print)
    run._session.statistics.dropped("out of order")
    run._broadcast._drops["out of order"] += 2
    run.packets_skipped(3)
    assert run.report().drops == {"out of order": 3, "slow decoder": 3}
