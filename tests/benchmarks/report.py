"""Measurements as text: for the terminal, and for the README."""

from collections.abc import Iterator
from typing import Any


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What ``python -m tests.benchmarks`` prints."""
    yield f"{found['machine']['processor']}, {found['machine']['cores']} cores"
    yield f"{'clip':<8}{'bare s':>8}{'job s':>8}{'ratio':>8}{'cold s':>8}{'peak MB':>9}"
    for size, row in found["job_over_transcode"].items():
        yield (
            f"{size:<8}{row['bare_s']['median']:>8.2f}{row['job_s']['median']:>8.2f}{row['ratio']:>8.3f}"
            f"{row['cold_start_s']['median']:>8.2f}{row['peak_mb']:>9.0f}"
        )
    for size, row in found["job_over_transcode"].items():
        for what, ratio in row["where_it_goes"].items():
            yield f"{size}, {what}: {ratio:.3f}"
    for size, row in found["memory"].items():
        one, ten, growth = row["one_mb"], row["ten_times_mb"], row["growth"]
        yield f"memory {size}: {one:.0f} MB, ten times as long {ten:.0f} MB ({growth:+.1%})"
    for what, row in found["faces"].items():
        yield f"analysis, {what}: {row['faces_per_s']:.0f} faces/s, {row['ms_per_analysis']:.1f} ms an analysis"


def readme_table(found: dict[str, Any]) -> str:
    """The README's table of costs."""
    rows = [
        "| clip, one face | whole job over a bare transcode | cold start to first frame | peak memory |",
        "|---|---|---|---|",
    ]
    for size, row in found["job_over_transcode"].items():
        cold = row["cold_start_s"]["median"]
        rows.append(f"| {size}, 30 fps | {row['ratio']:.2f} | {cold:.1f} s | {row['peak_mb']:.0f} MB |")
    rows += ["", "| the same with | " + " | ".join(found["job_over_transcode"]) + " |"]
    rows.append("|---|" + "---|" * len(found["job_over_transcode"]))
    for name in next(iter(found["job_over_transcode"].values()))["where_it_goes"]:
        ratios = (f"{row['where_it_goes'][name]:.2f}" for row in found["job_over_transcode"].values())
        rows.append(f"| {name} | {' | '.join(ratios)} |")
    return "\n".join(rows)
