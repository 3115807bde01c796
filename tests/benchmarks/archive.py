"""What rendering in pieces costs: planning, joining, workers, and kills.

    python -m tests.benchmarks.archive [--minutes 30] [--clips DIR] [--job tint|archive] [--only plan|overhead|kills]

A film of 640x360 is made of shots of the demo clip and of the clips in DIR, looped in random order with a cut at every
joint. The job is a tint, the cheapest that analyses faces, or the preset ``archive`` on the film in gray, what pieces
are meant for. Each part is stored as soon as it is measured, so that parts can be measured one by one:

- ``plan``: CPU and wall time of bare decoding with all threads (PyAV), of reading the film as every job does, and of
  planning, by turns; what planning adds to reading is compared with bare decoding;
- ``overhead``: wall and CPU time of one uninterrupted job, of pieces in one process, and of pieces in two processes, by
  turns, with the peak memory of the workers in each third of the time;
- ``kills``: wall time of a run that gets ``kill -9`` at ten random times, or ``--kills N``, and is started again each
  time, over one that is left alone, and whether both films hold the same packets.

Prints a table and exits with 1 where a limit is missed.
"""

import argparse
import hashlib
import json
import multiprocessing
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av

from stream.archive.film import FilmJob, plan
from stream.archive.run import run_films
from stream.job import Job
from stream.media.source import VideoSource
from stream.presets import read_preset
from stream.settings import job_settings, layered
from tests.benchmarks.archive_film import make_film
from tests.machine_info import environment

JOBS: Final[dict[str, dict[str, Any]]] = {
    "tint": {"effect": "tint"},
    "archive": read_preset("archive").values,
}
OVERWRITING: Final = {"output": {"overwrite": True}}
PARTS: Final = ("plan", "overhead", "kills")
SEED: Final = 19
POLL_S: Final = 0.2
"""How often the memory of processes is read."""
LIMITS: Final = {"plan": 0.15, "overhead": 1.05, "two_workers": 1.0, "memory_growth": 1.1, "kills": 1.15}
RECORD: Final = Path(__file__).with_suffix(".json")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clips", type=Path, help="folder of clips to take shots from, beside the demo clip")
    parser.add_argument("--job", choices=JOBS, default="tint")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part, and keep the others")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RECORD)
    options = parser.parse_args()
    parts: dict[str, Callable[[Subject, int], dict[str, Any]]] = {
        "plan": measure_plan,
        "overhead": measure_overhead,
        "kills": measure_kills,
    }
    found = json.loads(options.out.read_text()) if options.out.exists() else {}
    own = found.get(options.job, {}) if options.only else {}
    with tempfile.TemporaryDirectory() as name:
        is_gray = options.job == "archive"
        path, seconds = Path(name) / "film.mp4", 60 * options.minutes
        film = make_film(path, seconds=seconds, clips=options.clips, seed=SEED, is_gray=is_gray)
        subject = Subject(film=film, values=layered(JOBS[options.job], OVERWRITING), kills=options.kills)
        for part in options.only or PARTS:
            own[part] = {"minutes": options.minutes, **parts[part](subject, options.rounds)}
            found |= {"environment": environment(), options.job: own}
            options.out.write_text(json.dumps(found, indent=2) + "\n")
    print("\n".join(table(own)))
    return 0 if all(holds for *_, holds in verdicts(own)) else 1


@dataclass(frozen=True)
class Subject:
    """What is rendered, how, and how often the run is killed."""

    film: Path
    values: Mapping[str, Any]
    kills: int

    def output(self, name: str) -> Path:
        return self.film.with_name(name)


# Planning.


def measure_plan(subject: Subject, rounds: int) -> dict[str, Any]:
    """Median seconds of decoding, reading and planning, and what planning adds to reading, over decoding."""
    film = subject.film
    spent: dict[str, list[tuple[float, float]]] = {"decode": [], "read": [], "plan": []}
    for number in range(max(3, rounds)):
        job = FilmJob(input=film, output=subject.output(f"planned-{number}.mp4"), values=subject.values)
        spent["decode"].append(timed(lambda: decode(film)))
        spent["read"].append(timed(lambda: read(film)))
        spent["plan"].append(timed(lambda job=job: plan(job)))
    found: dict[str, Any] = {}
    for index, kind in enumerate(("cpu", "wall")):
        seconds = {name: statistics.median(run[index] for run in runs) for name, runs in spent.items()}
        found |= {f"{name}_{kind}_s": round(value, 2) for name, value in seconds.items()}
        found[f"added_{kind}"] = round((seconds["plan"] - seconds["read"]) / seconds["decode"], 3)
        found[f"over_decoding_{kind}"] = round(seconds["plan"] / seconds["decode"], 3)
    return found


def decode(film: Path) -> None:
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for _ in container.decode(stream):
            pass


def read(film: Path) -> None:
    source = VideoSource(str(film))
    for _ in source.units():
        pass
    source.close()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the CPU and of the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


# Whole runs, each in a process of its own.


def render_whole(subject: Subject, output: Path) -> None:
    with Job(job_settings(subject.values, input=str(subject.film), output=str(output))) as job:
        for _ in job:
            pass


def render_pieces(subject: Subject, output: Path, workers: int) -> None:
    job = FilmJob(input=subject.film, output=output, values=subject.values)
    (result,) = run_films([job], workers=workers)
    if result.ending != "done":
        raise RuntimeError(f"the film ended {result.ending}: {result.error}")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A run that was watched from outside."""

    seconds: float
    cpu_seconds: float
    """Of the process and of those below it."""
    peaks_mb: tuple[float, ...]
    """The largest process in each third of the time."""

    @property
    def growth(self) -> float:
        """The last third over the second: the first one also starts processes."""
        return self.peaks_mb[2] / self.peaks_mb[1]


def watched(target: Callable[..., None], *arguments: object, kill_after_s: float | None = None) -> Watched | None:
    """Run it in a process, and watch its memory; ``None`` where it was killed before its end."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    start, cpu, readings = time.perf_counter(), cpu_of_children(), list[float]()
    process.start()
    while process.is_alive():
        process.join(POLL_S)
        readings.append(max((resident_mb(pid) for pid in tree(process.pid or 0)), default=0.0))
        if kill_after_s is not None and time.perf_counter() - start >= kill_after_s and process.is_alive():
            process.kill()
            process.join()
            return None
    if process.exitcode != 0:
        raise RuntimeError(f"the run ended with {process.exitcode}")
    third = max(1, len(readings) // 3)
    peaks = (readings[:third], readings[third : 2 * third], readings[2 * third :])
    return Watched(
        seconds=time.perf_counter() - start,
        cpu_seconds=cpu_of_children() - cpu,
        peaks_mb=tuple(round(max(part, default=0.0)) for part in peaks),
    )


def cpu_of_children() -> float:
    """Seconds of all processes below this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree(pid: int) -> Iterator[int]:
    """A process and all below it, as Linux tells them."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text().split()
        except OSError:
            continue
        for child in below:
            yield from tree(int(child))


def resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * 4096 / 1e6


def finished(target: Callable[..., None], *arguments: object) -> Watched:
    run = watched(target, *arguments)
    assert run is not None
    return run


def measure_overhead(subject: Subject, rounds: int) -> dict[str, Any]:
    """Wall seconds of the film in one run, and in pieces by one and by two workers."""
    output = subject.output("out.mp4")
    runs: dict[str, list[Watched]] = {"whole": [], "pieces_1": [], "pieces_2": []}
    for _ in range(rounds):
        runs["whole"].append(finished(render_whole, subject, output))
        runs["pieces_1"].append(finished(render_pieces, subject, output, 1))
        runs["pieces_2"].append(finished(render_pieces, subject, output, 2))
    seconds = {name: statistics.median(run.seconds for run in each) for name, each in runs.items()}
    cpu = {name: statistics.median(run.cpu_seconds for run in each) for name, each in runs.items()}
    return {
        **{f"{name}_s": round(value, 1) for name, value in seconds.items()},
        **{f"{name}_cpu_s": round(value, 1) for name, value in cpu.items()},
        **{f"{name}_peaks_mb": each[-1].peaks_mb for name, each in runs.items()},
        "memory_growth": round(max(each[-1].growth for each in runs.values()), 3),
        "overhead": round(seconds["pieces_1"] / seconds["whole"], 3),
        "overhead_cpu": round(cpu["pieces_1"] / cpu["whole"], 3),
        "two_workers": round(seconds["pieces_2"] / seconds["pieces_1"], 3),
    }


# Kills.


def measure_kills(subject: Subject, rounds: int) -> dict[str, Any]:
    """Wall seconds of a run that is killed and started again, over one that is not."""
    left_alone = subject.output("left-alone.mp4")
    unkilled = finished(render_pieces, subject, left_alone, 1).seconds
    killed, output = list[float](), subject.output("killed.mp4")
    for number in range(rounds):
        output.unlink(missing_ok=True)
        killed.append(killed_run(subject, output, unkilled, random.Random(SEED + number)))
    return {
        "kills": subject.kills,
        "unkilled_s": round(unkilled, 1),
        "killed_s": round(statistics.median(killed), 1),
        "ratio": round(statistics.median(killed) / unkilled, 3),
        "equal": packets_sha256(output) == packets_sha256(left_alone),
    }


def killed_run(subject: Subject, output: Path, unkilled: float, rng: random.Random) -> float:
    """Seconds in all. The kills divide the time of the unkilled run at random."""
    times = sorted(rng.uniform(0, unkilled) for _ in range(subject.kills))
    start = time.perf_counter()
    for before, after in zip([0.0, *times], times, strict=False):
        if watched(render_pieces, subject, output, 1, kill_after_s=after - before) is not None:
            raise RuntimeError("the film was finished before its last kill: choose a longer one")
    finished(render_pieces, subject, output, 1)
    return time.perf_counter() - start


def packets_sha256(path: Path) -> str:
    """Of all packets with their times."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux():
            digest.update(f"{packet.stream.index} {packet.pts} {packet.dts} ".encode() + bytes(packet))
    return digest.hexdigest()


# The table.


def verdicts(found: dict[str, Any]) -> Iterator[tuple[str, float, float, bool]]:
    """What was measured, its value, its limit, and whether it holds."""
    rows = (
        ("planning beyond reading, CPU", "plan", "added_cpu", "plan"),
        ("planning beyond reading, wall", "plan", "added_wall", "plan"),
        ("pieces over one run, one worker", "overhead", "overhead", "overhead"),
        ("the same, CPU", "overhead", "overhead_cpu", "overhead"),
        ("two workers over one", "overhead", "two_workers", "two_workers"),
        ("memory, last third over second", "overhead", "memory_growth", "memory_growth"),
        ("kills over none", "kills", "ratio", "kills"),
    )
    for what, part, name, limit in rows:
        if part in found:
            yield what, found[part][name], LIMITS[limit], found[part][name] <= LIMITS[limit]
    if "kills" in found:
        yield "killed film differs (1: yes)", float(not found["kills"]["equal"]), 0.0, found["kills"]["equal"]


def table(found: dict[str, Any]) -> Iterator[str]:
    yield f"{'':<34}{'measured':>9}{'limit':>8}"
    for what, value, limit, holds in verdicts(found):
        yield f"{what:<34}{value:>9.3f}{limit:>8.2f}{'' if holds else '  missed'}"


if __name__ == "__main__":
    sys.exit(main())
