"""Run many cases: ``python -m tests.fuzz --count 10000 --jobs 2 --results tests/fuzz/results.json``.

``--only NUMBER --keep FOLDER`` runs one again and keeps its files. With ``EMOCOLOR_CASES`` the files that the scripts
of that folder make are mutated too.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.fuzz.file_job import ALLOWED, Outcome, prepare, run
from tests.fuzz.seeds import make_seeds

MOST_EXAMPLES = 5
"""Numbers of cases that are kept for each kind of fault."""


def numbers_of(arguments: argparse.Namespace, job: int) -> Iterator[int]:
    """The cases of one of several jobs, until the time is up."""
    deadline = time.monotonic() + arguments.seconds
    for number in range(arguments.start + job, arguments.start + arguments.count, arguments.jobs):
        if time.monotonic() > deadline:
            return
        yield number


def run_all(arguments: argparse.Namespace, seeds: Sequence[Path], folder: Path) -> list[dict[str, Any]]:
    """The outcomes of all cases, from as many processes as there are jobs."""
    pipes = []
    for job in range(arguments.jobs):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            with open(writing, "w") as lines:
                for number in numbers_of(arguments, job):
                    print(json.dumps(asdict(run(number, seeds, folder))), file=lines, flush=True)
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    with ThreadPoolExecutor(len(pipes)) as readers:  # a job waits while its pipe is full
        found = [outcome for part in readers.map(outcomes_in, pipes) for outcome in part]
    for _ in pipes:
        os.wait()
    return found


def outcomes_in(pipe: int) -> list[dict[str, Any]]:
    """What a job writes until its end."""
    with open(pipe) as lines:
        return [json.loads(line) for line in lines]


def kind_of(message: str) -> str:
    """The last line of a message without names, numbers and times, so that alike ones count together."""
    lines = [line for line in message.splitlines() if line.strip()]
    text = re.sub(r"(/\S+/)?\b(in|out)\.\w+", "FILE", lines[-1] if lines else "")
    return re.sub(r"\d+([.:]\d+)*", "N", text)[:160]


def summary_of(outcomes: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> dict[str, Any]:
    """Classes of results, with the faults and examples of them."""
    faults: dict[str, list[int]] = {}
    for outcome in outcomes:
        for fault in outcome["faults"]:
            faults.setdefault(fault, []).append(outcome["case"]["number"])
    by_mutation: dict[str, Counter[int]] = {}
    for outcome in outcomes:
        for name in set(outcome["case"]["mutations"]):
            by_mutation.setdefault(name, Counter())[outcome["code"]] += 1
    codes = Counter(outcome["code"] for outcome in outcomes)
    return {
        "cases": len(outcomes),
        "first": arguments.start,
        "seeds": len({outcome["case"]["seed"] for outcome in outcomes}),
        "codes": {f"{code} {ALLOWED.get(code, '')}".strip(): count for code, count in sorted(codes.items())},
        "by_mutation": {
            name: {str(code): count for code, count in sorted(counts.items())}
            for name, counts in sorted(by_mutation.items())
        },
        "messages": dict(Counter(kind_of(outcome["message"]) for outcome in outcomes).most_common(40)),
        "largest_resident_megabytes": round(max(outcome["resident"] for outcome in outcomes) / 2**20),
        "faults": {
            name: {"cases": len(numbers), "examples": sorted(numbers)[:MOST_EXAMPLES]}
            for name, numbers in sorted(faults.items())
        },
    }


def main() -> int:
    """Run the cases; 0 where nothing was wrong, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--count", type=int, default=1000, help="how many cases")
    parser.add_argument("--only", type=int, action="append", default=[], help="run this case, and print how it ended")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no case after that time")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--keep", type=Path, help="folder for files of cases with faults")
    parser.add_argument("--seeds", type=Path, help="folder in which the files to mutate are kept for the next run")
    parser.add_argument("--results", type=Path, help="where the summary goes, as JSON")
    arguments = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":  # libraries start their threads when they are imported
        os.environ["OMP_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "tests.fuzz", *sys.argv[1:]])
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        seeds = make_seeds(arguments.seeds or Path(folder) / "seeds")
        place = arguments.keep or Path(folder) / "cases"
        prepare(seeds[0], Path(folder))
        if arguments.only:
            outcomes: list[Outcome] = [run(number, seeds, place) for number in arguments.only]
            print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
            return int(any(outcome.faults for outcome in outcomes))
        summary = summary_of(run_all(arguments, seeds, place), arguments)
    text = json.dumps(summary, indent=2) + "\n"
    if arguments.results:
        arguments.results.write_text(text)
    sys.stdout.write(text)
    return int(bool(summary["faults"]))


if __name__ == "__main__":
    raise SystemExit(main())
