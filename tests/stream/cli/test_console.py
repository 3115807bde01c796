"""A job on the console: its plan, its warnings, its exit code."""

import signal
import subprocess
import sys

from emocolor.effects import GradeOptions, OverlayOptions, StyleOptions, TintOptions
from stream import JobSettings, SinkOptions
from stream.cli.console import EXIT_DAMAGED, Tally, print_plan, run_job
from stream.demo.clip import make_demo_clip
from stream.media.source import MediaUnit
from stream.pipeline.steps import Step
from stream.restore.restoration_options import RestorationOptions


class Own:
    def apply(self, frame, scene):
        return frame


FAST = SinkOptions(preset="ultrafast")


def test_the_plan_has_a_line_for_each_group_in_use(demo_clip, tmp_path, capsys):
    settings = JobSettings(
        input=str(demo_clip),
        output=str(tmp_path / "out.mkv"),
        timeline=tmp_path / "t.csv",
        effects=(TintOptions(alpha=0.25), Own(), OverlayOptions()),
        restoration=RestorationOptions(denoise=0.5),
        compare=True,
    )
    print_plan(settings)
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == [
        "input", "analysis", "smoothing", "restoration", "tint", "effect", "overlay", "compare", "output", "timeline",
    ]  # fmt: skip
    assert "480x270" in lines["input"]
    assert "alpha 0.25" in lines["tint"]
    assert lines["effect"].endswith(":Own")
    assert list(tmp_path.iterdir()) == []


def test_a_whole_job_ends_with_zero(demo_clip, tmp_path, capsys):
    settings = JobSettings(input=str(demo_clip), output=str(tmp_path / "out.mp4"), sink=FAST)
    assert run_job(settings, show_progress=False) == 0
    assert capsys.readouterr().err == ""


def test_effects_that_had_no_face_to_follow_are_named(make_clip, tmp_path, capsys):
    clip = make_clip(frames=5, size_wh=(160, 96))
    for effects, words in (
        ((GradeOptions(),), "no emotion for grade to follow.\n"),
        ((GradeOptions(), StyleOptions()), "no emotion for grade and style to follow. --style EMOTION"),
    ):
        settings = JobSettings(
            input=str(clip), output=str(tmp_path / f"{len(effects)}.mp4"), effects=effects, sink=FAST
        )
        assert run_job(settings, show_progress=False) == 0
        assert words in capsys.readouterr().err


def test_a_damaged_input_has_an_exit_code_of_its_own(tmp_path, capsys):
    clip = tmp_path / "clip.mp4"
    make_demo_clip(clip, seconds=2, size_wh=(320, 180))
    (tmp_path / "damaged.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    settings = JobSettings(
        input=str(tmp_path / "damaged.mp4"), output=str(tmp_path / "out.mp4"), effects=(), analysis=None, sink=FAST
    )
    assert run_job(settings, show_progress=False) == EXIT_DAMAGED
    assert "the input is damaged" in capsys.readouterr().err


INTERRUPTED = """
import os, signal, sys
from stream import JobSettings, SinkOptions
from stream.cli.console import run_job

class Interrupting:
    needs = frozenset()
    frames = 0

    def apply(self, frame, scene):
        self.frames += 1
        if self.frames == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return frame

settings = JobSettings(
    input=sys.argv[1], output=sys.argv[2], effects=(Interrupting(),), analysis=None,
    sink=SinkOptions(preset="ultrafast"),
)
sys.exit(run_job(settings, show_progress=False))
"""
"""A job with an effect that sends the signal of a service manager, at the third frame."""


def test_a_signal_ends_the_input_and_keeps_what_was_done(demo_clip, tmp_path):
    out = tmp_path / "out.mp4"
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(demo_clip), str(out)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 128 + signal.SIGTERM
    finishing, stopped = done.stderr.splitlines()
    assert finishing == "finishing; signal again to drop all."
    assert stopped.startswith(f"stopped: {out} is whole and holds the first")
    assert out.exists()


def test_a_tally_counts_steps():
    tally = Tally()
    tally.add(Step(unit=MediaUnit(frame=None)))
    assert (tally.frames, tally.analyses, tally.seen) == (1, 0, False)
