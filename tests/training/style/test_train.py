"""The style nets' training script on a handful of made-up images."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.emotions import EMOTIONS  # noqa: E402
from emocolor.errors import ConfigurationError, SourceError  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.nets.style_net import IDENTITY, SETS  # noqa: E402
from engines.spec import read_style_spec  # noqa: E402
from training.data.photos import read_photos  # noqa: E402
from training.records import sha256_of  # noqa: E402
from training.style.paintings import read_painting  # noqa: E402
from training.style.recipe import StyleImage, StyleImages, StyleRecipe  # noqa: E402
from training.style.train import (  # noqa: E402
    Aims,
    Views,
    batches,
    fresh_net,
    sample_mixtures,
    train,
    two_views,
    view_difference,
    with_styles,
)
from training.toml_recipe import read_recipe  # noqa: E402

CONFIGS = sorted(Path("configs/training").glob("style_*.toml"))
ALL = StyleImages(**{emotion: StyleImage(file=f"{emotion}.png") for emotion in EMOTIONS})
TINY = StyleRecipe(
    net="fast", styles=ALL, style_size=64, crop=36, shift=4, draws=8, batch=4, epochs=2, bf16=False, temporal_weight=1.0
)


@pytest.fixture
def learn(blobs, two_blobs, paintings_folder, vgg_file):
    """Train by a recipe into a folder."""

    def run(recipe, folder, **options):
        train(recipe, paintings_folder, [blobs], [two_blobs], vgg_file, folder, **options)
        return folder

    return run


def weights_of(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)["net"]


def test_leaves_a_run_that_can_be_believed(learn, blobs, tmp_path):
    run = learn(TINY, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["train"] == read_photos([blobs]).sha256
    assert len(set(config["data"]["styles"].values())) == 7
    assert config["settings"]["styles"]["happy"]["file"] == "happy.png"
    rows = (run / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    found = json.loads((run / "final.json").read_text())["held_out"]
    assert all(found[name] > 0 for name in ("content", "style", "variation", "temporal"))
    sheet = cv2.imread(str(run / "sheet.png"))
    assert sheet.shape == (2 * 256, 8 * 256, 3)
    assert (run / "curves.png").exists()


def test_a_resumed_run_equals_an_unbroken_one(learn, tmp_path, monkeypatch):
    recipe = replace(TINY, ema=0.9)
    learn(recipe, tmp_path / "whole")
    import training.style as script

    def save_and_die(folder, state):
        original(folder, state)
        raise KeyboardInterrupt

    original = script.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(script, "save_checkpoint", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            learn(recipe, tmp_path / "broken")
    learn(recipe, tmp_path / "broken", resume=True)
    whole, broken = weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken")
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_a_second_run_starts_where_the_first_ended(learn, tmp_path):
    first = learn(replace(TINY, epochs=1), tmp_path / "first")
    still = replace(TINY, epochs=1, start="first", learning_rate=1e-9)
    second = learn(still, tmp_path / "second", runs=tmp_path)
    assert all(torch.allclose(weights_of(first)[name], value, atol=1e-6) for name, value in weights_of(second).items())
    with pytest.raises(ConfigurationError, match="is no finished run"):
        learn(replace(TINY, start="absent"), tmp_path / "third", runs=tmp_path)
    with pytest.raises(ConfigurationError, match="is of another net"):
        learn(replace(TINY, net="full", start="first"), tmp_path / "fourth", runs=tmp_path)


def test_a_run_starts_from_a_net_that_ships_and_tells_how_that_was_made(learn, tmp_path):
    run = learn(replace(TINY, epochs=1, start="fast", learning_rate=1e-9), tmp_path / "run")
    shipped = load_weights(read_style_spec("fast").weights)
    assert all(torch.allclose(shipped[name], value, atol=1e-6) for name, value in weights_of(run).items())
    card = json.loads(read_style_spec("fast").weights.with_suffix(".json").read_text())
    config = json.loads((run / "config.json").read_text())
    assert config["nets"]["start"] == card["sha256"]
    assert config["shipped_start"] == [*card["started_from"], card["training"]]
    with pytest.raises(ConfigurationError, match=r"fast\.onnx is of another net"):
        learn(replace(TINY, net="full", start="fast"), tmp_path / "other")


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which torch looks at itself while it traces
def test_a_compiled_run_learns_the_same(learn, tmp_path, monkeypatch):
    """Traced for real, then run by torch's own kernels: making others takes a minute."""
    plain = weights_of(learn(TINY, tmp_path / "plain"))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compiled = weights_of(learn(replace(TINY, compiled=True), tmp_path / "compiled"))
    assert plain.keys() == compiled.keys()
    assert all(torch.allclose(plain[name], value, atol=1e-4) for name, value in compiled.items())


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem.removeprefix("style_") for path in CONFIGS])
def test_every_recipe_trains(path, learn, tmp_path):
    recipe = read_recipe(StyleRecipe, path)
    given = replace(recipe.styles, **{emotion: getattr(ALL, emotion) for emotion in recipe.styles.given()})
    small = replace(recipe, styles=given, style_size=64, crop=36, shift=4, draws=4, batch=2, epochs=1, start="")
    small = replace(small, teacher="", teacher_weight=0.0, clip_part=0.0, compiled=False)
    run = learn(small, tmp_path / "run")
    found = json.loads((run / "final.json").read_text())["held_out"]
    assert all(np.isfinite(value) for value in found.values())


def test_learning_brings_style_nearer_and_holds_views_together(learn, tmp_path):
    recipe = replace(TINY, draws=32, learning_rate=3e-3, epochs=6, partial_part=0.0)
    steady = learn(replace(recipe, temporal_weight=30.0), tmp_path / "steady")
    alone = learn(replace(recipe, temporal_weight=0.0), tmp_path / "alone")
    names, *rows = (row.split(",") for row in (alone / "epochs.csv").read_text().splitlines())
    losses = [float(row[names.index("train_content")]) + 5 * float(row[names.index("train_style")]) for row in rows]
    assert losses[-1] < 0.8 * losses[0]
    moved, moved_alone = (json.loads((r / "final.json").read_text())["held_out"]["temporal"] for r in (steady, alone))
    assert moved < 0.7 * moved_alone


def test_a_student_comes_to_paint_as_its_teacher_does(learn, two_blobs, tmp_path, monkeypatch):
    learn(replace(TINY, epochs=1, draws=32), tmp_path / "teacher")
    import training.style as script

    measured = []
    original = script.feature_losses
    monkeypatch.setattr(script, "feature_losses", lambda *given: (measured.append(given), original(*given))[1])
    alone = replace(
        TINY, teacher="teacher", teacher_weight=10.0, content_weight=0.0, style_weight=0.0, temporal_weight=0.0, seed=9
    )
    run = learn(replace(alone, draws=32, epochs=9, learning_rate=3e-3), tmp_path / "student", runs=tmp_path)
    names, *rows = (row.split(",") for row in (run / "epochs.csv").read_text().splitlines())
    distance = [float(row[names.index("train_teacher")]) for row in rows]
    assert distance[-1] < 0.5 * distance[0]
    photos = len(read_photos([two_blobs]))
    assert len(measured) == (len(rows) + 1) * photos * 7, (
        "VGG16 judges after each epoch and at the end, not in training"
    )
    record = json.loads((run / "config.json").read_text())
    assert record["nets"]["teacher"] == sha256_of(tmp_path / "teacher" / "checkpoint.pt")
    with pytest.raises(ConfigurationError, match="is no finished run"):
        learn(replace(alone, teacher="absent"), tmp_path / "other", runs=tmp_path)
    assert not (tmp_path / "other").exists()


def test_views_show_the_same_at_the_same_points():
    random = np.random.default_rng(3)
    squares = torch.rand(2, 3, 44, 44)
    recipe = replace(TINY, shift=8, noise=0.0)
    moves = set()
    for _ in range(20):
        views = two_views(squares, recipe, torch.zeros(2, SETS), random)
        assert views.first.shape == views.second.shape == (2, 3, 36, 36)
        assert view_difference(views.first, views.second, views.move) == 0
        rows, columns = views.move
        if (rows, columns) != (0, 0):
            assert view_difference(views.first, views.second, (-rows, -columns)) > 0.01
        moves.add(views.move)
    assert len(moves) > 10


def test_noise_is_in_the_second_view_alone():
    squares = torch.full((2, 3, 36, 36), 0.5)
    views = two_views(squares, replace(TINY, noise=0.05), torch.zeros(2, SETS), np.random.default_rng(0))
    assert views.first.std() == 0
    assert 0 < views.second.std() < 0.05


def test_mixtures_are_convex_and_of_every_kind():
    random = np.random.default_rng(0)
    recipe = replace(TINY, batch=8, mixed_part=0.5, partial_part=0.5)
    seen = torch.cat([sample_mixtures(recipe, [0, 2, 5], random) for _ in range(40)])
    assert seen.shape == (320, SETS)
    assert (seen >= 0).all()
    assert torch.allclose(seen.sum(1), torch.ones(320))
    assert (seen[:, [1, 3, 4, 6]] == 0).all(), "what is not learnt has no part"
    parts = (seen[:, :IDENTITY] > 0).sum(1)
    assert {1, 2, 3} == set(parts.tolist())
    partial = seen[:, IDENTITY] > 0
    assert 0.2 < partial.float().mean() < 0.8
    whole = sample_mixtures(replace(recipe, mixed_part=0.0, partial_part=0.0), [4], random)
    assert (whole == torch.eye(SETS)[4]).all()


def test_a_mixture_aims_at_the_mixture_of_gram_matrices():
    grams = {"relu1_2": torch.rand(IDENTITY, 5, 5)}
    aims = Aims(grams, torch.arange(7.0), list(range(7)))
    own = {"relu1_2": torch.rand(1, 5, 5)}
    mixture = torch.tensor([[0.5, 0, 0, 0.25, 0, 0, 0, 0.25]])
    wanted = 0.5 * grams["relu1_2"][0] + 0.25 * grams["relu1_2"][3] + 0.25 * own["relu1_2"][0]
    assert torch.allclose(aims.mixed(mixture, own)["relu1_2"][0], wanted)
    assert aims.weight(mixture) == pytest.approx(0.25 * 3 + 0.25)
    squares = grams["relu1_2"].square().mean((1, 2))
    assert aims.scale(mixture)["relu1_2"] == pytest.approx(
        float(0.5 * squares[0] + 0.25 * squares[3] + 0.25 * squares.mean())
    )


def test_batches_are_repeatable(blobs):
    photos = read_photos([blobs])
    one, two, other = (list(batches(photos, TINY, list(range(7)), epoch)) for epoch in (1, 1, 2))
    assert len(one) == 2
    for a, b in zip(one, two, strict=True):
        assert isinstance(a, Views)
        assert torch.equal(a.second, b.second)
        assert torch.equal(a.mixture, b.mixture)
    assert not torch.equal(one[0].first, other[0].first)


def test_long_gradients_are_shortened(learn, tmp_path):
    """To next to nothing here, below what Adam divides by at least: the net stays as it was made."""
    run = learn(replace(TINY, epochs=1, gradient_norm=1e-14), tmp_path / "run")
    torch.manual_seed(TINY.seed)
    fresh = fresh_net(TINY).state_dict()
    assert all(torch.allclose(value, fresh[name], atol=1e-6) for name, value in weights_of(run).items())


def test_a_nan_ends_the_run_with_advice(learn, tmp_path):
    with pytest.raises(ConfigurationError, match=r"The loss became nan at step \d+ .* Lower learning_rate"):
        learn(replace(TINY, learning_rate=1e30, epochs=4), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net": "s3"}, "learns one style, not 7"),
        ({"style_layers": ("relu9_9",)}, "'relu9_9' is no layer of VGG16"),
        ({"crop": 30}, "crop must be a multiple of 4"),
        ({"shift": 60}, "shift must lie between"),
        ({"partial_part": 1.5}, "partial_part must lie between 0 and 1"),
        ({"temporal_weight": -1.0}, "temporal_weight must not be negative"),
        ({"teacher": "run"}, "teacher and teacher_weight go together"),
        ({"teacher_weight": 1.0}, "teacher and teacher_weight go together"),
        ({"gradient_norm": 0.0}, "gradient_norm must be above 0"),
        ({"draws": 2}, "draws .2. must be at least batch"),
        ({"measure": "both"}, "measure must be one of absolute, relative"),
    ],
)
def test_wrong_recipes_are_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        replace(TINY, **changes)


def test_paintings_of_the_command_line_replace_the_recipe_s(tmp_path):
    recipe = with_styles(TINY, [f"sad={tmp_path}/blue.jpg"])
    assert recipe.styles.sad.file == str(tmp_path / "blue.jpg")
    assert recipe.styles.happy.file == "happy.png"
    single = replace(TINY, net="s3", styles=StyleImages(happy=StyleImage(file="happy.png")))
    assert list(with_styles(single, ["sad=blue.jpg"]).styles.given()) == ["sad"]
    with pytest.raises(ConfigurationError, match=r"not 'hapy=x\.jpg'; did you mean 'happy'"):
        with_styles(TINY, ["hapy=x.jpg"])


def test_a_net_of_seven_styles_needs_them_all(learn, tmp_path):
    recipe = replace(TINY, styles=replace(ALL, fear=StyleImage()))
    with pytest.raises(ConfigurationError, match="learns all seven styles; there is none for fear"):
        learn(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


class TestPaintings:
    """What may be given as a painting."""

    def write(self, path, image):
        cv2.imwrite(str(path), image)
        return path

    def test_the_short_side_is_scaled(self, tmp_path):
        path = self.write(tmp_path / "a.png", np.zeros((100, 250, 3), np.uint8))
        assert read_painting(path, 80).shape == (80, 200, 3)

    def test_gray_becomes_rgb_and_alpha_is_laid_on_white(self, tmp_path):
        gray = self.write(tmp_path / "gray.png", np.full((80, 80), 99, np.uint8))
        assert (read_painting(gray, 80) == 99).all()
        clear = np.zeros((80, 80, 4), np.uint8)
        clear[:, :40] = (10, 20, 30, 255)
        found = read_painting(self.write(tmp_path / "clear.png", clear), 80)
        assert (found[:, :40] == (30, 20, 10)).all()
        assert (found[:, 40:] == 255).all()

    @pytest.mark.parametrize("content", [b"", b"no image at all"])
    def test_what_is_no_image_is_refused(self, content, tmp_path):
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        with pytest.raises(SourceError, match="is no image that OpenCV reads"):
            read_painting(path, 80)

    def test_absent_and_tiny_ones_are_refused(self, tmp_path):
        with pytest.raises(SourceError, match="cannot be read: No such file"):
            read_painting(tmp_path / "absent.jpg", 80)
        tiny = self.write(tmp_path / "tiny.png", np.zeros((300, 20, 3), np.uint8))
        with pytest.raises(SourceError, match="is 20x300; both sides need 64 px"):
            read_painting(tiny, 80)
