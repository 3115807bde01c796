"""The style nets' training script on a handful of made-up images."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from engines.spec import read_style_spec  # noqa: E402
from training.data.photos import read_photos  # noqa: E402
from training.optimization import DivergedError  # noqa: E402
from training.records import sha256_of  # noqa: E402
from training.run_folder import final_weights, read_epochs  # noqa: E402
from training.style.nets import new_net  # noqa: E402
from training.style.recipe import StyleRecipe  # noqa: E402
from training.style.train import main, with_styles  # noqa: E402
from training.toml_recipe import read_recipe  # noqa: E402

CONFIGS = sorted(Path("configs/training").glob("style_*.toml"))


def test_leaves_a_run_that_can_be_believed(trained_style, blobs):
    config = json.loads((trained_style / "config.json").read_text())
    assert config["data"]["train"] == read_photos([blobs]).sha256
    assert len(set(config["data"]["styles"].values())) == 7
    assert config["settings"]["styles"]["happy"]["file"] == "happy.png"
    assert config["nets"] == {"start": None, "teacher": None}
    assert [row["epoch"] for row in read_epochs(trained_style)] == ["1"]
    found = json.loads((trained_style / "final.json").read_text())["held_out"]
    assert all(found[name] > 0 for name in ("content", "style", "variation", "temporal"))
    assert cv2.imread(str(trained_style / "sheet.png")).shape == (72, 8 * 72, 3)
    assert (trained_style / "curves.png").exists()


def test_a_resumed_run_equals_an_unbroken_one(train_style, shallow_recipe, tmp_path):
    """A run that was killed after its first epoch has no final.json, and settings of two epochs."""
    recipe = replace(shallow_recipe, ema=0.9, schedule="constant", epochs=2)
    whole = train_style(recipe, tmp_path / "whole")
    broken = train_style(replace(recipe, epochs=1), tmp_path / "broken")
    (broken / "final.json").unlink()
    (broken / "config.json").write_text((whole / "config.json").read_text())
    train_style(recipe, broken, resume=True)
    one, other = final_weights(whole), final_weights(broken)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_starts_from_a_net_that_ships_records_it(train_style, tiny_recipe, tmp_path):
    run = train_style(replace(tiny_recipe, start="fast", learning_rate=1e-9, draws=2), tmp_path / "run")
    spec = read_style_spec("fast")
    card = json.loads(spec.weights.with_suffix(".json").read_text())
    config = json.loads((run / "config.json").read_text())
    assert config["nets"]["start"] == card["sha256"]
    assert config["shipped_start"] == [*card["started_from"], card["training"]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which torch looks at itself while it traces
def test_a_compiled_run_learns_the_same(train_style, shallow_recipe, tmp_path, monkeypatch):
    """Traced for real, then run by torch's own kernels: making others takes a minute."""
    plain = final_weights(train_style(shallow_recipe, tmp_path / "plain"))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compiled = final_weights(train_style(replace(shallow_recipe, compiled=True), tmp_path / "compiled"))
    assert plain.keys() == compiled.keys()
    assert all(torch.allclose(plain[name], value, atol=1e-4) for name, value in compiled.items())


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem.removeprefix("style_") for path in CONFIGS])
def test_every_recipe_trains(path, train_style, tiny_recipe, tmp_path):
    recipe = read_recipe(StyleRecipe, path)
    given = {emotion: getattr(tiny_recipe.styles, emotion) for emotion in recipe.styles.given()}
    small = replace(
        recipe, styles=replace(recipe.styles, **given), style_size=64, crop=36, shift=4, draws=2, batch=2, epochs=1,
        start="", teacher="", teacher_weight=0.0, clip_part=0.0, compiled=False, bf16=False,
    )  # fmt: skip
    found = json.loads((train_style(small, tmp_path / "run") / "final.json").read_text())["held_out"]
    assert all(np.isfinite(value) for value in found.values())


def test_training_in_bfloat16_works(train_style, shallow_recipe, tmp_path):
    run = train_style(replace(shallow_recipe, bf16=True, draws=2),
                      tmp_path / "run")  # fmt: skip
    assert all(value.dtype != torch.bfloat16 for value in final_weights(run).values())


@pytest.mark.slow
def test_training_brings_style_nearer_and_makes_views_consistent(train_style, shallow_recipe, tmp_path):
    recipe = replace(shallow_recipe, draws=32, batch=4, learning_rate=5e-3, epochs=3)
    steady = train_style(replace(recipe, temporal_weight=300.0), tmp_path / "steady")
    alone = train_style(recipe, tmp_path / "alone")
    losses = [float(row["train_content"]) + 5 * float(row["train_style"]) for row in read_epochs(alone)]
    assert losses[-1] < 0.8 * losses[0]
    moved, moved_alone = (float(read_epochs(run)[-1]["temporal"]) for run in (steady, alone))
    assert moved < 0.7 * moved_alone


@pytest.mark.slow
def test_a_student_learns_the_output_of_its_teacher_without_features(
    train_style, shallow_recipe, trained_style, tmp_path
):
    alone = replace(
        shallow_recipe, teacher=trained_style.name, teacher_weight=10.0, content_weight=0.0, style_weight=0.0, seed=9,
        draws=32, batch=4, epochs=6, learning_rate=1e-2,
    )  # fmt: skip
    run = train_style(alone, tmp_path / "student", runs=trained_style.parent)
    rows = read_epochs(run)
    assert float(rows[-1]["train_teacher"]) < 0.5 * float(rows[0]["train_teacher"])
    assert "train_content" not in rows[0]
    assert float(rows[0]["content"]) > 0, "VGG16 measures after each epoch"
    record = json.loads((run / "config.json").read_text())
    assert record["nets"]["teacher"] == sha256_of(trained_style / "checkpoint.pt")
    with pytest.raises(ConfigurationError, match="is not a finished run"):
        train_style(replace(alone, teacher="absent"), tmp_path / "other", runs=trained_style.parent)
    assert not (tmp_path / "other").exists()


def test_gradients_are_clipped(train_style, shallow_recipe, tmp_path):
    """To next to nothing here, below the epsilon of Adam: the net stays as it was made."""
    run = train_style(replace(shallow_recipe, gradient_norm=1e-14, draws=2), tmp_path / "run")
    torch.manual_seed(shallow_recipe.seed)
    fresh = new_net(shallow_recipe).state_dict()
    assert all(torch.allclose(value, fresh[name], atol=1e-6) for name, value in final_weights(run).items())


def test_a_loss_that_diverges_ends_the_run_with_advice(train_style, shallow_recipe, tmp_path):
    with pytest.raises(DivergedError, match=r"The loss became nan at step \d+ .* Lower learning_rate"):
        train_style(replace(shallow_recipe, learning_rate=1e30, epochs=4), tmp_path / "run")


def test_clips_are_required_where_the_recipe_takes_them(train_style, tiny_recipe, tmp_path):
    with pytest.raises(ConfigurationError, match=r"takes clips in 0\.5 of its batches: pass --clips"):
        train_style(replace(tiny_recipe, temporal_weight=10.0, clip_part=0.5), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_paintings_of_the_command_line_replace_the_recipe_s(tiny_recipe, single_recipe, tmp_path):
    recipe = with_styles(tiny_recipe, [f"sad={tmp_path}/blue.jpg"])
    assert recipe.styles.sad.file == str(tmp_path / "blue.jpg")
    assert recipe.styles.happy.file == "happy.png"
    assert list(with_styles(single_recipe, ["sad=blue.jpg"]).styles.given()) == ["sad"]
    with pytest.raises(ConfigurationError, match=r"not 'hapy=x\.jpg'; did you mean 'happy'"):
        with_styles(tiny_recipe, ["hapy=x.jpg"])


def test_smoke_tries_the_whole_script_out(blobs, one_blob, paintings_folder, vgg_file, tmp_path, run_main):
    (tmp_path / "recipe.toml").write_text(
        'net = "s3"\ncrop = 36\nstyle_size = 64\nbf16 = false\nstyle_layers = ["relu1_2"]\ncontent_layer = "relu1_2"\n'
    )
    code, printed, _ = run_main(
        main, "--smoke", "--config", tmp_path / "recipe.toml", "--style", f"happy={paintings_folder / 'happy.png'}",
        "--photos", blobs, "--val", one_blob, "--vgg", vgg_file, "--run", tmp_path / "run",
    )  # fmt: skip
    assert code == 0
    assert printed.count("train_style") == 2
    assert json.loads(printed.splitlines()[-1]).keys() == {"content", "style", "variation", "temporal"}


def test_unknown_emotions_end_in_one_line(tmp_path, run_main):
    given = ["--photos", "p", "--val", "v", "--run", tmp_path / "run", "--style", "hapy=x.jpg"]
    code, _, message = run_main(main, *given)
    assert code == 2
    assert message.startswith("error: --style takes EMOTION=PATH, not 'hapy=x.jpg'")
