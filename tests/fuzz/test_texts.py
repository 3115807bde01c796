"""Thousands of damaged texts: each is taken, or refused with the one error that is its reader's own."""

import pytest

from tests.fuzz.texts import READERS, check

CASES = 1500
"""For each reader."""


@pytest.mark.parametrize("name", [name for name in READERS if name != "onnx"])
def test_what_is_not_damaged_is_taken(name):
    for content in READERS[name].seeds:
        READERS[name].read(content)


@pytest.mark.parametrize("name", READERS)
def test_damaged_texts_are_taken_or_refused(name):
    taken = sum(check(number, READERS[name]) for number in range(CASES))
    assert taken < CASES
