"""Averaged weights, configs and epochs of runs."""

import json

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.averaging import averaged_config, averaged_state, check_parts, join_epochs  # noqa: E402
from training.run_folder import read_epochs, write_epochs  # noqa: E402


def test_weights_are_averaged_and_counters_are_the_last_ones():
    states = [{"w": torch.full((2,), value), "n": torch.tensor(int(value))} for value in (1.0, 5.0)]
    average = averaged_state(states, [0.25, 0.75])
    assert average["w"].tolist() == [4, 4]
    assert average["n"] == 5


@pytest.fixture
def runs(tmp_path):
    for number, name in enumerate(("one", "two"), 1):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"settings": {"seed": number}, "machine": {}}))
        write_epochs(tmp_path / name, [{"epoch": str(epoch), "loss": str(number)} for epoch in (1, 2)])
    return [tmp_path / "one", tmp_path / "two"]


def test_the_config_tells_all_runs_with_their_parts(runs):
    with pytest.raises(ConfigurationError, match="one has no final"):
        averaged_config(runs, [0.4, 0.6])
    for run in runs:
        (run / "final.json").write_text("{}")
    config = averaged_config(runs, [0.4, 0.6])
    assert config["settings"] == {"seed": 2}
    assert [(one["run"], one["part"], one["settings"]["seed"]) for one in config["soup"]] == [
        ("one", 0.4, 1), ("two", 0.6, 2),
    ]  # fmt: skip
    assert config["machine"]["python"]


def test_epochs_are_numbered_consecutively(runs, tmp_path):
    join_epochs(runs, tmp_path)
    assert [(row["epoch"], row["loss"]) for row in read_epochs(tmp_path)] == [
        ("1", "1"), ("2", "1"), ("3", "2"), ("4", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "parts"), [(1, [1.0]), (2, [0.5, 0.6]), (2, [1.0])])
def test_parts_that_do_not_fit_are_refused(count, parts, runs, tmp_path):
    with pytest.raises(ConfigurationError, match="must add up to 1; got"):
        check_parts(runs[:count], parts, tmp_path / "new")
    with pytest.raises(ConfigurationError, match="exists already"):
        check_parts(runs, [0.5, 0.5], runs[0])
