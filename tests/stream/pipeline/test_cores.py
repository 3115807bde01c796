"""The cores and the memory that may be used, not those that the machine has."""

import os
import subprocess
import sys

import pytest

from stream.pipeline.cores import usable_cores, usable_memory


def test_there_is_at_least_one_and_no_more_than_the_machine_has():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not confine processes to cores")
def test_a_process_confined_to_one_core_uses_one():
    core = min(os.sched_getaffinity(0))
    script = (
        f"import os; os.sched_setaffinity(0, {{{core}}})\n"
        "from stream.pipeline.cores import usable_cores, usable_memory; print(usable_cores())"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "1\n"


def test_some_memory_is_free():
    assert 100_000_000 < usable_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("limit", "free"),
    [("3000000000", 2_000_000_000), ("90000000000", 4_096_000_000), ("500000000", 0), ("max", 4_096_000_000)],
)
def test_a_container_has_less(tmp_path, limit, free):
    memory_info = tmp_path / "meminfo"
    memory_info.write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("1500000000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000000\ninactive_file 500000000\n")
    assert usable_memory(tmp_path, memory_info) == free


def test_without_linux_the_machine_is_asked(tmp_path):
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert usable_memory(tmp_path, tmp_path / "none") == machine
