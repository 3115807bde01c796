"""The evaluation of colorized video: what the command prints, and that stabilization shows in it."""

import json
import subprocess
import sys
import tracemalloc
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from emocolor.chroma.conversion import luma_of, with_chroma
from emocolor.chroma.stabilizer import ChromaEstimate, StabilizerOptions
from emocolor.effects import ColorizeOptions
from emocolor.errors import ConfigurationError, EngineError
from stream.demo.clip import demo_frames
from training.colorizer.evaluate_video import LevelColorizer, VideoEvalConfig, evaluate_video, measure_clip
from training.evaluate import main

KEYS = {
    "weights", "baseline", "vividness", "rate_hz", "time_constant", "look_ahead", "seconds", "height",
    "per_frame", "stabilized", "truth", "n_clips", "n_frames", "clips", "left_out", "machine",
}  # fmt: skip
METRICS = {"warp_error", "cdc", "psnr", "colorfulness"}
SIZE_WH = (192, 108)


def stripes(direction):
    """Orange and black, (64, 112, 3) uint8; ``direction`` in radians."""
    y, x = np.mgrid[:64, :112]
    wave = (np.sin(x * np.cos(direction) + y * np.sin(direction)) + 1) / 2
    return (wave[..., None] * (250, 160, 60)).astype(np.uint8)


def colored(seconds, size_wh=SIZE_WH):
    """The start of the demo, without a cut."""
    return islice(demo_frames(seconds=12, size_wh=size_wh), round(25 * seconds))


@pytest.fixture(scope="module")
def clip(tmp_path_factory, write_clip):
    """Two seconds that can be measured."""
    return write_clip(tmp_path_factory.mktemp("clip") / "demo.mkv", colored(2))


@pytest.fixture(scope="module")
def clips(tmp_path_factory, write_clip):
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


class Wavering:
    """Colours by gray level, and moves all of them, and blobs of some, with every inference.

    ``strength``: by about how much, in CIELAB units.
    """

    def __init__(self, strength=4.0):
        self.random = np.random.default_rng(0)
        self.strength = strength
        self.runs = 0

    def estimate(self, gray, vividness):
        self.runs += 1
        height, width = gray.shape[0] // 4, gray.shape[1] // 4
        small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)[..., None].astype(np.float32)
        blobs = cv2.resize(self.random.normal(0, 1, (4, 7, 2)), (width, height), interpolation=cv2.INTER_CUBIC)
        moved = self.random.normal(0, 0.7, 2) + blobs
        ab = small * np.float32([0.25, 0.3]) - np.float32([20, 30]) + self.strength * moved
        return ChromaEstimate(ab=ab.astype(np.float32), confidence=np.ones((height, width), np.float32))


def test_the_command_prints_one_json_object(clips, run_main):
    given = ["--clips", clips, "--baseline", "turbo", "--seconds", "0.4", "--height", "64", "--rate", "8"]
    code, printed, _ = run_main(main, "video", *given)
    assert code == 0
    assert len(printed.splitlines()) == 1
    found = json.loads(printed)
    assert found.keys() == KEYS
    assert found["per_frame"].keys() == found["stabilized"].keys() == METRICS
    assert found["truth"].keys() == METRICS - {"psnr"}
    assert (found["n_clips"], found["n_frames"], found["seconds"], found["height"]) == (1, 10, 0.4, 64)
    assert (found["rate_hz"], found["baseline"], found["weights"], found["vividness"]) == (8, "turbo", None, None)
    (name, one), *_ = found["clips"].items()
    assert Path(name) == clips / "below" / "good.mkv"
    assert one.keys() == {"n", "consistent_share", "per_frame", "stabilized", "truth"}
    assert one["stabilized"] == found["stabilized"]
    assert {Path(name).name: words for name, words in found["left_out"].items()} == {
        "cuts.mkv": "cuts.mkv has fewer than 8 frames without a cut.",
        "damaged.mp4": "damaged.mp4 cannot be decoded (Invalid data found when processing input).",
        "flicker.mkv": "flicker.mkv moves in a way that optical flow cannot follow.",
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
        (
            ["--clips", "README.md", "--baseline", "gray", "--vividness", "1"],
            2,
            "A baseline takes neither",
        ),
        (["--clips", "README.md", "--baseline", "gray", "--seconds", "nan"], 2, "seconds must be a positive number"),
        (["--clips", "README.md", "--baseline", "gray", "--height", "32"], 2, "height must be at least 64, got 32"),
        (
            ["--clips", "README.md", "--baseline", "gray", "--rate", "-1"],
            2,
            "colorize rate_hz must be a number between 0 and 1000",
        ),
    ],
)
def test_bad_input_ends_in_one_line(arguments, code, words, run_main):
    ended, _, message = run_main(main, "video", *arguments)
    assert ended == code
    assert message.startswith(f"error: {words}")
    assert len(message.splitlines()) == 1


def measured(clip, colorizer, seconds=1.5, height=108, **options):
    return measure_clip(clip, colorizer, ColorizeOptions(**options), seconds=seconds, height=height)


def test_stabilization_halves_the_warp_error_of_a_net_that_wavers_and_keeps_its_colours(clip):
    found = measured(clip, Wavering()).by_variant
    assert found["stabilized"]["warp_error"] < found["per_frame"]["warp_error"] / 2
    assert found["stabilized"]["cdc"] < found["per_frame"]["cdc"]
    assert found["stabilized"]["colorfulness"] > 0.95 * found["per_frame"]["colorfulness"]
    assert found["stabilized"]["psnr"] > found["per_frame"]["psnr"] - 0.5


def test_without_stabilization_the_net_runs_on_every_frame(clip):
    colorizer = Wavering()
    assert measured(clip, colorizer, seconds=1, rate_hz=5).n == 25
    assert colorizer.runs == 25 + 5


def test_both_variants_are_alike_where_nothing_is_propagated(clip):
    options = {"rate_hz": 0, "stabilization": StabilizerOptions(time_constant=0.01, look_ahead=0)}
    found = measured(clip, LevelColorizer(np.full((256, 2), (10, 20), np.float32)), seconds=0.6, **options).by_variant
    assert found["stabilized"] == pytest.approx(found["per_frame"], rel=0.02)


def test_a_net_that_knows_the_colours_has_the_metrics_of_the_truth(tmp_path, write_clip):
    ab = np.full((1, 1, 2), (12, -18), np.float32)
    blue = (with_chroma(np.uint8(80) + luma_of(rgb) // 3, ab) for rgb in colored(0.5))
    found = measured(write_clip(tmp_path / "blue.mkv", blue), LevelColorizer(ab[0].repeat(256, 0))).by_variant
    for kind in ("per_frame", "stabilized"):
        assert found[kind]["psnr"] > 42
        assert found[kind]["colorfulness"] == pytest.approx(found["truth"]["colorfulness"], rel=0.05)


def test_the_truth_is_steadier_than_a_net_that_wavers(clip):
    found = measured(clip, Wavering()).by_variant
    assert found["truth"]["warp_error"] < found["per_frame"]["warp_error"] / 2


def test_gray_has_no_colour_and_is_the_better_answer_to_psnr(clip):
    gray, turbo = (
        evaluate_video(VideoEvalConfig(clips=(clip,), baseline=name, seconds=0.5)) for name in ("gray", "turbo")
    )
    for kind in ("per_frame", "stabilized"):
        assert gray[kind]["colorfulness"] == 0
        assert gray[kind]["warp_error"] < 0.1
        assert gray[kind]["psnr"] > turbo[kind]["psnr"] + 3
    assert turbo["stabilized"]["colorfulness"] > 50


def test_memory_does_not_grow_with_the_clip(tmp_path, write_clip):
    long = write_clip(tmp_path / "long.mkv", colored(2, size_wh=(96, 64)))

    def peak(seconds):
        tracemalloc.start()
        measured(long, Wavering(), seconds=seconds, height=64, stabilization=StabilizerOptions(look_ahead=0.2))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(0.4)  # what is made once
    assert peak(2) < peak(0.6) + 15 * 64 * 96 * 3


def test_a_baseline_has_the_colour_of_each_gray_level_at_a_quarter_of_the_size():
    ab = np.stack([np.arange(256), -np.arange(256)], axis=1).astype(np.float32)
    gray = np.repeat(np.repeat(np.array([[0, 100], [200, 255]], np.uint8), 4, 0), 4, 1)
    found = LevelColorizer(ab).estimate(gray, 0.5)
    assert found.ab.tolist() == [[[0, 0], [100, -100]], [[200, -200], [255, -255]]]
    assert (found.confidence == 1).all()


def test_the_net_and_its_vividness_are_the_effect_s_own_unless_told():
    assert VideoEvalConfig(clips=()).options == ColorizeOptions()
    told = VideoEvalConfig(clips=(), weights="a.onnx", vividness=0.2, rate=0).options
    assert (told.net, told.vividness, told.rate_hz) == ("a.onnx", 0.2, 0)
    with pytest.raises(ConfigurationError, match="vividness must be a number between 0 and 1"):
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
