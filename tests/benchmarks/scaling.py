"""How the cost of a frame grows with its causes: faces, pixels, and passes of Monte Carlo dropout.

    python -m tests.benchmarks.scaling --clips DIR [--rounds 3] [--quick] [--out FILE.json] [--plot FILE.png]

Each cost is measured alone (``tests.benchmarks.scaling_costs``) in CPU milliseconds of all threads, with wall time
beside it; medians of rounds that go through all sizes of a cause:

- the analysis of a frame of 1920x1080 with 0, 1, 4 and 16 faces: detected, tracked, classified with T = 10;
- effects on a frame of 360 to 2160 lines, 16:9, 4:2:0 of 8 bits: tint of the frame and of a face, grade, style, and
  colorize at its usual rate; the analysis of one face; for comparison, bare decoding and encoding (x264 veryfast, crf
  23);
- a classifier on one face with T from 1 to 50.

No cost may grow faster than its cause: the exponent, which is the slope of a straight line through the logarithms of
cost and cause, may be ``BOUND`` at most. For faces it is that of what they add to a frame without any; for frames the
cause is their pixels. Beside it stands the steepest step between neighbouring sizes, in which caches show.

Prints tables, writes JSON and draws the plot; exits with 1 if a cost grows too fast. ``--quick`` tries everything out
in one round of fewer sizes and writes only the files that are named. Needs matplotlib.
"""

import argparse
import importlib.util
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from emocolor.errors import ConfigurationError, EmocolorError, MissingDependencyError, SinkError
from tests.benchmarks.__main__ import machine
from tests.benchmarks.scaling_costs import Cause, Cost, Footage, Rounds, Stopwatch, costs, size_of
from training.records import write_json

CLIP: Final = "bench_1080p_face.mp4"
RECORD: Final = Path(__file__).with_suffix(".json")
PLOT: Final = Path(__file__).parents[2] / "docs" / "scaling.png"

SIZES: Final[dict[Cause, tuple[int, ...]]] = {
    "faces": (0, 1, 4, 16),
    "lines": (360, 480, 720, 1080, 1440, 2160),
    "passes": (1, 2, 5, 10, 20, 50),
}
QUICK_SIZES: Final[dict[Cause, tuple[int, ...]]] = {"faces": (0, 1, 4), "lines": (360, 720), "passes": (1, 10)}
BOUND: Final = 1.1
"""Largest exponent: a tenth is left to caches and to noise."""
OF: Final[dict[Cause, str]] = {"faces": "an analysis", "lines": "a frame", "passes": "a face"}
"""The unit of a cost."""
BY: Final[dict[Cause, str]] = {"faces": "faces", "lines": "lines of the frame", "passes": "T"}
COLORS: Final = ("#0b3c8c", "#b3261e", "#1b7a3d", "#7a3fa0", "#c26a00", "#00757f")
COMPARED: Final = "#444444"


def measure(cost: Cost, sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Milliseconds per frame at each size, medians over the rounds. Raises what the cost's work raises."""
    cpu: dict[int, list[float]] = {size: [] for size in sizes}
    wall: dict[int, list[float]] = {size: [] for size in sizes}
    with ExitStack() as stack:
        works = {size: stack.enter_context(cost.ready(size)) for size in sizes}
        for _ in range(rounds):
            for size, work in works.items():
                watch = Stopwatch()
                frames = work(watch)
                cpu[size].append(1000 * watch.cpu / frames)
                wall[size].append(1000 * watch.wall / frames)
    cpu_ms = [statistics.median(cpu[size]) for size in sizes]
    exponent, steepest = growth(cost.cause, sizes, cpu_ms)
    return {
        "name": cost.name,
        "cause": cost.cause,
        "sizes": list(sizes),
        "cpu_ms": [round(ms, 3) for ms in cpu_ms],
        "wall_ms": [round(statistics.median(wall[size]), 3) for size in sizes],
        "exponent": round(exponent, 3),
        "steepest": round(steepest, 3),
        "ours": cost.ours,
    }


def growth(cause: Cause, sizes: Sequence[int], ms: Sequence[float]) -> tuple[float, float]:
    """The exponent with which a cost grows with its cause, and the exponent of its steepest step."""
    much, spent = np.array([amount(cause, size) for size in sizes], float), np.array(ms)
    if cause == "faces":
        much, spent = much[1:], spent[1:] - spent[0]
    causes, logarithms = np.log(much), np.log(np.maximum(spent, 1e-6))
    steps = np.diff(logarithms) / np.diff(causes)
    return float(np.polyfit(causes, logarithms, 1)[0]), float(steps.max())


def amount(cause: Cause, size: int) -> int:
    """The amount of the cause at a size: faces, pixels or passes."""
    width, height = size_of(size)
    return width * height if cause == "lines" else size


def too_fast(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each cost of ours that grows faster than its cause."""
    for row in found:
        if row["ours"] and not row["exponent"] <= BOUND:
            what = "pixels" if row["cause"] == "lines" else row["cause"]
            yield f"{row['name']} grows as {what} to the power of {row['exponent']:.2f}, more than {BOUND:g}."


def tables(found: Sequence[Mapping[str, Any]]) -> str:
    """The costs in Markdown, a table for each cause."""
    return "\n\n".join("\n".join(table(cause, [row for row in found if row["cause"] == cause])) for cause in SIZES)


def table(cause: Cause, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    sizes = rows[0]["sizes"]
    yield f"| CPU ms {OF[cause]}, by {BY[cause]} | {' | '.join(labels(cause, sizes))} | exponent | steepest step |"
    yield "|---" * (len(sizes) + 3) + "|"
    for row in rows:
        spent = " | ".join(f"{ms:.3g}" for ms in row["cpu_ms"])
        yield f"| {row['name']} | {spent} | {row['exponent']:.2f} | {row['steepest']:.2f} |"


def labels(cause: Cause, sizes: Sequence[int]) -> list[str]:
    """Sizes as people name them."""
    return [f"{size}p" if cause == "lines" else f"{size}" for size in sizes]


def draw(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The plot: costs over their causes, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure, panels = plt.subplots(1, len(SIZES), figsize=(14, 6), layout="constrained")
        for axes, cause in zip(panels, SIZES, strict=True):
            draw_panel(axes, cause, [row for row in found if row["cause"] == cause])
        figure.savefig(path, dpi=90, format="png")
        plt.close(figure)


def draw_panel(axes: Any, cause: Cause, rows: Sequence[Mapping[str, Any]]) -> None:
    """Costs of one cause, the highest first in the legend, and a line as steep as the cause itself."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    colors, dashes = iter(COLORS), iter(("--", "-."))
    axes.set(xscale="log", yscale="log", xlabel=BY[cause], ylabel=f"CPU ms {OF[cause]}")
    for row in sorted(rows, key=lambda row: -row["cpu_ms"][-1]):
        sizes, spent = row["sizes"], row["cpu_ms"]
        if cause == "faces":  # a logarithmic axis has no place for none
            axes.axhline(spent[0], color=COMPARED, linestyle="--", label=f"without a face: {spent[0]:.3g} ms")
            sizes, spent = sizes[1:], spent[1:]
        much = [amount(cause, size) for size in sizes]
        style = {"color": next(colors)} if row["ours"] else {"color": COMPARED, "linestyle": next(dashes)}
        axes.plot(much, spent, marker="o", markersize=4, label=f"{row['name']} ({row['exponent']:.2f})", **style)
        axes.set_xticks(much, labels(cause, sizes))
    low, high = axes.get_ylim()
    slope = math.sqrt(low * high / (much[0] * much[-1]))
    axes.plot(much, [slope * one for one in much], color="black", linestyle=":", label="in proportion (1)")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.minorticks_off()
    axes.legend(
        frameon=False, fontsize=10, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14), title="cost (exponent)"
    )


def run(clips: Path, rounds: int, quick: bool) -> dict[str, Any]:
    """Measure all costs, with a line on stderr for each. Raises ``EmocolorError`` if something cannot be used."""
    footage, found = Footage(clips / CLIP), []
    for cost in costs(footage, Rounds()):
        found.append(measure(cost, (QUICK_SIZES if quick else SIZES)[cost.cause], rounds))
        print(f"measured {cost.name}, by {BY[cost.cause]}", file=sys.stderr)
    return {"machine": machine(), "clip": CLIP, "rounds": rounds, "costs": found}


def check(rounds: int, outputs: Sequence[Path]) -> None:
    """Raise an ``EmocolorError`` for what can be known to be wrong before anything is opened."""
    if rounds < 1:
        raise ConfigurationError(f"--rounds must be at least 1, got {rounds}.")
    for path in outputs:
        if not path.parent.is_dir():
            raise SinkError(f"Cannot write {path}: there is no folder {path.parent}.")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependencyError("The plot needs matplotlib: pip install 'emocolor-stream[train]'.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help=f"folder with {CLIP}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of few sizes, to try it out")
    parser.add_argument("--out", type=Path, help=f"where the metrics go (default: {RECORD.name} beside this script)")
    parser.add_argument("--plot", type=Path, help=f"where the plot goes (default: docs/{PLOT.name})")
    given = parser.parse_args()
    rounds = 1 if given.quick else given.rounds
    out, plot = given.out or (None if given.quick else RECORD), given.plot or (None if given.quick else PLOT)
    try:
        check(rounds, [path for path in (out, plot) if path])
        found = run(given.clips, rounds, given.quick)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    if out:
        write_json(out, found)
    if plot:
        draw(found["costs"], plot)
    print(tables(found["costs"]))
    fast = list(too_fast(found["costs"]))
    parser.exit(1 if fast else 0, "".join(f"error: {line}\n" for line in fast))


if __name__ == "__main__":
    main()
