"""A minute of damaged files through the whole command; ``python -m tests.fuzz`` runs as many as one likes."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.file_job import case_of
from tests.fuzz.mutations import MUTATIONS, mutated

ROOT = Path(__file__).parents[2]
SECONDS = 60
CASES = 1000
"""At most; a busy machine gets through fewer within the minute."""


@pytest.mark.slow
def test_damaged_files_end_as_they_should(tmp_path):
    command = [sys.executable, "-m", "tests.fuzz", "--count", str(CASES), "--seconds", str(SECONDS)]
    done = subprocess.run(
        [*command, "--keep", str(tmp_path / "cases")],
        capture_output=True, text=True, timeout=280, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("{"), done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == {}, done.stdout
    assert found["cases"] > 20
    assert set(found["codes"]) <= {"0 done", "3 done, input damaged", "4 input refused", "5 output refused"}


def test_a_case_is_the_same_each_time(tmp_path):
    for name in ("a.mkv", "b.mp4"):
        (tmp_path / name).write_bytes(random.Random(name).randbytes(5000))
    seeds = sorted(tmp_path.iterdir())
    assert [case_of(number, seeds) for number in range(50)] == [case_of(number, seeds) for number in range(50)]


@pytest.mark.parametrize("size", [1, 2, 187, 5000])
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_mutations_take_files_of_any_size(mutation, size):
    for number in range(50):
        content = bytearray(random.Random(number).randbytes(size))
        mutation(content, random.Random(number))
        assert content or size == 1 or mutation.__name__ == "truncate"


def test_mutations_follow_each_other():
    content = bytes(1000)
    found = [mutated(content, random.Random(number)) for number in range(200)]
    assert {len(names) for _, names in found} == {1, 2, 3}
    assert sum(changed != content for changed, _ in found) > 150
