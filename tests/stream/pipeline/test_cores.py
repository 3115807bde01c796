"""The cores that may be used, not those that the machine has."""

import os
import subprocess
import sys

import pytest

from stream.pipeline.cores import usable_cores


def test_there_is_at_least_one_and_no_more_than_the_machine_has():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not confine processes to cores")
def test_a_process_confined_to_one_core_uses_one():
    core = min(os.sched_getaffinity(0))
    script = (
        f"import os; os.sched_setaffinity(0, {{{core}}})\n"
        "from stream.pipeline.cores import usable_cores; print(usable_cores())"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "1\n"
