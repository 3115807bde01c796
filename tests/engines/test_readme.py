"""The page about engines tells what ships and what was measured, and its example runs."""

import json
import re

import numpy as np
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
def test_every_net_that_ships_is_on_the_page(kind):
    for name in KINDS[kind].names():
        assert f"- **`{name}`**" in PAGE, f"engines/README.md has no line on {name}"


def test_no_error_is_too_large():
    assert not list(parity.too_large(NETS))


def test_the_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {"rgb": np.full((1, 64, 96, 3), 128, np.uint8), "mixture": np.eye(8, dtype=np.float32)[[3]]}
    exec(example, names)
    assert names["net"].crop_size == 48
    assert names["painted"].shape == (1, 64, 96, 3)


def test_every_module_is_on_the_page():
    folder = parity.PAGE.parent
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    rooms = {f"{path.name}/" for path in folder.iterdir() if (path / "__init__.py").exists()}
    for name in modules | rooms:
        assert f"`{name}`" in PAGE, f"engines/README.md has no line on {name}"
