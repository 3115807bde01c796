"""A run folder: opened once, resumed only by the same run, and never left with half a checkpoint."""

import json
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; checkpoints need it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.run_folder import (  # noqa: E402
    BEST,
    Panel,
    draw_curves,
    final_weights,
    finished_config,
    log_epoch,
    open_run,
    read_epochs,
    save_checkpoint,
    training_machine,
)

CONFIG = {
    "settings": {"epochs": 2, "film": {"part": 0.5}},
    "data": {"file": "a.npz", "sha256": "1"},
    "nets": {"ours": "2"},
}


def test_a_run_is_opened_and_its_checkpoint_given_back(tmp_path):
    run = tmp_path / "runs" / "one"
    assert open_run(run, CONFIG, resume=False) is None
    assert json.loads((run / "config.json").read_text()) == CONFIG
    assert open_run(run, CONFIG, resume=True) is None
    save_checkpoint(run, {"net": {"weight": torch.ones(2)}, "epoch": 1})
    assert open_run(run, CONFIG, resume=True)["epoch"] == 1
    assert torch.equal(final_weights(run)["weight"], torch.ones(2))


@pytest.mark.parametrize(
    ("changes", "resume", "words"),
    [
        ({}, False, "already holds a run. Pass --resume"),
        ({"settings": {"epochs": 3, "film": {"part": 0.5}}}, True, r"other settings: epochs \(2 there, 3 now\)"),
        ({"settings": {"epochs": 2, "film": {"part": 0.1}}}, True, r"film.part \(0.5 there, 0.1 now\)"),
        ({"data": {"file": "a.npz", "sha256": "9"}}, True, r"run on other data \(sha256\)"),
        ({"nets": {"ours": "9"}}, True, "other weights of the nets it builds on"),
    ],
)
def test_another_run_is_refused(changes, resume, words, tmp_path):
    open_run(tmp_path, CONFIG, resume=False)
    with pytest.raises(ConfigurationError, match=words):
        open_run(tmp_path, CONFIG | changes, resume=resume)


def test_an_epoch_that_a_killed_run_wrote_already_is_replaced(tmp_path, capsys):
    for epoch, loss in ((1, 0.5), (2, 0.25), (2, 0.125), (3, 1 / 3)):
        log_epoch(tmp_path, {"epoch": epoch, "train_loss": loss})
    assert [row["train_loss"] for row in read_epochs(tmp_path)] == ["0.5", "0.125", "0.333333"]
    assert capsys.readouterr().out.splitlines()[-1] == "epoch 3  train_loss 0.3333"


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    open_run(tmp_path, CONFIG, resume=False)
    with pytest.raises(ConfigurationError, match=r"has no final\.json: the run is not finished"):
        finished_config(tmp_path)
    (tmp_path / "final.json").write_text("{}")
    assert finished_config(tmp_path) == CONFIG


def test_the_best_epoch_counts_where_it_is_kept(tmp_path):
    save_checkpoint(tmp_path, {"net": {"weight": torch.zeros(1)}, "epoch": 3})
    save_checkpoint(tmp_path, {"net": {"weight": torch.ones(1)}, "epoch": 2}, BEST)
    assert final_weights(tmp_path)["weight"] == 1


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    """A limit on file size makes writing fail as a full disk does."""
    save_checkpoint(tmp_path, {"epoch": 1})
    before = (tmp_path / "checkpoint.pt").read_bytes()
    script = f"""
import resource
from pathlib import Path
import torch
from emocolor.errors import SinkError
from training.run_folder import save_checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_checkpoint(Path({str(tmp_path)!r}), {{"net": torch.rand(100_000), "epoch": 2}})
except SinkError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "checkpoint of epoch 2 cannot be written" in done.stdout
    assert "make room and pass --resume" in done.stdout
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not (tmp_path / "checkpoint.pt.new").exists()


def test_curves_show_the_columns_that_there_are(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; training draws with it")
    log_epoch(tmp_path, {"epoch": 1, "train_loss": 1.0, "accuracy": 0.5})
    draw_curves(tmp_path, [Panel("loss", {"train_loss": ""}, log=True), Panel("accuracy", {"accuracy": "a", "b": "b"})])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_machine_of_a_run_on_the_cpu_tells_its_threads():
    assert training_machine(torch.device("cpu"))["threads"] == torch.get_num_threads()
