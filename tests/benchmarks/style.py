"""What painting in styles costs, as ratios and times measured in one run on one machine.

    python -m tests.benchmarks.style --clips DIR [--out FILE.json] [--rounds 5]

- ``job_over_transcode``: wall time of the whole job with ``--effect style`` over a bare PyAV transcode of the same clip
  with the same encoder settings, rounds interleaved, medians; and frames per second of the job. The clip has one face
  and is scaled to 640x360 first. Rows: as it is by default, following the face's emotion; one fixed style, for which
  no face is analysed; the net in bfloat16; and one frame at a time in place of one for each core.
- ``ms_per_frame``: where the time goes with a fixed style, stage after stage in one thread, the net on one thread
  too: wall milliseconds per frame of each, and the net's own share of rendering.
- ``memory``: peak resident memory of the job on the clip and on ten of it in a row.

Prints a table and writes JSON with the machine and the versions.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from emocolor.cuts import CutDetector
from emocolor.effects import Style, StyleOptions
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from engines.style import NetStyleTransfer, load_style_transfer
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource
from stream.pipeline import analysis, rendering
from tests.benchmarks.__main__ import machine, repeat_clip, run_bare, run_script
from tests.benchmarks.colorize import Timed

SIZE_WH = (640, 360)
ROWS: dict[str, dict[str, Any]] = {
    "by default": {"options": {}},
    "one fixed style": {"options": {"fixed": {"sad": 1.0}}},
    "one fixed style, net in bf16": {"options": {"fixed": {"sad": 1.0}, "precision": "bf16"}},
    "one fixed style, a frame at a time": {"options": {"fixed": {"sad": 1.0}}, "at_once": 1},
}

JOB = """
import asyncio, json, resource, sys, time
import stream.graph
from emocolor.effects import StyleOptions
from stream import JobSettings, SinkOptions, Job
from stream.settings import AnalysisOptions

row = json.loads(sys.argv[3])
stream.graph.MAX_WORKERS = row.get("at_once", stream.graph.MAX_WORKERS)
options = StyleOptions(**row["options"])

async def run():
    settings = JobSettings(input=sys.argv[1], output=sys.argv[2], effects=(options,),
                           analysis=AnalysisOptions() if "faces" in options.needs else None,
                           sink=SinkOptions(preset="veryfast", crf=23, overwrite=True))
    opened, frames = time.monotonic(), 0
    async with await Job.open(settings) as job:
        async for step in job:
            frames += 1
    return frames, time.monotonic() - opened

frames, wall = asyncio.run(run())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"frames": frames, "wall": wall, "peak_mb": peak}))
"""


def run_style(clip: Path, target: Path, row: str) -> dict[str, float]:
    """Frames, wall seconds and peak memory of the whole job, in a process of its own."""
    found: dict[str, float] = json.loads(run_script(JOB, str(clip), str(target), json.dumps(ROWS[row])))
    return found


def scaled(clip: Path, target: Path) -> Path:
    """The clip at ``SIZE_WH``, encoded well."""
    width, height = SIZE_WH
    with av.open(str(clip)) as source, av.open(str(target), "w") as made:
        stream = source.streams.video[0]
        out = made.add_stream("libx264", rate=stream.average_rate, options={"preset": "veryfast", "crf": "18"})
        out.width, out.height, out.pix_fmt = width, height, "yuv420p"
        for frame in source.decode(stream):
            small = frame.reformat(width, height, "yuv420p")
            small.pts, small.time_base, small.pict_type = frame.pts, frame.time_base, 0
            made.mux(out.encode(small))
        made.mux(out.encode(None))
    return target


def compare(clip: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """The job in every row against the bare transcode, interleaved."""
    bare: list[float] = []
    jobs: dict[str, list[dict[str, float]]] = {row: [] for row in ROWS}
    for _ in range(rounds):
        bare.append(run_bare(clip, folder / "bare.mp4")["wall"])
        for row, runs in jobs.items():
            runs.append(run_style(clip, folder / "job.mp4", row))
    middle = statistics.median(bare)
    return {
        "bare_s": round(middle, 3),
        "by_row": {
            row: {
                "ratio": round(statistics.median(job["wall"] for job in runs) / middle, 3),
                "fps": round(statistics.median(job["frames"] / job["wall"] for job in runs), 1),
                "peak_mb": round(statistics.median(job["peak_mb"] for job in runs), 1),
            }
            for row, runs in jobs.items()
        },
    }


class TimedStylist:
    """A net whose paintings are timed."""

    def __init__(self, net: NetStyleTransfer) -> None:
        self._net, self.seconds = net, 0.0

    def paint(self, rgb: NDArray[np.uint8], mixture: NDArray[np.float32]) -> NDArray[np.uint8]:
        started = time.perf_counter()
        found = self._net.paint(rgb, mixture)
        self.seconds += time.perf_counter() - started
        return found


def ms_per_frame(clip: Path, target: Path) -> dict[str, float]:
    """Wall milliseconds of each stage, run one after the other on every frame."""
    source = VideoSource(str(clip))
    sink = VideoSink(str(target), source.info, SinkOptions(preset="veryfast", crf=23, overwrite=True))
    options = StyleOptions(fixed={"sad": 1.0})
    style_transfer = TimedStylist(load_style_transfer(options.net, device="cpu"))
    scenes = SceneBuilder(SmoothingOptions(look_ahead=0), "largest")
    chain: list[tuple[str, Callable[[Any], Any]]] = [
        ("decode", lambda _: source.units()),
        ("detect cuts", lambda units: analysis.observe_cuts(analysis.mark_cuts(units, CutDetector()))),
        ("scenes", lambda steps: rendering.build_scenes(steps, scenes, 1000)),
        ("render", lambda steps: rendering.render(steps, lambda: [Style(options, style_transfer)])),
        ("encode", lambda steps: rendering.write(steps, sink, None)),
    ]
    timed: list[Timed] = []
    for _, stage in chain:
        timed.append(Timed(stage(timed[-1] if timed else None)))
    frames = sum(step.frame is not None for step in timed[-1])
    source.close()
    totals = [each.seconds for each in timed]
    own = [total - before for total, before in zip(totals, [0.0, *totals], strict=False)]
    spent = {name: round(1000 * seconds / frames, 2) for (name, _), seconds in zip(chain, own, strict=True)}
    spent["net"] = round(1000 * style_transfer.seconds / frames, 2)
    return spent


def measure(clips: Path, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = scaled(clips / "bench_720p_face.mp4", folder / "clip.mp4")
        long = folder / "long.mp4"
        repeat_clip(clip, 10, long)
        fixed = "one fixed style"
        one, ten = (run_style(path, folder / "memory.mp4", fixed)["peak_mb"] for path in (clip, long))
        return {
            "machine": machine(),
            "clip": f"bench_720p_face.mp4 at {SIZE_WH[0]}x{SIZE_WH[1]}",
            "job_over_transcode": compare(clip, folder, rounds),
            "ms_per_frame": ms_per_frame(clip, folder / "stages.mp4"),
            "memory": {"one_mb": round(one, 1), "ten_times_mb": round(ten, 1), "growth": round(ten / one - 1, 4)},
        }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The measurements as text."""
    yield f"{found['machine']['processor']}, {found['machine']['cores']} cores; {found['clip']}"
    for name, row in found["job_over_transcode"]["by_row"].items():
        yield f"{name}: {row['ratio']:.2f} of a bare transcode, {row['fps']:.1f} fps, {row['peak_mb']:.0f} MB"
    for name, ms in found["ms_per_frame"].items():
        yield f"{name}: {ms} ms per frame"
    yield f"memory: {found['memory']}"


def readme_table(found: dict[str, Any]) -> str:
    """The README's tables of what styles cost."""
    rows = ["| | whole job over a bare transcode | frames per second | peak memory |", "|---|---|---|---|"]
    for name, row in found["job_over_transcode"]["by_row"].items():
        rows.append(f"| {name} | {row['ratio']:.2f} | {row['fps']:.1f} | {row['peak_mb']:.0f} MB |")
    spent = dict(found["ms_per_frame"])
    net = spent.pop("net")
    rows += ["", "| ms per frame | " + " | ".join(spent) + " |", "|---" * (len(spent) + 1) + "|"]
    rows.append("| in one thread | " + " | ".join(f"{ms:.1f}" for ms in spent.values()) + " |")
    rows += ["", f"Of rendering, {net:.1f} ms are inference."]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder with bench_720p_face.mp4")
    parser.add_argument("--out", type=Path, default=Path("tests/benchmarks/style.json"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found = measure(arguments.clips, arguments.rounds)
    arguments.out.write_text(json.dumps(found, indent=2) + "\n")
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
