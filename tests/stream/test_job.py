"""The whole file job on real media: what comes out, and that timing has no part in it."""

import asyncio
import hashlib
import json
import random
import threading

import av
import numpy as np
import pytest

from emocolor.effects import OverlayOptions, TintOptions
from emocolor.effects.tint import S0_TINT
from emocolor.errors import ConfigurationError, SinkError, SourceError
from emocolor.smoothing import SmoothingOptions
from stream import AnalysisOptions, Job, JobSettings, SinkOptions, SourceOptions
from stream.pipeline.pipeline import Pipeline, Stage

FAST = SinkOptions(preset="ultrafast")


async def run(settings):
    async with await Job.open(settings) as job:
        return [step async for step in job]


def packets_of(path, kind):
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [bytes(p) for p in container.demux(stream) if p.size]


def frame_hashes(path):
    with av.open(str(path)) as container:
        return [hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest() for frame in container.decode(video=0)]


def test_a_clip_comes_out_coloured_with_its_audio_and_its_timing(demo_clip, tmp_path):
    out = tmp_path / "out.mp4"
    steps = asyncio.run(run(JobSettings(input=str(demo_clip), output=str(out), effects=(S0_TINT,), sink=FAST)))
    assert packets_of(out, "audio") == packets_of(demo_clip, "audio")
    with av.open(str(demo_clip)) as before, av.open(str(out)) as after:
        was, now = list(before.decode(video=0)), list(after.decode(video=0))
        assert [f.time for f in now] == [f.time for f in was]
        assert len(steps) == len(was) == 50
        chroma = now[10].to_ndarray()[270:]  # the tint is one colour everywhere
        assert chroma[:67].std() < 3
    faces = [step.scene.faces for step in steps]
    assert sum(len(f) == 1 for f in faces) >= 40
    assert {f[0].track_id for f in faces[:18]} == {1}  # before the camera swings away
    for step in steps:
        assert step.scene.probabilities.sum() == pytest.approx(1)


def test_analysis_follows_media_time(demo_clip, tmp_path):
    def observed(rate):
        settings = JobSettings(input=str(demo_clip), analysis=AnalysisOptions(rate_hz=rate, passes=2))
        return [s.observation.time for s in asyncio.run(run(settings)) if s.observation]

    assert len(observed(0)) == 50
    times = np.array(observed(5))
    assert np.abs(times[:, None] - np.arange(0, 2, 0.2)).min(axis=0).max() <= 0.02
    assert len(times) <= 10 + 3  # and where shots begin


@pytest.mark.slow
def test_the_result_does_not_depend_on_timing(demo_clip, tmp_path, monkeypatch):
    """Twice plainly, once with every stage dawdling at random: the same bytes."""

    def dawdling(stage, seed):
        dice, idle = random.Random(seed), threading.Event()

        def run(items):
            for item in stage.run(items):
                idle.wait(dice.random() * 0.03)
                yield item

        return Stage(stage.name, run)

    original = Pipeline.__init__

    def with_delays(self, source, stages, **options):
        original(self, source, [dawdling(stage, n) for n, stage in enumerate(stages)], capacity=1, **options)

    outputs = []
    for name in ("one", "two", "delayed"):
        if name == "delayed":
            monkeypatch.setattr(Pipeline, "__init__", with_delays)
        out, timeline = tmp_path / f"{name}.mp4", tmp_path / f"{name}.jsonl"
        asyncio.run(run(JobSettings(input=str(demo_clip), output=str(out), timeline=timeline, sink=FAST)))
        outputs.append((frame_hashes(out), out.read_bytes(), timeline.read_text()))
    assert outputs[0] == outputs[1] == outputs[2]


def test_without_analysis_scenes_are_empty_and_shots_still_end(demo_clip):
    settings = JobSettings(input=str(demo_clip), effects=(), analysis=None)
    scenes = [step.scene for step in asyncio.run(run(settings))]
    assert not any(scene.faces for scene in scenes)
    assert {scene.emotion for scene in scenes} == {"neutral"}
    starts = [scene.time for scene in scenes if scene.cut]
    assert any(time == pytest.approx(1.56) for time in starts)  # the demo's hard cut
    assert len(starts) < 6


def test_what_needs_faces_says_so():
    with pytest.raises(ConfigurationError, match="analysis must not be None"):
        JobSettings(input="in.mp4", analysis=None)


def test_leaving_early_keeps_nothing(demo_clip, tmp_path):
    async def leave():
        settings = JobSettings(
            input=str(demo_clip), output=str(tmp_path / "out.mp4"), timeline=tmp_path / "t.csv", sink=FAST
        )
        async with await Job.open(settings) as job:
            async for step in job:
                if step.frame.time > 0.2:
                    break

    asyncio.run(leave())
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_job_ends_and_keeps_nothing(make_clip, tmp_path):
    settings = JobSettings(
        input=str(make_clip(frames=30)), output=str(tmp_path / "out.mp4"), effects=(), analysis=None, sink=FAST
    )
    with Job(settings) as job:
        for _ in job:
            job.cancel()
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_all_outputs_of_a_job_appear_together(make_clip, tmp_path):
    clip = make_clip(frames=5)
    settings = JobSettings(
        input=str(clip),
        output=str(tmp_path / "out.mp4"),
        strip=tmp_path / "s.png",
        effects=(),
        analysis=None,
        sink=FAST,
    )
    with Job(settings) as job:
        assert len(list(job)) == 5
    assert job.warnings == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4", "s.png"]
    with pytest.raises(ConfigurationError, match="is no file"):
        Job(JobSettings(input=str(clip), output="-", strip=tmp_path / "t.png", effects=(), analysis=None))
    same = tmp_path / "one.png"
    with pytest.raises(SinkError, match="same name"):
        Job(JobSettings(input=str(clip), output=str(same), strip=same, effects=(), analysis=None))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4", "s.png"]


def test_stopping_keeps_what_was_done(demo_clip, tmp_path):
    async def stop():
        seen = 0
        async with await Job.open(
            JobSettings(input=str(demo_clip), output=str(tmp_path / "out.mp4"), sink=FAST)
        ) as job:
            async for _ in job:
                seen += 1
                job.stop()
        return seen

    seen = asyncio.run(stop())
    assert 1 <= seen < 50
    assert len(frame_hashes(tmp_path / "out.mp4")) == seen


def test_an_effect_that_fails_leaves_no_file(demo_clip, tmp_path, monkeypatch):
    from emocolor.effects import Tint

    def fail(self, frame, scene):
        raise RuntimeError("the effect broke")

    monkeypatch.setattr(Tint, "apply", fail)
    with pytest.raises(RuntimeError, match="the effect broke"):
        asyncio.run(run(JobSettings(input=str(demo_clip), output=str(tmp_path / "out.mp4"), sink=FAST)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_the_timeline_has_a_record_per_analysed_face(demo_clip, tmp_path, ending):
    import csv

    path = tmp_path / f"emotions.{ending}"
    steps = asyncio.run(run(JobSettings(input=str(demo_clip), timeline=path)))
    text = path.read_text()
    records = (
        [json.loads(line) for line in text.splitlines()]
        if ending == "jsonl"
        else list(csv.DictReader(text.splitlines()))
    )
    assert len(records) == sum(len(s.observation.faces) for s in steps if s.observation)
    for record in records:
        assert 0 <= float(record["certainty"]) <= 1
        assert sum(
            float(record[name]) for name in ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        ) == pytest.approx(1, abs=1e-4)


def test_parts_of_a_clip_and_less_look_ahead(demo_clip, tmp_path):
    settings = JobSettings(
        input=str(demo_clip),
        output=str(tmp_path / "part.mkv"),
        source=SourceOptions(start_seconds=0.4, end_seconds=1.4),
        smoothing=SmoothingOptions(look_ahead=0),
        effects=(TintOptions(region="face", several="each", certainty=0.0), OverlayOptions()),
        sink=FAST,
    )
    steps = asyncio.run(run(settings))
    assert len(steps) == 25
    assert steps[0].frame.time == pytest.approx(0, abs=0.001)


def test_errors_come_before_any_work(demo_clip, tmp_path):
    with pytest.raises(SourceError, match=r"missing\.mp4"):
        Job(JobSettings(input=str(tmp_path / "missing.mp4"), output=str(tmp_path / "out.mp4")))
    with pytest.raises(ConfigurationError, match="timeline"):
        Job(JobSettings(input=str(demo_clip), output=str(tmp_path / "out.mp4"), timeline=tmp_path / "emotions.txt"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "yuv420p10le", "nv12", "rgb24", "yuv444p"])
def test_footage_of_every_kind_is_coloured(demo_clip, tmp_path, pix_fmt):
    """The same frames in another form, gray ones too, come out in the tint's colour."""
    source, out = tmp_path / ("source.mov" if pix_fmt == "rgb24" else "source.mkv"), tmp_path / "out.mkv"
    codec = {"nv12": "rawvideo", "rgb24": "png"}.get(pix_fmt, "ffv1")
    with av.open(str(demo_clip)) as clip, av.open(str(source), "w") as made:
        stream = made.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 480, 270, pix_fmt
        for frame in [*clip.decode(video=0)][:12]:
            made.mux(stream.encode(frame.reformat(format=pix_fmt)))
        made.mux(stream.encode(None))
    steps = asyncio.run(run(JobSettings(input=str(source), output=str(out), effects=(S0_TINT,), sink=FAST)))
    assert steps[0].scene.emotion == "happy"
    with av.open(str(out)) as result:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in result.decode(video=0)]
    assert len(frames) == 12
    red, green, blue = frames[6].reshape(-1, 3).mean(axis=0)
    assert min(red, green) > blue + 60  # happy is yellow
