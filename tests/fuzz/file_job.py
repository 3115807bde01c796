"""Damaged files through the whole command: what it answers, how long it takes, and what it leaves behind.

A case is a number: it decides on the file, its damage, the output's format and the effect. Each runs in a process that
is forked from one that has imported everything, so it costs a tenth of a start.
"""

import gc
import os
import random
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av

from tests.fuzz.mutations import mutated

ALLOWED: Final = {0: "done", 3: "done, input damaged", 4: "input refused", 5: "output refused"}
"""Exit codes that a damaged input may end with."""
OUTPUTS: Final = ("mkv", "mp4", "mov", "avi", "ts", "webm")
EFFECTS: Final = ("colormap:bone", "colormap:turbo", "none", "colormap:intensity")
"""They need no net, so nearly all of the time goes into reading and writing."""

CPU_LIMIT_S: Final = 30
WALL_LIMIT_S: Final = 300.0
"""Long, since the run may have idle priority: a deadlock takes no CPU time."""
MEMORY_LIMIT: Final = 6 * 2**30
"""Address space, so that what wants more fails instead of taking the machine down."""
RESIDENT_LIMIT: Final = 800 * 2**20
"""Memory that was really used; files are far smaller than a megabyte."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run of the command."""

    number: int
    seed: str
    mutations: tuple[str, ...]
    output: str
    effect: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a case ended."""

    case: Case
    code: int
    """Exit code, or the negative number of the signal that ended it."""
    message: str
    """What it printed, at most a thousand characters of it."""
    faults: tuple[str, ...]
    """What must not be, in a word or two each."""
    seconds: float
    resident: int
    """Bytes at most."""


def prepare(seed: Path, folder: Path) -> None:
    """Run one job on a file that is whole, in the process that will fork: what a case imports is there already.

    Raises ``RuntimeError`` where a thread of that job is left, since a fork would lose it.
    """
    output = folder / "out.mkv"
    code = _command([str(seed), "-o", str(output), "--effect", EFFECTS[0], "--quiet", "--overwrite"])
    gc.collect()  # codecs end their threads when they are freed
    threads = len(list(Path("/proc/self/task").iterdir()))
    if code != 0 or not _is_whole(output) or threads > 1:
        raise RuntimeError(f"the job before the first case ended with {code}, and {threads} threads are there")


def case_of(number: int, seeds: Sequence[Path]) -> tuple[Case, bytes]:
    """The case of a number, and the file that it reads."""
    chance = random.Random(number)
    seed = seeds[chance.randrange(len(seeds))]
    content, names = mutated(seed.read_bytes(), chance)
    case = Case(
        number=number,
        seed=seed.name,
        mutations=names,
        output=f"out.{chance.choice(OUTPUTS)}",
        effect=chance.choice(EFFECTS),
    )
    return case, content


def run(number: int, seeds: Sequence[Path], folder: Path) -> Outcome:
    """Run a case in ``folder``, which is empty again afterwards unless something was wrong."""
    case, content = case_of(number, seeds)
    place = folder / str(number)
    place.mkdir(parents=True)
    (place / f"in{Path(case.seed).suffix}").write_bytes(content)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_in_child(case, place)
    status, used = _wait(child)
    outcome = _examined(case, place, status, used, time.monotonic() - started)
    if not outcome.faults:
        shutil.rmtree(place)
    return outcome


def _run_in_child(case: Case, place: Path) -> None:
    """Never returns. Standard streams go into a file, and the exit code is the command's."""
    code = 99
    try:
        os.chdir(place)
        printed = os.open("printed.txt", os.O_WRONLY | os.O_CREAT, 0o600)
        for descriptor in (1, 2):
            os.dup2(printed, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = _command([f"in{Path(case.seed).suffix}", "-o", case.output, "--effect", case.effect, "--quiet"])
        if Path(case.output).exists() and not _is_whole(Path(case.output)):
            print("fuzz: the output is not whole", flush=True)
    except BaseException as error:
        print(f"fuzz: {error!r}", flush=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(words: list[str]) -> int:
    from stream.cli import main

    try:
        main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 98


def _is_whole(path: Path) -> bool:
    """Whether all packets of a file can be read and its first frame be decoded."""
    # So short a transport stream is not recognised by its content.
    format_name = "mpegts" if path.suffix == ".ts" else None
    try:
        with av.open(str(path), format=format_name) as container:
            for packet in container.demux():
                if packet.is_corrupt:
                    return False
        with av.open(str(path), format=format_name) as container:
            return next(container.decode(video=0), None) is not None
    except (av.FFmpegError, ValueError, IndexError):
        return False


def _wait(child: int) -> tuple[int, Any]:
    ended = os.pidfd_open(child)
    try:
        if not select.select([ended], [], [], WALL_LIMIT_S)[0]:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(ended)
    _, status, used = os.wait4(child, 0)
    return status, used


def _examined(case: Case, place: Path, status: int, used: Any, seconds: float) -> Outcome:
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    printed = (place / "printed.txt").read_text(errors="replace")
    left = {path.name for path in place.iterdir()} - {"printed.txt", f"in{Path(case.seed).suffix}"}
    faults = []
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        faults.append("hang")
    elif code < 0:
        faults.append(f"signal {-code}")
    elif code not in ALLOWED:
        faults.append(f"exit code {code}")
    if "Traceback" in printed:
        faults.append("traceback")
    if "fuzz: the output is not whole" in printed:
        faults.append("output not whole")
    if left - {case.output}:
        faults.append("files left behind")
    if (case.output in left) != (code in (0, 3)) and code in ALLOWED:
        faults.append("output and exit code disagree")
    if code in (3, 4, 5) and not printed.strip():
        faults.append("no message")
    if used.ru_maxrss * 1024 > RESIDENT_LIMIT:
        faults.append("memory")
    return Outcome(
        case=case,
        code=code,
        message=printed[:1000],
        faults=tuple(faults),
        seconds=seconds,
        resident=used.ru_maxrss * 1024,
    )
