"""The tables on emotion classifiers have the records' rows and columns."""

import json

import pytest

pytest.importorskip("torch", reason="torch is not installed; the ablation's module trains nets")

from engines.spec import EMOTION_FOLDER
from training.emotion.tables import NETS, TABLES, s0_table


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_is_a_table(name):
    rows = [row for row in TABLES[name]().splitlines() if row.startswith("|")]
    assert len(rows) > 3
    assert len({row.count("|") for row in rows}) <= 2, "two tables at most"


def test_a_changed_metric_changes_its_row():
    metrics = json.loads((EMOTION_FOLDER / "s0.json").read_text())["metrics"]["fer2013"]
    metrics["deterministic"]["accuracy"] = 0.999
    assert "| accuracy | .656 | .999 |" in s0_table(metrics)


def test_every_net_that_ships_has_a_row():
    assert all(f"| `{name}` |" in TABLES["nets"]() for name in NETS)
