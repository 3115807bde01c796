"""What a person sees of a live run: the status line, the summary, the exit code."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from emocolor.errors import SinkError, SourceError
from emocolor.faces import Scene
from stream.cli.live_console import CLEAR_LINE, StatusLine, run_live, status_text, summary_fields, summary_text
from stream.live.capture.inputs import LiveInput, parse_input
from stream.live.controls import Controls
from stream.live.output.destinations import Destination, parse_output
from stream.live.run import LiveSettings, OutputReport, RunReport
from stream.live.statistics import Statistics

SCENE = Scene(time=0.0, faces=(), probabilities=np.full(7, 1 / 7), certainty=0.0)


@pytest.fixture
def report():
    statistics = Statistics()
    for k in range(20):
        statistics.frame_in(k / 10)
        statistics.frame_out(k / 10, 0.05)
    return RunReport(
        state="live",
        losses=1,
        session=statistics.snapshot(2.0),
        level=2,
        levels=6,
        scene=SCENE,
        sent=19,
        repeated=3,
        drops={"out of order": 1, "slow decoder": 2},
        outputs=(
            OutputReport(shown="a.mkv", frames=19, drops={}, error=None),
            OutputReport(shown="window", frames=10, drops={"slow output, frame": 4}, error=None),
        ),
    )


def test_the_status_tells_rates_latency_quality_and_drops(report):
    expected = "10 fps in, 10 out, latency 50 ms, level 2 of 5, dropped 3, 0 faces"
    assert status_text(report, "webcam") == expected


def test_the_status_tells_when_there_is_no_input(report):
    assert status_text(replace(report, state="lost"), "rtsp://camera") == "lost: rtsp://camera"


def test_the_summary_tells_what_went_where(report):
    assert summary_text(report, 2.04) == (
        "20 frames in, 19 out in 2.0 s; 3 repeated; dropped: out of order 1, slow decoder 2; "
        "latency p50 50 ms, p95 50 ms; a.mkv: 19 frames; window: 10 frames, dropped: slow output, frame 4"
    )
    quiet = replace(report, session=Statistics().snapshot(0), repeated=0, drops={}, outputs=())
    assert summary_text(quiet, 1) == "0 frames in, 19 out in 1.0 s; none dropped"


def test_the_summary_is_there_for_machines_too(report):
    fields = summary_fields(report)
    assert (fields["event"], fields["frames_in"], fields["frames_out"], fields["losses"]) == ("summary", 20, 19, 1)
    assert fields["outputs"]["window"] == {"frames": 10, "drops": {"slow output, frame": 4}}


def test_a_record_takes_the_status_line_away_and_the_next_status_brings_it_back(capsys):
    line = StatusLine()
    handler = logging.StreamHandler()
    handler.addFilter(line)
    record = logging.makeLogRecord({"msg": "lost"})
    line.show("30 fps")
    handler.handle(record)
    line.show("29 fps")
    handler.handle(record)
    handler.handle(record)
    assert capsys.readouterr().err == f"{CLEAR_LINE}30 fps{CLEAR_LINE}lost\n{CLEAR_LINE}29 fps{CLEAR_LINE}lost\nlost\n"


def test_nothing_is_cleared_where_nothing_is_shown(capsys):
    StatusLine().show("")
    assert capsys.readouterr().err == ""


@pytest.fixture
def settings(make_clip, tmp_path):
    destination = parse_output(str(tmp_path / "out.mkv"), format_name=None, overwrite=False, source="-")
    return LiveSettings(
        source=parse_input(str(make_clip(frames=5))), destinations=(destination,), controls=Controls(chain=())
    )


def test_a_run_that_came_to_its_end_exits_with_0(settings, tmp_path):
    assert run_live(settings, show_status=True) == 0
    assert (tmp_path / "out.mkv").stat().st_size > 0


def test_what_cannot_be_opened_is_raised(settings, tmp_path):
    gone = LiveInput(location=str(tmp_path / "gone.mp4"), kind="file")
    with pytest.raises(SourceError, match="no such file"):
        run_live(replace(settings, source=gone))


def test_an_output_that_failed_is_raised_at_the_end(settings):
    full = Destination(kind="file", shown="full.ts", name="/dev/full", format="mpegts")
    with pytest.raises(SinkError, match="The disk is full"):
        run_live(replace(settings, destinations=(*settings.destinations, full)))
