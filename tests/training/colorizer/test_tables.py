"""The tables on colorizers have the records' rows and columns."""

import pytest

from training.colorizer.tables import SYSTEMS, TABLES


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_is_a_table(name):
    rows = TABLES[name]().splitlines()
    assert len(rows) > 3
    assert len({row.count("|") for row in rows}) == 1


def test_every_kept_run_of_the_papers_has_a_row():
    table = TABLES["colorizers"]()
    assert all(f"| {words} |" in table for words in SYSTEMS.values())
    assert "| baseline `gray` |" in table
    assert "| `film`, vividness 0.3 |" in table


def test_every_inference_rate_is_compared_with_the_net_on_every_frame():
    rows = TABLES["stabilization"]().splitlines()[2:]
    assert [row.split("|")[2].strip() for row in rows] == ["not stabilized", *["stabilized"] * 3, "original clips"]
