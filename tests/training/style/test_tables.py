"""The tables on style nets have a row for each card and each kept run."""

import json

import pytest

from engines.spec import STYLE_FOLDER
from training.style.tables import RESULTS, RUNS, TABLES, nets_table, runs_table


@pytest.fixture
def card():
    return json.loads((STYLE_FOLDER / "fast.json").read_text())


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_is_a_table(name):
    rows = TABLES[name]().splitlines()
    assert len(rows) > 3
    assert len({row.count("|") for row in rows}) == 1


def test_a_row_for_each_card(card):
    rows = nets_table({"mine": card}).splitlines()
    assert len(rows) == 3
    metrics = card["metrics"]
    cells = [cell.strip() for cell in rows[2].strip("|").split("|")]
    assert cells[:4] == ["`mine`", "62,468", "0.2", f"{metrics['content_loss']:.3f}".removeprefix("0")]
    assert cells[8] == f"{metrics['warp_error']['painted']:.2f}"
    assert cells[10:] == [f"{ms:.0f}" for ms in metrics["ms_per_frame"].values()]


def test_what_was_not_measured_has_a_dash(card):
    card["metrics"] |= {"anchors": card["metrics"]["anchors"] | {"gatys": None}, "warp_error": None}
    cells = [cell.strip() for cell in nets_table({"mine": card}).splitlines()[2].strip("|").split("|")]
    assert cells[6:10] == ["–"] * 4


def test_a_row_for_each_evaluated_run():
    one = {"content_loss": 0.5, "style_loss": {"happy": 0.9}}
    metrics = one | {"anchors": {"content": one | {"style_loss": {"happy": 2.0}}}, "warp_error": None}
    rows = runs_table({"S3's net": metrics}).splitlines()
    assert rows[2:] == ["| S3's net | happy | .500 | .900 | 2.000 | – | – |"]
    assert len(runs_table({}).splitlines()) == 2


def test_every_kept_run_was_evaluated():
    assert all((RESULTS / name / "evaluated.json").exists() for name in RUNS)
