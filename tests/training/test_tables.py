"""The page of results says what the results say."""

import json

import pytest

pytest.importorskip("torch", reason="torch is not installed; the ablation's module trains nets")

from emocolor.errors import ConfigurationError
from training import tables


def test_the_page_is_up_to_date():
    page = tables.PAGE.read_text()
    assert tables.filled(page) == page, "run python -m training.tables"


def test_a_changed_figure_changes_the_page(tmp_path, monkeypatch):
    card = json.loads((tables.EMOTION / "s0.json").read_text())
    card["metrics"]["fer2013"]["deterministic"]["accuracy"] = 0.999
    (tmp_path / "s0.json").write_text(json.dumps(card))
    monkeypatch.setattr(tables, "EMOTION", tmp_path)
    assert "| accuracy | .656 | .999 |" in tables.table_s0()


def test_a_page_without_marks_is_refused():
    with pytest.raises(ConfigurationError, match="lacks the marks <!-- s0 -->"):
        tables.filled("# Training\n")
