"""What a cluster costs: Ray beside plain processes, and the work of which whole archives consist.

    python -m tests.benchmarks.cluster [--minutes 10] [--clips DIR] [--only ray|costs] [--out cluster.json]

Each part is stored as soon as it is measured:

- ``ray``: the pieces of one film, rendered by two processes and by Ray on this machine with one core for each piece, by
  turns: wall time, and CPU time of all processes, without the start of Ray, which is told apart;
- ``costs``: CPU seconds that a second of film takes, by effect and size, with the peak memory of the process that
  renders it; and what planning and joining take in the process that starts the work.

From the costs follow core hours, and the hours that so many cores take for 10,000 hours of film.
"""

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from stream.archive.executors import Executor, Processes
from stream.archive.film import FilmJob, join, plan, render
from stream.archive.planning import PieceLengths
from stream.archive.remote.ray_cluster import LOCAL, RayCluster, connected
from stream.demo.clip import make_demo_clip
from tests.benchmarks.archive import tree
from tests.benchmarks.archive_film import make_film
from tests.machine_info import environment

EFFECTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "tint": {"effect": "tint"},
    "colorize": {"effect": "colorize", "colorize": {"force": True}},
    "style": {"effect": "style"},
}
SMALL: Final = (640, 360)
LARGE: Final = (1920, 1080)
CASES: Final = (("tint", SMALL), ("tint", LARGE), ("colorize", SMALL), ("colorize", LARGE), ("style", SMALL))
SHARED: Final = {"output": {"codec": "libx264", "preset": "veryfast", "overwrite": True}}
SECONDS: Final = 4
"""Of film, for each effect and size."""
ARCHIVE_HOURS: Final = 10_000
CORES: Final = (64, 256, 1024)
OVERHEAD_LIMIT: Final = 1.05
SEED: Final = 19
RECORD: Final = Path(__file__).with_suffix(".json")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clips", type=Path, help="folder of clips to take shots from, beside the demo clip")
    parser.add_argument(
        "--only", choices=("ray", "costs"), action="append", help="measure this part, and keep the other"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RECORD)
    options = parser.parse_args()
    found = json.loads(options.out.read_text()) if options.only and options.out.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        for part in options.only or ("ray", "costs"):
            if part == "ray":
                film = make_film(Path(name) / "film.mp4", seconds=60 * options.minutes, clips=options.clips, seed=SEED)
                measured = {"minutes": options.minutes, **measure_ray(film, options.rounds)}
            else:
                measured = measure_costs(Path(name))
            found = {"environment": environment(), **found, part: measured}
            options.out.write_text(json.dumps(found, indent=2) + "\n")
    print("\n".join(table(found)))
    return 0 if "ray" not in found or found["ray"]["overhead"] <= OVERHEAD_LIMIT else 1


# Ray beside processes.


def measure_ray(film: Path, rounds: int) -> dict[str, Any]:
    """Median wall and CPU seconds of all pieces of the film, by each."""
    start = time.perf_counter()
    connected(LOCAL)
    start_s = time.perf_counter() - start
    executors: dict[str, Executor] = {"processes": Processes(2), "ray": RayCluster(LOCAL)}
    wall: dict[str, list[float]] = {name: [] for name in executors}
    cpu: dict[str, list[float]] = {name: [] for name in executors}
    for number in range(rounds):
        for name, executor in executors.items():
            job = FilmJob(
                input=film, output=film.with_name(f"{name}-{number}.mp4"), values={**EFFECTS["tint"], **SHARED}
            )
            pieces = [piece.index for piece in plan(job).pieces]
            begun, used = time.perf_counter(), _cpu_of_tree()
            if sorted(executor.finished(job, pieces)) != pieces:
                raise RuntimeError("pieces are missing")
            wall[name].append(round(time.perf_counter() - begun, 1))
            cpu[name].append(round(_cpu_of_tree() - used, 1))
    (processes_s, ray_s), (processes_cpu_s, ray_cpu_s) = (map(statistics.median, each.values()) for each in (wall, cpu))
    return {
        "pieces": len(pieces),
        "ray_start_s": round(start_s, 1),
        "wall_s": wall,
        "cpu_s": cpu,
        "overhead": round(ray_s / processes_s, 3),
        "overhead_cpu": round(ray_cpu_s / processes_cpu_s, 3),
    }


def _cpu_of_tree() -> float:
    """Seconds of this process, of all below it, and of those that have ended there."""
    ticks = 0
    for pid in tree(os.getpid()):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


# Costs.


def measure_costs(folder: Path) -> dict[str, Any]:
    """CPU seconds for each second of film, and memory in MB, each in a process of its own."""
    found: dict[str, Any] = {}
    for name, (width, height) in CASES:
        film = folder / f"{width}.mp4"
        if not film.exists():
            make_demo_clip(film, seconds=SECONDS, size_wh=(width, height))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[f"{name} {width}x{height}"] = pool.apply(costs_of, (film, {**EFFECTS[name], **SHARED}))
    return found


def costs_of(film: Path, values: Mapping[str, Any]) -> dict[str, float]:
    """Of one piece on one core, rendered a second time: loading nets is no part of it."""
    job = FilmJob(input=film, output=film.with_name("cost.mp4"), values=values)
    job.output.unlink(missing_ok=True)
    planned = _cpu_seconds()
    manifest = plan(job, lengths=PieceLengths(least=Fraction(SECONDS), most=Fraction(SECONDS)))
    begun = _cpu_seconds()
    render(job, 0, cores=1)
    loaded = _cpu_seconds()
    render(job, 0, cores=1)
    rendered = _cpu_seconds()
    for piece in manifest.pieces[1:]:
        render(job, piece.index, cores=1)
    joining = _cpu_seconds()
    join(manifest, job)
    film_s = manifest.seconds_of(manifest.pieces[0])
    return {
        "render_s": round((rendered - loaded) / film_s, 3),
        "load_s": round((loaded - begun) - (rendered - loaded), 2),
        "plan_s": round((begun - planned) / film_s, 4),
        "join_s": round((_cpu_seconds() - joining) / film_s, 4),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
    }


def _cpu_seconds() -> float:
    return time.process_time()


# The model.


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What an archive takes on a cluster."""

    core_hours: float
    hours: float
    """With so many cores, all busy."""
    drivers: int
    """Processes that plan and join, each with one core and films of its own, so that the cores stay busy."""


def estimate(
    costs: Mapping[str, float], *, film_hours: float, cores: int, overhead: float = OVERHEAD_LIMIT
) -> Estimate:
    """Rendering divides evenly among cores, with ``overhead`` for pieces and Ray; drivers plan and join."""
    rendering = film_hours * costs["render_s"] * overhead
    driving = film_hours * (costs["plan_s"] + costs["join_s"])
    hours = rendering / cores
    return Estimate(core_hours=rendering + driving, hours=hours, drivers=max(1, math.ceil(driving / hours)))


# The table.


def table(found: Mapping[str, Any]) -> Iterator[str]:
    if "ray" in found:
        ray = found["ray"]
        yield f"{ray['pieces']} pieces by Ray over two processes: {ray['overhead']:.3f}, CPU {ray['overhead_cpu']:.3f}"
        yield f"Ray starts in {ray['ray_start_s']} s"
    for name, costs in found.get("costs", {}).items():
        estimates = [estimate(costs, film_hours=ARCHIVE_HOURS, cores=cores) for cores in CORES]
        days = ", ".join(f"{one.hours / 24:.1f} days on {cores}" for one, cores in zip(estimates, CORES, strict=True))
        yield (
            f"{name}: {costs['render_s']} core s per second of film, {costs['peak_mb']} MB; {ARCHIVE_HOURS} hours of "
            f"film: {estimates[0].core_hours:,.0f} core hours, {days} cores"
        )


if __name__ == "__main__":
    sys.exit(main())
