"""The ablation's rows, and one real run of two of them."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError
from training.emotion.ablation import CONFIG, read_rows


def test_each_row_differs_from_the_base_in_what_it_names_and_no_two_are_alike():
    rows = read_rows(CONFIG)
    assert len(rows) >= 8
    assert len({row.name for row in rows}) == len(rows)
    assert len({repr(row.settings) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[base]\nepochs = 2\n", "lacks 'row'"),
        ("[base]\n[[row]]\nname = 'a'\nwords = 'b'\nepoch = 3\n", "unknown key epoch"),
        ("[base]\n[[row]]\nname = 'a'\nwords = 'b'\nepochs = 'ten'\n", "epochs cannot be 'ten'"),
        ("[base\n", "cannot be read"),
    ],
)
def test_unusable_files_are_named(text, words, tmp_path):
    (tmp_path / "rows.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_rows(tmp_path / "rows.toml")


def test_rows_are_run_once_and_their_metrics_written(tmp_path):
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "faces.npz",
        images=random.integers(0, 256, (80, 48, 48), np.uint8), labels=np.arange(80) % 7,
        usage=np.repeat([0, 1], [64, 16]), ferplus_votes=random.integers(0, 4, (80, 10)).astype(np.uint8),
    )  # fmt: skip
    command = [
        sys.executable, "-m", "training.emotion.ablation", "--smoke", "--data", tmp_path / "faces.npz",
        "--runs", tmp_path / "runs", "--rows", "fer2013_labels", "mixup", "--out", tmp_path / "table.json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = json.loads((tmp_path / "table.json").read_text())
    assert list(found) == ["fer2013_labels", "mixup"]
    assert found["mixup"]["settings"]["mixup"] == 0.2
    assert done.stdout.count("\n| ") == 3
    final = tmp_path / "runs" / "mixup" / "final.json"
    written = final.stat().st_mtime_ns
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert final.stat().st_mtime_ns == written
