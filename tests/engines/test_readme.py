"""The page about engines says what ships and what was measured of it."""

import json

import pytest

from tests.benchmarks import parity
from tests.benchmarks.parity_kinds import KINDS

PAGE = parity.PAGE.read_text()
NETS = json.loads(parity.RECORD.read_text())["nets"]
AGAIN = "run python -m tests.benchmarks.parity"


def test_the_table_is_what_was_measured():
    assert parity.filled(PAGE, parity.tables(NETS)) == PAGE, AGAIN


@pytest.mark.parametrize("kind", KINDS)
def test_every_net_that_ships_was_measured_as_it_ships(kind):
    shipped = {name: KINDS[kind].read(name).sha256 for name in KINDS[kind].names()}
    assert {name: net["sha256"] for name, net in NETS[kind].items()} == shipped, AGAIN


@pytest.mark.parametrize("kind", KINDS)
def test_every_net_that_ships_is_told_of(kind):
    for name in KINDS[kind].names():
        assert f"- **`{name}`**" in PAGE, f"engines/README.md has no line on {name}"


def test_no_error_is_too_large():
    assert not list(parity.too_large(NETS))
