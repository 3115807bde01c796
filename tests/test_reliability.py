"""The fault matrix is true: every test that it names exists, and every row names one or says why not."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault |")]


def test_the_matrix_was_found():
    assert len(ROWS) > 30
    assert len(NAMED) >= len(ROWS)


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_every_test_that_is_named_exists(file, name):
    assert re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file} has no {name}"


def test_every_row_has_three_cells_and_a_test():
    for row in ROWS:
        assert row.count(" | ") == 2, row
        assert "::test_" in row or "no test" in row, row
