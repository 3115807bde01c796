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
    for size, row in found["job_over_transcode"].items():
        parts = ", ".join(f"{name} {ms:.2f}" for name, ms in row["cpu_ms_per_frame"].items())
        yield f"{size}, CPU ms per frame: {parts}"
    for size, ratio in found["a_minute"].items():
        yield f"{size}, a minute of film: {ratio:.3f}"
    for size, row in found["memory"].items():
        one, ten, growth = row["minute_1_mb"], row["minute_10_mb"], row["growth"]
        yield f"memory {size}: {one:.0f} MB at minute one, {ten:.0f} MB at minute ten ({growth:+.1%})"
    for what, row in found["faces"].items():
        yield f"analysis, {what}: {row['faces_per_s']:.0f} faces/s, {row['ms_per_analysis']:.1f} ms an analysis"


def readme_table(found: dict[str, Any]) -> str:
    """The README's tables of costs."""
    whole = found["job_over_transcode"]
    rows = [
        "| clip, one face | job over a bare transcode | a minute of it | cold start to first frame | peak memory |",
        "|---|---|---|---|---|",
    ]
    for size, row in whole.items():
        cold, minute = row["cold_start_s"]["median"], found["a_minute"][size]
        rows.append(f"| {size}, 30 fps | {row['ratio']:.2f} | {minute:.2f} | {cold:.1f} s | {row['peak_mb']:.0f} MB |")
    rows += _by_size("the same with", whole, "where_it_goes")
    rows += _by_size("CPU ms per frame", whole, "cpu_ms_per_frame")
    return "\n".join(rows)


def _by_size(title: str, whole: dict[str, Any], key: str) -> list[str]:
    """A table with a column a size, of what every size has under ``key``."""
    rows = ["", f"| {title} | {' | '.join(whole)} |", "|---|" + "---|" * len(whole)]
    for name in next(iter(whole.values()))[key]:
        cells = (f"{row[key][name]:.2f}" for row in whole.values())
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows
