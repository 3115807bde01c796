"""The evaluation of style nets: what the command prints, and metrics of nets whose outputs are known."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; losses of style need it")
pytest.importorskip("onnx", reason="onnx is not installed; the net is exported here")

from emocolor.emotions import EMOTIONS  # noqa: E402
from emocolor.errors import EngineError  # noqa: E402
from engines.nets.style_net import LAYOUTS, StyleNet  # noqa: E402
from engines.spec import Painting, read_style_spec  # noqa: E402
from training.data.photos import center_crop, read_photos  # noqa: E402
from training.evaluate import main  # noqa: E402
from training.style.candidates import CandidateNet, load_candidate, single_style  # noqa: E402
from training.style.evaluate import StyleEvalConfig, evaluate_style, measure_clip, measure_net  # noqa: E402
from training.style.export import export_onnx  # noqa: E402
from training.style.paintings import read_painting  # noqa: E402

KEYS = {
    "weights", "size", "style_size", "n", "content_sha256", "content_loss", "style_loss", "content_by_style", "anchors",
    "warp_error", "clips", "ms_per_frame", "backend", "threads", "machine",
}  # fmt: skip
LOSSES = {"content_loss", "style_loss", "content_by_style"}
PAINTINGS = {e: Painting(title="", artist="", file=f"{e}.png") for e in EMOTIONS}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An untrained net as it would ship."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("net") / "raw.onnx"
    export_onnx(StyleNet(LAYOUTS["fast"]), path)
    styles = {e: {"title": "T", "artist": "A", "file": f"{e}.png", "weight": 0.5} for e in EMOTIONS}
    card = {
        "weights": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "definition": "fast",
        "multiple": 4, "styles": styles, "metrics": {},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


@pytest.fixture
def config(exported, blobs, paintings_folder, vgg_file):
    return StyleEvalConfig(
        weights=str(exported), content=(blobs,), styles=paintings_folder, vgg=vgg_file, size=64, style_size=64,
        limit=2, gatys_steps=0, threads=1,
    )  # fmt: skip


def net_that(paint):
    return CandidateNet("known", paint, PAINTINGS, "test")


def shot(seed, size_wh=(96, 64)):
    coarse = np.random.default_rng(seed).integers(60, 190, (8, 10, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC))


@pytest.mark.slow
def test_the_command_prints_one_json_object(exported, blobs, paintings_folder, vgg_file, demo_clip, run_main):
    code, printed, _ = run_main(
        main, "style", "--weights", exported, "--content", blobs, "--styles", paintings_folder, "--vgg", vgg_file,
        "--clips", demo_clip, "README.md", "--seconds", "0.33", "--size", "64", "--style-size", "64", "--limit", "2",
        "--gatys-steps", "1", "--threads", "1",
    )  # fmt: skip
    assert code == 0
    assert len(printed.splitlines()) == 1
    found = json.loads(printed)
    assert found.keys() == KEYS
    assert (found["weights"], found["n"], found["size"], found["threads"]) == ("raw", 2, 64, 1)
    gatys = found["anchors"]["gatys"]
    assert (gatys["steps"], gatys["photos"]) == (1, 1)
    for losses in (found, found["anchors"]["content"], gatys, gatys["net"]):
        assert losses.keys() >= LOSSES
        assert list(losses["style_loss"]) == list(EMOTIONS)
        assert all(np.isfinite([losses["content_loss"], *losses["style_loss"].values()]))
    assert found["warp_error"].keys() == {"painted", "truth", "by_style"}
    assert found["clips"]["n_clips"] == 1
    assert found["clips"]["n_frames"] == 9
    assert list(found["clips"]["left_out"]) == ["README.md"]
    assert found["ms_per_frame"].keys() == {"320x180", "640x360", "1280x720"}
    assert found["ms_per_frame"]["1280x720"] > found["ms_per_frame"]["320x180"] > 0


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"--content": "none"}, 4, "No such file or folder: none"),
        ({"--styles": "none"}, 4, "The painting none/angry.png cannot be read"),
        ({"--vgg": "none.npz"}, 7, "No such file: none.npz"),
        ({"--vgg": "README.md"}, 7, "README.md is neither an npz file"),
        ({"--clips": "none"}, 4, "No such file or folder: none"),
        ({"--clips": "README.md"}, 4, "None of 1 clips can be measured; the first: README.md"),
        ({"--weights": "no.onnx"}, 7, "no.onnx has no card"),
        ({"--weights": "no"}, 2, "Unknown net 'no'"),
        ({"--weights": "tests"}, 2, "tests has no final.json: the run is not finished"),
        ({"--size": "62"}, 2, "size must be a multiple of 4, at least 64, got 62"),
        ({"--size": "48"}, 2, "size must be a multiple of 4, at least 64, got 48"),
        ({"--style-size": "8"}, 2, "style_size must be at least 64, got 8"),
        ({"--limit": "0"}, 2, "limit must be at least 1, got 0"),
        ({"--gatys-steps": "-1"}, 2, "gatys_steps must be at least 0, got -1"),
        ({"--gatys-photos": "0"}, 2, "gatys_photos must be at least 1, got 0"),
        ({"--threads": "0"}, 2, "threads must be at least 1, got 0"),
        ({"--seconds": "nan"}, 2, "seconds must be a positive number, got nan"),
        ({"--style-weight": "0"}, 2, "style_weight must be a positive number, got 0"),
    ],
)
def test_bad_input_ends_in_one_line(changes, code, words, exported, one_blob, paintings_folder, vgg_file, run_main):
    usual = {
        "--weights": exported, "--content": one_blob, "--styles": paintings_folder, "--vgg": vgg_file, "--limit": 1,
        "--size": 64, "--style-size": 64, "--gatys-steps": 0, "--threads": 1,
    }  # fmt: skip
    ended, _, message = run_main(main, "style", *(word for pair in (usual | changes).items() for word in pair))
    assert ended == code
    assert message.startswith(f"error: {words}")
    assert len(message.splitlines()) == 1


def test_a_card_that_does_not_name_the_files_is_refused(exported, config, tmp_path):
    card = json.loads(exported.with_suffix(".json").read_text())
    for style in card["styles"].values():
        del style["file"]
    (tmp_path / "raw.onnx").write_bytes(exported.read_bytes())
    (tmp_path / "raw.json").write_text(json.dumps(card))
    assert read_style_spec(str(tmp_path / "raw.onnx")).paintings["happy"] == Painting(
        title="T", artist="A", file="", weight=0.5
    )
    with pytest.raises(EngineError, match="does not name the file of the painting for angry"):
        evaluate_style(replace(config, weights=str(tmp_path / "raw.onnx")))


def test_a_net_that_changes_nothing_has_the_photos_own_losses(config):
    found = measure_net(net_that(lambda rgb, mixture: rgb), config)
    assert found["content_loss"] == 0
    assert found["style_loss"] == found["anchors"]["content"]["style_loss"]
    assert min(found["style_loss"].values()) > 0.01
    assert found["warp_error"] is found["clips"] is found["anchors"]["gatys"] is None


def test_a_net_that_outputs_the_paintings_has_their_style(config, paintings_folder):
    """Each style is asked for by its own mixture, and measured against its own painting."""
    images = [read_painting(paintings_folder / f"{emotion}.png", config.size) for emotion in EMOTIONS]
    found = measure_net(net_that(lambda rgb, mixture: images[int(mixture.argmax())]), config)
    assert max(found["style_loss"].values()) < 1e-6
    assert found["content_loss"] > 0.1
    anchor = found["anchors"]["content"]
    assert min(anchor["style_loss"].values()) > 0.01, "of the photos, which are not painted"
    assert anchor["content_loss"] == 0


def test_photos_are_taken_evenly_over_the_set(config, blobs):
    seen = []

    def remember(rgb, mixture):
        seen.append(rgb)
        return rgb

    measure_net(net_that(remember), replace(config, limit=3))
    photos = read_photos([blobs])
    wanted = [center_crop(photos.photo(index), config.size) for index in (0, 4, 7)]
    for place, photo in enumerate(wanted):
        assert np.array_equal(seen[7 * place], photo)


def test_a_clip_that_stands_still_has_no_error_and_one_whose_painting_flickers_has_its_steps(tmp_path, write_clip):
    still = write_clip(tmp_path / "still.mkv", [shot(0)] * 10)
    calls = dict.fromkeys(range(7), 0)

    def flicker(rgb, mixture):
        style = int(mixture.argmax())
        calls[style] += 1
        return rgb + np.uint8(10 + style) * (calls[style] % 2)

    errors, frames = measure_clip(still, net_that(flicker), seconds=9)
    assert frames == 10
    assert errors.pop("truth") == 0
    assert errors == {emotion: pytest.approx(10 + style, abs=1e-3) for style, emotion in enumerate(EMOTIONS)}


def test_no_pair_reaches_over_a_cut(tmp_path, write_clip):
    cut = write_clip(tmp_path / "cut.mkv", [shot(1)] * 9 + [255 - shot(2)] * 9)
    errors, _ = measure_clip(cut, net_that(lambda rgb, mixture: rgb), seconds=9)
    assert max(errors.values()) == 0


def test_what_moves_is_followed(tmp_path, write_clip):
    wide = shot(3, (140, 66))
    panned = write_clip(tmp_path / "pan.mkv", [wide[:, 2 * n : 2 * n + 98] for n in range(12)])
    seen = []

    def notice(rgb, mixture):
        seen.append(rgb.shape)
        return rgb

    errors, _ = measure_clip(panned, net_that(notice), seconds=9)
    standing = np.abs(np.diff(wide[:, ::2].astype(float), axis=1)).mean()
    assert 0 < errors["truth"] < standing / 4
    assert errors["happy"] == errors["truth"]
    assert set(seen) == {(64, 96, 3)}, "sides are cut to what every net takes"


def test_the_optimisation_weighs_a_painting_as_the_net_s_card_does(config):
    net = net_that(lambda rgb, mixture: rgb)
    ignored = replace(net, paintings=PAINTINGS | {"sad": replace(PAINTINGS["sad"], weight=1e-6)})
    gatys = measure_net(ignored, replace(config, limit=1, gatys_steps=2))["anchors"]["gatys"]
    assert gatys["content_by_style"]["sad"] < 1e-4 < gatys["content_by_style"]["angry"]
    assert gatys["net"]["content_loss"] == 0


def test_a_net_is_loaded_by_its_file(exported):
    net = load_candidate(str(exported), threads=1)
    assert (net.name, net.backend, net.paintings["fear"].weight) == ("raw", "OpenVINO CPU", 0.5)
    photo = shot(4)
    identity = np.eye(8, dtype=np.float32)[7]
    assert np.array_equal(net.stylize(photo, identity), photo)
    assert not np.array_equal(net.stylize(photo, single_style("happy")), photo)


def test_without_torch_the_extra_is_named(exported, blobs, paintings_folder):
    script = f"""
import sys
sys.modules["torch"] = None
from training.evaluate import main
main(["style", "--weights", {str(exported)!r}, "--content", {str(blobs)!r}, "--styles", {str(paintings_folder)!r}])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 6
    assert done.stderr == "error: Style losses need torch: pip install 'emocolor-stream[train]'.\n"
