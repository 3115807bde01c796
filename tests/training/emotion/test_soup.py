"""The average of two runs."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.emotion.soup import average_runs  # noqa: E402
from training.run_folder import final_weights, read_epochs  # noqa: E402


def test_the_average_is_a_run_of_its_own(few_faces_file, trained_classifiers, tmp_path):
    runs = trained_classifiers
    average_runs([runs / "seed1", runs / "seed2"], [0.25, 0.75], few_faces_file, tmp_path / "soup")
    one, two, both = (final_weights(run) for run in (runs / "seed1", runs / "seed2", tmp_path / "soup"))
    floating = [name for name, value in both.items() if value.is_floating_point()]
    assert all(torch.allclose(both[name], 0.25 * one[name] + 0.75 * two[name], atol=1e-6) for name in floating)
    config = json.loads((tmp_path / "soup" / "config.json").read_text())
    assert [(part["run"], part["part"]) for part in config["soup"]] == [("seed1", 0.25), ("seed2", 0.75)]
    assert [row["epoch"] for row in read_epochs(tmp_path / "soup")] == ["1", "2"]
    left = {path.name for path in (tmp_path / "soup").iterdir()}
    assert left == {"config.json", "epochs.csv", "checkpoint.pt", "final.json", "curves.png", "confusion.png"}


@pytest.mark.parametrize(
    ("names", "parts", "words"),
    [
        (["seed1", "tiny"], [0.5, 0.5], "differ in net"),
        (["seed1", "seed2"], [0.5, 0.6], "add up to 1"),
        (["seed1"], [1.0], "two runs or more"),
        (["seed1", "none"], [0.5, 0.5], "not finished"),
    ],
)
def test_what_cannot_be_averaged_is_refused(few_faces_file, trained_classifiers, tmp_path, names, parts, words):
    with pytest.raises(ConfigurationError, match=words):
        average_runs([trained_classifiers / name for name in names], parts, few_faces_file, tmp_path / "soup")
    assert not (tmp_path / "soup").exists()


def test_runs_on_other_data_are_refused(few_faces_file, trained_classifiers, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained_classifiers / "seed2", other)
    config = json.loads((other / "config.json").read_text())
    config["data"]["sha256"] = "0"
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match="trained on different data"):
        average_runs([trained_classifiers / "seed1", other], [0.5, 0.5], few_faces_file, tmp_path / "soup")
