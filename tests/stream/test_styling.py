"""Whole jobs that paint, with a net that was not trained: its weights are random, its graph is the one that ships."""

import asyncio
import hashlib
import json
import re
import subprocess
import sys

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; making a style net needs it")
pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from emocolor.effects import ColorizeOptions, Style, StyleOptions  # noqa: E402
from emocolor.emotions import EMOTIONS  # noqa: E402
from emocolor.errors import ConfigurationError, EngineError  # noqa: E402
from emocolor.faces import Scene  # noqa: E402
from engines.nets.style_net import LAYOUTS, StyleNet  # noqa: E402
from engines.style import load_style_transfer  # noqa: E402
from stream.job import Job  # noqa: E402
from stream.media.source import VideoSource  # noqa: E402
from stream.settings import AnalysisOptions, JobSettings  # noqa: E402
from training.style.export import export_onnx  # noqa: E402


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Path of a net that keeps most of the frame; every style brightens it more than the one before."""
    torch.manual_seed(0)
    made = StyleNet(LAYOUTS["fast"])
    with torch.no_grad():
        made.keep.fill_(0.8)
        made.gain.mul_(0.1)
        made.tone.copy_(torch.linspace(-0.1, 0.2, len(EMOTIONS))[:, None].expand(-1, 3))
    path = tmp_path_factory.mktemp("style") / "raw.onnx"
    export_onnx(made, path)
    card = {
        "weights": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "definition": "fast",
        "multiple": made.multiple, "styles": {e: {"title": "", "artist": ""} for e in EMOTIONS}, "metrics": {},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


@pytest.fixture(scope="module")
def style_transfer(net):
    return load_style_transfer(str(net))


@pytest.fixture
def frame(make_clip):
    """The first frame of a clip, in memory of its own."""
    source = VideoSource(str(make_clip("clip.mkv", frames=1, codec="ffv1")))
    try:
        return next(unit.frame.copy() for unit in source.units() if unit.frame is not None)
    finally:
        source.close()


def painted(frame, style_transfer, **options):
    """The planes of a copy of the frame, painted, as integers."""
    made = Style(StyleOptions(**options), style_transfer).apply(frame.copy(), Scene(time=0))
    return [plane.astype(int) for plane in made.planes]


def run(path, *effects, cores=None):
    """The planes of every frame that a job gives, as integers."""

    async def go():
        analysis = AnalysisOptions() if any("faces" in effect.needs for effect in effects) else None
        async with Job(JobSettings(input=str(path), analysis=analysis, effects=effects), cores=cores) as job:
            return [[np.array(plane, int) for plane in step.frame.planes] async for step in job]

    return asyncio.run(go())


def decoded(path):
    source = VideoSource(str(path))
    try:
        return [[np.array(p, int) for p in unit.frame.planes] for unit in source.units() if unit.frame is not None]
    finally:
        source.close()


def call(*arguments):
    command = [sys.executable, "-m", "stream.cli", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("pix_fmt", "size_wh"),
    [
        ("yuv420p", (64, 48)),
        ("yuv420p", (163, 91)),
        ("yuv444p", (34, 18)),
        ("yuv420p10le", (512, 64)),
        ("yuv422p", (16, 16)),
        ("gray", (64, 48)),
        ("yuv444p", (14, 10)),
    ],
)
def test_frames_of_any_format_and_size_are_painted_to_their_borders(pix_fmt, size_wh, net, make_clip):
    clip = make_clip("clip.mkv", frames=3, pix_fmt=pix_fmt, size_wh=size_wh, codec="ffv1")
    done, before = run(clip, StyleOptions(net=str(net), fixed={"neutral": 1})), decoded(clip)
    assert len(done) == len(before) == 3
    for planes, was in zip(done, before, strict=True):
        assert len(planes) == 3
        assert planes[0].shape == was[0].shape
        change = np.abs(planes[0] - was[0]) / (4 if "10le" in pix_fmt else 1)
        borders = np.concatenate([change[0], change[-1], change[:, 0], change[:, -1]])
        assert change.mean() > 4
        assert 0.4 * change.mean() < borders.mean() < 2.5 * change.mean()


def test_every_style_is_its_own_and_mixtures_lie_between(style_transfer, frame):
    light = [painted(frame, style_transfer, fixed={emotion: 1})[0].mean() for emotion in EMOTIONS]
    assert (np.diff(light) > 3).all()
    mixed = painted(frame, style_transfer, fixed={"angry": 1, "neutral": 1})[0].mean()
    assert mixed == pytest.approx((light[0] + light[-1]) / 2, abs=3)


def test_style_grows_out_of_the_frame_without_a_step(style_transfer, frame):
    last = painted(frame, style_transfer, fixed={"neutral": 1}, strength=0)
    assert all(np.array_equal(a, b) for a, b in zip(last, frame.planes, strict=True))
    for strength in (0.001, 0.004, *np.arange(0.01, 0.3, 0.01)):
        now = painted(frame, style_transfer, fixed={"neutral": 1}, strength=strength)
        assert max(np.abs(a - b).max() for a, b in zip(now, last, strict=True)) <= 4
        last = now


def test_effects_chain(net, make_clip):
    clip = make_clip("clip.mkv", frames=3, pix_fmt="gray", codec="ffv1", size_wh=(96, 64))
    colours = run(clip, ColorizeOptions())
    both = run(clip, ColorizeOptions(), StyleOptions(net=str(net), fixed={"sad": 1}, keep="chroma"))
    for ours, theirs in zip(both, colours, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours[1:], theirs[1:], strict=True))
        assert not np.array_equal(ours[0], theirs[0])


@pytest.mark.parametrize("shipped", ["fast", "full"])
def test_the_result_does_not_depend_on_how_many_cores_paint(shipped, make_clip):
    clip = make_clip("clip.mp4", frames=9, size_wh=(160, 90))
    results = [run(clip, StyleOptions(net=shipped, fixed={"sad": 1}), cores=cores) for cores in (1, 2, 16)]
    for one, *more in zip(*results, strict=True):
        assert all(np.array_equal(a, b) for other in more for a, b in zip(one, other, strict=True))


def test_a_net_that_cannot_be_used_is_known_before_anything_is_opened(tmp_path):
    (tmp_path / "mine.onnx").touch()
    for name, error in (("fsat", ConfigurationError), (str(tmp_path / "mine.onnx"), EngineError)):
        with pytest.raises(error):
            Job(JobSettings(input=str(tmp_path / "none.mp4"), effects=(StyleOptions(net=name),)))


def test_styles_that_follow_the_emotion_need_faces(net):
    with pytest.raises(ConfigurationError, match="need faces"):
        JobSettings(input="in.mp4", analysis=None, effects=(StyleOptions(net=str(net)),))
    JobSettings(input="in.mp4", analysis=None, effects=(StyleOptions(net=str(net), fixed={"sad": 1}),))


def test_the_command_paints_by_the_face_it_sees(demo_clip, net, tmp_path):
    out = tmp_path / "out.mkv"
    done = call(demo_clip, "-o", out, "--codec", "ffv1", "--effect", "style:0.9", "--style-net", net, "--to", "0.2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with av.open(str(out)) as ours, av.open(str(demo_clip)) as theirs:
        for made, was in zip(ours.decode(video=0), theirs.decode(video=0), strict=False):
            change = made.to_ndarray(format="gray").astype(int) - was.to_ndarray(format="gray")
            assert np.abs(change).mean() > 3


def test_a_fixed_style_needs_no_face(net, make_clip, tmp_path):
    clip, out = make_clip("clip.mkv", frames=2, codec="ffv1", size_wh=(64, 48)), tmp_path / "out.mkv"
    done = call(clip, "-o", out, "--codec", "ffv1", "--effect", "style", "--style", "sad", "--style-net", net)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_face_the_command_leaves_the_frame_with_a_warning(net, make_clip, tmp_path):
    clip, out = make_clip("clip.mkv", frames=5, codec="ffv1", size_wh=(160, 96)), tmp_path / "out.mkv"
    done = call(clip, "-o", out, "--codec", "ffv1", "--effect", "grade,style", "--style-net", net)
    assert done.returncode == 0
    assert done.stderr == (
        "warning: No face was seen, so there was no emotion for grade and style to follow. "
        "--style EMOTION paints in a style of your choice.\n"
    )
    for planes, was in zip(decoded(out), decoded(clip), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes, was, strict=True))


def test_the_plan_names_the_style(net, make_clip, tmp_path):
    start = (make_clip(), "-o", tmp_path / "out.mp4", "--style-net", net, "--dry-run")
    plan = call(*start, "--effect", "style", "--style-mix", "happy=0.7, sad=0.3", "--style-keep", "chroma").stdout
    assert re.search(
        r"style     net .*raw\.onnx, strength 1, mix happy=0\.7,sad=0\.3, certainty 1, .* keep chroma, size 360",
        plan,
    )
    assert "analysis" not in plan
    plan = call(*start, "--effect", "tint,style:0.6", "--style-region", "keep-face", "--style-size", "240").stdout
    assert "strength 0.6, mix auto, certainty 1, region keep-face, keep none, size 240, detail" in plan
    assert "analysis" in plan
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--style", "hapy"], 2, "no style 'hapy'; did you mean 'happy'"),
        (["--style-mix", "happy=0.7;sad=0.3"], 2, "part of style 'happy' must be a number from 0 up, got '0.7;sad"),
        (["--style-mix", "happy=0,sad=-0"], 2, "needs a part above 0"),
        (["--style-strength", "nan"], 2, "strength must be a number between 0 and 1, got nan"),
        (["--style-size", "20"], 2, "size must be a whole number between 64 and 4320, got 20"),
        (["--style-net", "fsat"], 2, "Unknown net 'fsat'"),
        (["--style-net", "mine.onnx"], 7, "no card: mine.json is missing"),
        (["--effect", "grade", "--style", "happy"], 2, "--style is an option of style"),
    ],
)
def test_bad_options_are_one_line_before_anything_is_opened(arguments, code, words, tmp_path):
    done = call(tmp_path / "none.mp4", "-o", tmp_path / "out.mp4", "--effect", "style", *arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
