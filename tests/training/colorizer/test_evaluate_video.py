"""The evaluation of coloured video: what the command prints, and that stabilising shows in it."""

import json
import subprocess
import sys
import tracemalloc
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from emocolor.chroma.conversion import luma_of, with_chroma
from emocolor.chroma.stabilizer import ChromaEstimate, StabilizerOptions
from emocolor.effects import ColorizeOptions
from emocolor.errors import ConfigurationError, EngineError, SourceError
from stream.demo.clip import demo_frames
from training.colorizer.evaluate_video import ColorByLevel, VideoEvalConfig, evaluate_video, measure_clip
from training.data.clips import clips_in, read_clip

KEYS = {
    "weights", "baseline", "vividness", "rate_hz", "time_constant", "look_ahead", "seconds", "height",
    "without", "with", "truth", "n_clips", "n_frames", "clips", "left_out", "machine",
}  # fmt: skip
FIGURES = {"warp_error", "cdc", "psnr", "colorfulness"}
SIZE_WH = (192, 108)


def write_clip(path, pictures, fps=25):
    """Lossless, so that colours are what they were."""
    with av.open(str(path), "w") as container:
        stream = None
        for number, rgb in enumerate(pictures):
            if stream is None:
                stream = container.add_stream("ffv1", rate=fps)
                stream.height, stream.width = rgb.shape[:2]
                stream.pix_fmt = "yuv444p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuv444p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def stripes(direction):
    """Orange and black, (64, 112, 3) uint8; ``direction`` in radians."""
    y, x = np.mgrid[:64, :112]
    wave = (np.sin(x * np.cos(direction) + y * np.sin(direction)) + 1) / 2
    return (wave[..., None] * (250, 160, 60)).astype(np.uint8)


def colored(seconds, size_wh=SIZE_WH):
    """The start of the demo, without a cut."""
    return islice(demo_frames(seconds=12, size_wh=size_wh), round(25 * seconds))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds that can be measured."""
    return write_clip(tmp_path_factory.mktemp("clip") / "demo.mkv", colored(2))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder with one clip that can be measured among some that cannot."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "below").mkdir()
    yellowed = np.full((1, 1, 2), (0, 4), np.float32)
    write_clip(folder / "below" / "good.mkv", colored(0.5))
    write_clip(folder / "gray.mkv", (with_chroma(luma_of(rgb), yellowed) for rgb in colored(0.5)))
    write_clip(folder / "short.mkv", colored(0.28))
    random = np.random.default_rng(0)
    shots = [cv2.resize(random.integers(0, 255, (6, 8, 3), np.uint8), SIZE_WH) for _ in range(4)]
    write_clip(folder / "cuts.mkv", [shot for shot in shots for _ in range(5)])
    write_clip(folder / "flicker.mkv", [stripes(0.8), stripes(np.pi / 2)] * 5)
    write_clip(folder / "tiny.mkv", [shot[:8, :12] for shot in shots * 3])
    (folder / "damaged.mp4").write_bytes(b"no clip")
    (folder / "notes.txt").write_text("no clip, and not called one")
    (folder / ".hidden.mkv").write_bytes(b"")
    return folder


def evaluate(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "training.evaluate", "video", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


class Wavering:
    """Colours by gray level, and moves all of them, and blobs of some, with every look.

    ``strength``: by about how much, in CIELAB units.
    """

    def __init__(self, strength=4.0):
        self.random = np.random.default_rng(0)
        self.strength = strength
        self.looks = 0

    def estimate(self, gray, vividness):
        self.looks += 1
        height, width = gray.shape[0] // 4, gray.shape[1] // 4
        small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)[..., None].astype(np.float32)
        blobs = cv2.resize(self.random.normal(0, 1, (4, 7, 2)), (width, height), interpolation=cv2.INTER_CUBIC)
        moved = self.random.normal(0, 0.7, 2) + blobs
        ab = small * np.float32([0.25, 0.3]) - np.float32([20, 30]) + self.strength * moved
        return ChromaEstimate(ab=ab.astype(np.float32), confidence=np.ones((height, width), np.float32))


def test_the_command_prints_one_json_object(clips):
    done = evaluate("--clips", clips, "--baseline", "turbo", "--seconds", "0.4", "--height", "64", "--rate", "8")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    found = json.loads(done.stdout)
    assert found.keys() == KEYS
    assert [found[kind].keys() for kind in ("without", "with", "truth")] == [FIGURES, FIGURES, FIGURES - {"psnr"}]
    assert (found["n_clips"], found["n_frames"], found["seconds"], found["height"]) == (1, 10, 0.4, 64)
    assert (found["rate_hz"], found["baseline"], found["weights"], found["vividness"]) == (8, "turbo", None, None)
    (name, one), *_ = found["clips"].items()
    assert Path(name) == clips / "below" / "good.mkv"
    assert one.keys() == {"n", "followed", "without", "with", "truth"}
    assert one["with"] == found["with"]
    assert {Path(name).name: words for name, words in found["left_out"].items()} == {
        "cuts.mkv": "cuts.mkv has fewer than 8 frames without a cut.",
        "damaged.mp4": "damaged.mp4 cannot be decoded (Invalid data found when processing input).",
        "flicker.mkv": "flicker.mkv moves so that nothing can be followed.",
        "gray.mkv": "gray.mkv is gray.",
        "short.mkv": "short.mkv has fewer than 8 frames without a cut.",
        "tiny.mkv": "tiny.mkv is 12x8, too small to measure.",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--clips", "none", "--baseline", "gray"], 4, "No such file or folder: none"),
        (["--clips", "tests", "--baseline", "gray"], 4, "No clip (.mp4"),
        (["--clips", "README.md", "--baseline", "gray"], 4, "None of 1 clips can be measured; the first: README.md"),
        (["--clips", "README.md", "--baseline", "grey"], 2, "Unknown baseline 'grey'; did you mean 'gray'?"),
        (["--clips", "README.md", "--weights", "no.onnx"], 7, "no.onnx has no card"),
        (["--clips", "README.md", "--baseline", "gray", "--vividness", "1"], 2, "--baseline goes without --weights"),
        (["--clips", "README.md", "--baseline", "gray", "--seconds", "nan"], 2, "--seconds must be a positive number"),
        (["--clips", "README.md", "--baseline", "gray", "--height", "32"], 2, "--height must be at least 64, got 32"),
        (["--clips", "README.md", "--baseline", "gray", "--rate", "-1"], 2, "rate_hz must lie between 0 and 1000"),
    ],
)
def test_bad_input_ends_in_one_line(arguments, code, words):
    done = evaluate(*arguments)
    assert done.returncode == code
    assert done.stderr.startswith(f"error: {words}")
    assert len(done.stderr.splitlines()) == 1


def measured(clip, colorizer, seconds=1.5, height=108, **options):
    return measure_clip(clip, colorizer, ColorizeOptions(**options), seconds=seconds, height=height)


def test_stabilising_halves_the_warp_error_of_a_net_that_wavers_and_keeps_its_colours(clip):
    found = measured(clip, Wavering()).of
    assert found["with"]["warp_error"] < found["without"]["warp_error"] / 2
    assert found["with"]["cdc"] < found["without"]["cdc"]
    assert found["with"]["colorfulness"] > 0.95 * found["without"]["colorfulness"]
    assert found["with"]["psnr"] > found["without"]["psnr"] - 0.5


def test_without_stabilising_the_net_looks_at_every_frame(clip):
    colorizer = Wavering()
    assert measured(clip, colorizer, seconds=1, rate_hz=5).n == 25
    assert colorizer.looks == 25 + 5


def test_both_answers_are_alike_where_nothing_is_carried_on(clip):
    options = {"rate_hz": 0, "history": StabilizerOptions(time_constant=0.01, look_ahead=0)}
    found = measured(clip, ColorByLevel(np.full((256, 2), (10, 20), np.float32)), seconds=0.6, **options).of
    assert found["with"] == pytest.approx(found["without"], rel=0.02)


def test_a_net_that_knows_the_colours_is_told_so(tmp_path):
    ab = np.full((1, 1, 2), (12, -18), np.float32)
    blue = (with_chroma(np.uint8(80) + luma_of(rgb) // 3, ab) for rgb in colored(0.5))
    found = measured(write_clip(tmp_path / "blue.mkv", blue), ColorByLevel(ab[0].repeat(256, 0)))
    for kind in ("without", "with"):
        assert found.of[kind]["psnr"] > 42
        assert found.of[kind]["colorfulness"] == pytest.approx(found.of["truth"]["colorfulness"], rel=0.05)


def test_the_truth_is_steadier_than_a_net_that_wavers(clip):
    found = measured(clip, Wavering()).of
    assert found["truth"]["warp_error"] < found["without"]["warp_error"] / 2


def test_gray_has_no_colour_and_is_the_better_answer_to_psnr(clip):
    gray, turbo = (
        evaluate_video(VideoEvalConfig(clips=(clip,), baseline=name, seconds=0.5)) for name in ("gray", "turbo")
    )
    for kind in ("without", "with"):
        assert gray[kind]["colorfulness"] == 0
        assert gray[kind]["warp_error"] < 0.1
        assert gray[kind]["psnr"] > turbo[kind]["psnr"] + 3
    assert turbo["with"]["colorfulness"] > 50


def test_memory_does_not_grow_with_the_clip(tmp_path):
    long = write_clip(tmp_path / "long.mkv", colored(4, size_wh=(96, 64)))

    def peak(seconds):
        tracemalloc.start()
        measured(long, Wavering(), seconds=seconds, height=64, history=StabilizerOptions(look_ahead=0.2))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(0.4)  # what is made once
    assert peak(4) < peak(1) + 30 * 64 * 96 * 3


def test_clips_are_read_from_their_start_and_scaled_down(clip):
    read = list(read_clip(clip, seconds=0.2, height=54))
    assert [time for time, _ in read] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-3)
    assert {rgb.shape for _, rgb in read} == {(54, 96, 3)}
    first, whole = next(iter(colored(2))), next(read_clip(clip, seconds=1, height=256))[1]
    assert whole.shape == first.shape
    assert np.abs(whole.astype(int) - first).mean() < 1


@pytest.mark.parametrize("height", [480, 720])
def test_untagged_clips_have_the_matrix_that_players_guess(tmp_path, height):
    color = np.full((height, 64, 3), (200, 40, 60), np.uint8)
    frame = av.VideoFrame.from_ndarray(color, format="rgb24")
    frame = frame.reformat(format="yuv444p", dst_colorspace="ITU709" if height >= 720 else "ITU601")
    frame.colorspace = 2
    with av.open(str(tmp_path / "untagged.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, height, "yuv444p"
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (_, rgb), *_ = read_clip(tmp_path / "untagged.mkv", seconds=1, height=64)
    assert rgb.reshape(-1, 3).mean(0) == pytest.approx([200, 40, 60], abs=2)


@pytest.mark.parametrize(("form", "codec", "parts"), [("h264", "libx264", 1), ("mpegts", "mpeg2video", 2)])
def test_times_go_on_where_a_clip_has_none_or_its_clock_starts_anew(tmp_path, form, codec, parts):
    path = tmp_path / "part"
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.max_b_frames = 64, 64, "yuv420p", 0
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes() * parts)
    times = [time for time, _ in read_clip(path, seconds=9, height=64)]
    assert times == pytest.approx([0.04 * n for n in range(6 * parts)], abs=1e-4)


def test_each_clip_is_found_once(clips):
    found = clips_in([clips, clips / "gray.mkv"])
    names = ["good", "cuts", "damaged", "flicker", "gray", "short", "tiny"]
    assert [path.stem for path in found] == names
    with pytest.raises(SourceError, match="No such file or folder"):
        clips_in([clips / "none"])


def test_a_baseline_has_the_colour_of_each_gray_level_at_a_quarter_of_the_size():
    ab = np.stack([np.arange(256), -np.arange(256)], axis=1).astype(np.float32)
    gray = np.repeat(np.repeat(np.array([[0, 100], [200, 255]], np.uint8), 4, 0), 4, 1)
    found = ColorByLevel(ab).estimate(gray, 0.5)
    assert found.ab.tolist() == [[[0, 0], [100, -100]], [[200, -200], [255, -255]]]
    assert (found.confidence == 1).all()


def test_the_net_and_its_vividness_are_the_effect_s_own_unless_told():
    assert VideoEvalConfig(clips=()).options == ColorizeOptions()
    told = VideoEvalConfig(clips=(), weights="a.onnx", vividness=0.2, rate=0).options
    assert (told.net, told.vividness, told.rate_hz) == ("a.onnx", 0.2, 0)
    with pytest.raises(ConfigurationError, match="vividness must lie"):
        _ = VideoEvalConfig(clips=(), vividness=2).options
    with pytest.raises(EngineError, match="has no card"):
        evaluate_video(VideoEvalConfig(clips=(Path("README.md"),), weights="a.onnx"))


def test_without_torch_it_works(clip):
    script = f"""
import sys
sys.modules["torch"] = None
from training.evaluate import main
sys.argv = ["evaluate", "video", "--clips", {str(clip)!r}, "--baseline", "mean", "--seconds", "0.4", "--height", "64"]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["n_frames"] == 10
