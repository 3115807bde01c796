"""The average of two runs."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.emotion.recipe import Settings  # noqa: E402
from training.emotion.soup import average_runs  # noqa: E402
from training.emotion.train import train  # noqa: E402

TINY = Settings(epochs=1, batch=16, bf16=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    usage = np.repeat(np.int8([0, 1]), [32, 16])
    np.savez(path, images=random.integers(0, 256, (48, 48, 48), np.uint8), labels=np.arange(48) % 7, usage=usage)
    return path


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        train(replace(TINY, seed=seed), data, folder / f"seed{seed}")
    train(replace(TINY, net="tiny"), data, folder / "tiny")
    return folder


def weights_of(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)["net"]


def test_the_average_is_a_run_of_its_own(data, runs, tmp_path):
    average_runs([runs / "seed1", runs / "seed2"], [0.25, 0.75], data, tmp_path / "soup")
    one, two, both = (weights_of(run) for run in (runs / "seed1", runs / "seed2", tmp_path / "soup"))
    for name in ("dense2.weight", "blocks.0.0.weight"):
        name = name if name in both else next(key for key in both if key.endswith("weight"))
        assert torch.allclose(both[name], 0.25 * one[name] + 0.75 * two[name], atol=1e-6)
    config = json.loads((tmp_path / "soup" / "config.json").read_text())
    assert [(part["run"], part["part"]) for part in config["soup"]] == [("seed1", 0.25), ("seed2", 0.75)]
    rows = (tmp_path / "soup" / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    left = {path.name for path in (tmp_path / "soup").iterdir()}
    assert left == {"config.json", "epochs.csv", "checkpoint.pt", "final.json", "curves.png", "confusion.png"}


@pytest.mark.parametrize(
    ("names", "parts", "words"),
    [
        (["seed1", "tiny"], [0.5, 0.5], "differ in net"),
        (["seed1", "seed2"], [0.5, 0.6], "add up to 1"),
        (["seed1"], [1.0], "two or more"),
        (["seed1", "none"], [0.5, 0.5], "not finished"),
    ],
)
def test_what_cannot_be_averaged_is_refused(data, runs, tmp_path, names, parts, words):
    with pytest.raises(ConfigurationError, match=words):
        average_runs([runs / name for name in names], parts, data, tmp_path / "soup")
    assert not (tmp_path / "soup").exists()
