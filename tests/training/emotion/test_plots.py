"""The confusion matrix of a run."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed; run folders need it")
pytest.importorskip("matplotlib", reason="matplotlib is not installed; training draws with it")

from training.emotion.metrics import classification_metrics
from training.emotion.plots import draw_confusion


@pytest.mark.parametrize("parts", [{"held_out"}, {"held_out", "test"}])
def test_a_matrix_is_drawn(parts, tmp_path):
    labels = np.arange(14) % 7
    metrics = {"fer2013": classification_metrics(np.eye(7)[labels], labels)}
    (tmp_path / "final.json").write_text(json.dumps(dict.fromkeys(parts, metrics)))
    draw_confusion(tmp_path)
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
