"""Jobs that recolour people, or everything but people, with the segmenter that ships."""

import asyncio
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from emocolor.effects import StyleOptions
from emocolor.effects.tint import S0_TINT
from emocolor.emotions import EMOTIONS
from stream.job import Job
from stream.media.source import VideoSource
from stream.settings import AnalysisOptions, JobSettings

PORTRAIT = Path(__file__).parents[2] / "stream/demo/assets/portrait.jpg"
CHEST, WALL = (slice(300, 380), slice(120, 230)), (slice(40, 180), slice(310, 335))
"""Rows and columns of the portrait where there is a person, and where there is none."""


@pytest.fixture(scope="module")
def portrait():
    """A woman before a wall, RGB (512, 512, 3)."""
    return cv2.cvtColor(cv2.imread(str(PORTRAIT)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def wall(portrait):
    """The wall alone, as large as the portrait."""
    return cv2.resize(np.ascontiguousarray(portrait[WALL]), (512, 512), interpolation=cv2.INTER_CUBIC)


def write(path, frames, pix_fmt="yuv420p", size_wh=(256, 256), turn=0):
    """A lossless clip of 25 frames a second from RGB frames, to be turned by ``turn`` degrees to the left."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size_wh, pix_fmt
        if turn:
            stream.set_display_rotation(turn)
        for number, rgb in enumerate(frames):
            scaled = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA)
            frame = av.VideoFrame.from_ndarray(scaled, format="rgb24").reformat(format=pix_fmt)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run(path, *effects):
    """Frames, as planes of integers, and scenes that a job gives."""

    async def go():
        analysis = AnalysisOptions() if any("faces" in effect.needs for effect in effects) else None
        async with await Job.open(JobSettings(input=str(path), analysis=analysis, effects=effects)) as job:
            done = [([np.array(p, int) for p in step.frame.planes], step.scene) async for step in job]
        return [planes for planes, _ in done], [scene for _, scene in done]

    return asyncio.run(go())


def decoded(path):
    source = VideoSource(str(path))
    try:
        return [[np.array(p, int) for p in unit.frame.planes] for unit in source.units() if unit.frame is not None]
    finally:
        source.close()


def changes(done, before, quarter_turns=0):
    """How much luma changes at most on the wall, and in the mean on the chest, over all frames."""

    def part(plane, where):
        upright = np.rot90(plane, -quarter_turns)
        rows, columns = ((s.start * n // 512, s.stop * n // 512) for s, n in zip(where, upright.shape, strict=True))
        return upright[slice(*rows), slice(*columns)]

    differences = [np.abs(planes[0] - was[0]) for planes, was in zip(done, before, strict=True)]
    return max(part(d, WALL).max() for d in differences), min(part(d, CHEST).mean() for d in differences)


@pytest.mark.parametrize(
    ("pix_fmt", "size_wh"),
    [("yuv420p", (256, 256)), ("yuv420p", (323, 181)), ("yuv444p10le", (200, 301)), ("gray", (99, 97))],
)
def test_people_are_tinted_and_the_wall_behind_is_left_as_it_is(pix_fmt, size_wh, portrait, tmp_path):
    clip = write(tmp_path / "in.mkv", [portrait] * 3, pix_fmt, size_wh)
    done, scenes = run(clip, replace(S0_TINT, region="person", alpha=0.8))
    on_wall, on_chest = changes(done, decoded(clip))
    assert on_wall <= (pix_fmt == "gray")  # the model is less sure of gray frames
    assert on_chest > 10
    assert all(
        scene.person.dtype == np.float32 and 0 <= scene.person.min() <= scene.person.max() <= 1 for scene in scenes
    )


def test_the_background_is_tinted_and_people_are_left_as_they_are(portrait, tmp_path):
    clip = write(tmp_path / "in.mkv", [portrait] * 3)
    (done, _), before = run(clip, replace(S0_TINT, region="background", alpha=0.8)), decoded(clip)
    on_wall, on_chest = changes(done, before)
    assert on_wall > 10
    assert on_chest < 0.05


@pytest.mark.parametrize(("turn", "quarter_turns"), [(-90, 1), (180, 2), (90, 3)])
def test_a_clip_that_players_turn_is_seen_upright(turn, quarter_turns, portrait, tmp_path):
    clip = write(tmp_path / "in.mkv", [np.rot90(portrait, quarter_turns)] * 2, turn=turn)
    done, _ = run(clip, replace(S0_TINT, region="person", alpha=0.8))
    on_wall, on_chest = changes(done, decoded(clip), quarter_turns)
    assert on_wall == 0
    assert on_chest > 10


def test_nobody_is_left_behind_a_cut(portrait, wall, tmp_path):
    clip = write(tmp_path / "in.mkv", [portrait] * 5 + [wall] * 5)
    (done, scenes), before = run(clip, replace(S0_TINT, region="person", alpha=0.8)), decoded(clip)
    assert [scene.cut for scene in scenes] == [n == 5 for n in range(10)]
    for ours, was in zip(done[5:], before[5:], strict=True):
        assert all(map(np.array_equal, ours, was))
    assert not np.array_equal(done[4][0], before[4][0])


def test_nothing_is_segmented_where_no_region_needs_it(portrait, tmp_path):
    clip = write(tmp_path / "in.mkv", [portrait] * 2)
    for effects in ((), (S0_TINT,), (replace(S0_TINT, region="face", several="each"),)):
        assert all(scene.person is None for scene in run(clip, *effects)[1])


def test_any_effect_of_a_chain_may_need_people(portrait, tmp_path):
    clip = write(tmp_path / "in.mkv", [portrait] * 2)
    _, scenes = run(clip, replace(S0_TINT, alpha=0.1), replace(S0_TINT, region="background"))
    assert all(scene.person is not None for scene in scenes)


def test_a_fixed_style_needs_people_but_no_faces(portrait, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed; making a style net needs it")
    pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")
    from engines.nets.style_net import LAYOUTS, StyleNet
    from training.style.export import export_onnx

    torch.manual_seed(0)
    made, path = StyleNet(LAYOUTS["fast"]), tmp_path / "raw.onnx"
    export_onnx(made, path)
    card = {
        "weights": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "definition": "fast",
        "multiple": made.multiple, "styles": {e: {"title": "", "artist": ""} for e in EMOTIONS}, "metrics": {},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(card))
    clip = write(tmp_path / "in.mkv", [portrait] * 2)
    done, _ = run(clip, StyleOptions(net=str(path), fixed={"happy": 1}, region="person"))
    on_wall, on_chest = changes(done, decoded(clip))
    assert on_wall == 0
    assert on_chest > 1


def call(*arguments):
    command = [sys.executable, "-m", "stream.cli", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_the_command_tints_people_without_a_message(portrait, wall, tmp_path):
    clip, out = write(tmp_path / "in.mkv", [portrait] * 5 + [wall] * 5), tmp_path / "out.mkv"
    done = call(clip, "-o", out, "--effect", "tint:0.8", "--region", "person", "--codec", "ffv1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ours, before = decoded(out), decoded(clip)
    on_wall, on_chest = changes(ours[:5], before[:5])
    assert (on_wall, on_chest > 10) == (0, True)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(ours[5:], before[5:], strict=True))


def test_the_command_names_the_regions_it_knows(tmp_path):
    done = call(tmp_path / "none.mp4", "-o", tmp_path / "out.mp4", "--region", "people")
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("frame", "face", "person", "background"))
