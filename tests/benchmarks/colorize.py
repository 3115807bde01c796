"""What giving colours costs, as ratios and times measured in one run on one machine.

    python -m tests.benchmarks.colorize --clips DIR [--out FILE.json] [--rounds 5]

- ``job_over_transcode``: wall time of the whole job with ``--effect colorize`` on a clip turned gray over a bare
  PyAV transcode of the same clip with the same encoder settings, rounds interleaved, medians, for each cadence of
  the net (inferences per second); and frames per second of the job.
- ``ms_per_frame``: where the time goes, stage after stage in one thread: wall milliseconds per frame of each, the
  net's own share within prediction beside it.
- ``net``: milliseconds of one inference on one thread, and what the original net of Zhang et al. 2016 (the
  layers of ``engines.nets.s2_colorizer`` at full width, random values) takes in OpenCV's dnn module at its 224x224,
  with the multiplications of both. Needs torch and onnx, and is left out without them.
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

from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.cuts import CutDetector
from emocolor.effects import ColorizeOptions
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from engines.colorizer import NetColorizer, load_colorizer
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource
from stream.pipeline import analysis, colorizing, rendering
from tests.benchmarks.__main__ import machine, repeat_clip, run_bare, run_script

RATES = (ColorizeOptions().rate_hz, 6.0, 12.0, 0.0)
"""Looks of the net a second; 0 for every frame."""

JOB = """
import asyncio, json, resource, sys, time
from emocolor.effects import ColorizeOptions
from stream import JobSettings, SinkOptions, Job

async def run():
    settings = JobSettings(input=sys.argv[1], output=sys.argv[2], analysis=None,
                           effects=(ColorizeOptions(rate_hz=float(sys.argv[3])),),
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


def run_colorize(clip: Path, target: Path, rate_hz: float) -> dict[str, float]:
    """Frames, wall seconds and peak memory of the whole job, in a process of its own."""
    found: dict[str, float] = json.loads(run_script(JOB, str(clip), str(target), str(rate_hz)))
    return found


def turned_gray(clip: Path, target: Path) -> Path:
    """The clip with neutral chroma, encoded well."""
    with av.open(str(clip)) as source, av.open(str(target), "w") as made:
        stream = source.streams.video[0]
        out = made.add_stream("libx264", rate=stream.average_rate, options={"preset": "veryfast", "crf": "18"})
        out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
        for frame in source.decode(stream):
            planes = [np.frombuffer(plane, np.uint8) for plane in frame.planes]
            gray = av.VideoFrame(frame.width, frame.height, "yuv420p")
            for index, plane in enumerate(gray.planes):
                plane.update(planes[0].tobytes() if index == 0 else bytes([128]) * plane.buffer_size)
            gray.pts, gray.time_base, gray.pict_type = frame.pts, frame.time_base, 0
            made.mux(out.encode(gray))
        made.mux(out.encode(None))
    return target


def compare(clip: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """The job at every cadence against the bare transcode, interleaved."""
    bare: list[float] = []
    jobs: dict[float, list[dict[str, float]]] = {rate: [] for rate in RATES}
    for _ in range(rounds):
        bare.append(run_bare(clip, folder / "bare.mp4")["wall"])
        for rate in RATES:
            jobs[rate].append(run_colorize(clip, folder / "job.mp4", rate))
    middle = statistics.median(bare)
    return {
        "bare_s": round(middle, 3),
        "by_rate_hz": {
            f"{rate:g}": {
                "ratio": round(statistics.median(job["wall"] for job in runs) / middle, 3),
                "fps": round(statistics.median(job["frames"] / job["wall"] for job in runs), 1),
                "peak_mb": round(statistics.median(job["peak_mb"] for job in runs), 1),
            }
            for rate, runs in jobs.items()
        },
    }


class Timed:
    """A generator's items, and the seconds that were spent on waiting for them."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items, self.seconds = iter(items), 0.0

    def __iter__(self) -> "Timed":
        return self

    def __next__(self) -> Any:
        started = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self.seconds += time.perf_counter() - started


class TimedColorist:
    """A net whose inferences are timed."""

    def __init__(self, net: NetColorizer) -> None:
        self._net, self.seconds, self.inferences = net, 0.0, 0

    def estimate(self, gray: NDArray[np.uint8], vividness: float) -> ChromaEstimate:
        started = time.perf_counter()
        found = self._net.estimate(gray, vividness)
        self.seconds += time.perf_counter() - started
        self.inferences += 1
        return found


def ms_per_frame(clip: Path, target: Path) -> dict[str, float]:
    """Wall milliseconds of each stage, run one after the other on every frame."""
    source = VideoSource(str(clip))
    sink = VideoSink(str(target), source.info, SinkOptions(preset="veryfast", crf=23, overwrite=True))
    options, colorizer = ColorizeOptions(), TimedColorist(load_colorizer(ColorizeOptions().net))
    scenes = SceneBuilder(SmoothingOptions(look_ahead=0), "largest")
    chain: list[tuple[str, Callable[[Any], Any]]] = [
        ("decode", lambda _: source.units()),
        ("detect cuts", lambda units: analysis.observe_cuts(analysis.mark_cuts(units, CutDetector()))),
        ("predict", lambda steps: colorizing.predict_chroma(steps, lambda: colorizer, options)),
        ("stabilize", lambda steps: colorizing.stabilize_chroma(steps, options)),
        ("colorize", colorizing.apply_chroma),
        ("scenes", lambda steps: rendering.build_scenes(steps, scenes, 1000)),
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
    spent["net"] = round(1000 * colorizer.seconds / frames, 2)
    spent["inferences per frame"] = round(colorizer.inferences / frames, 3)
    return spent


def net_cost(clip: Path) -> dict[str, Any]:
    """One inference of the net that ships, and of the original in OpenCV; the latter only where torch is."""
    from emocolor.effects.colorize import colorizer_input

    source = VideoSource(str(clip))
    gray = next(colorizer_input(unit.frame) for unit in source.units() if unit.frame is not None)
    source.close()
    net = load_colorizer(ColorizeOptions().net)
    found: dict[str, Any] = {"size_wh": gray.shape[::-1], "ms": _median_ms(lambda: net.estimate(gray, 0.5))}
    try:
        found |= _original_net(gray.shape)
    except ModuleNotFoundError as error:
        found["original"] = f"not measured: {error.name} is missing"
    return found


def _original_net(shape: tuple[int, ...]) -> dict[str, Any]:
    """Zhang et al.'s layers in OpenCV's dnn, and the multiplications of both nets."""
    import io
    import warnings

    import cv2
    import torch

    from engines.nets.ab_bins import AbBins
    from engines.nets.s2_colorizer import S2Colorizer
    from engines.nets.video_colorizer import VideoColorizer

    original, buffer = S2Colorizer(AbBins(10)).eval(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(original, (torch.zeros(1, 1, 224, 224),), buffer, input_names=["gray"], dynamo=False)
    dnn = cv2.dnn.readNetFromONNX(np.frombuffer(buffer.getvalue(), np.uint8))
    cv2.setNumThreads(1)
    dnn.setInput(np.zeros((1, 1, 224, 224), np.float32))
    return {
        "original_ms": _median_ms(dnn.forward, repeats=5),
        "giga_multiplications": _giga_multiplications(VideoColorizer().eval(), shape),
        "original_giga_multiplications": _giga_multiplications(original, (224, 224)),
    }


def _giga_multiplications(net: Any, shape: tuple[int, ...]) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 1, *shape))
    return round(counter.get_total_flops() / 2e9, 2)


def _median_ms(work: Callable[[], object], repeats: int = 15) -> float:
    work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return round(1000 * statistics.median(seconds), 1)


def measure(clips: Path, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = turned_gray(clips / "bench_720p_face.mp4", folder / "gray.mp4")
        long = folder / "long.mp4"
        repeat_clip(clip, 10, long)
        one, ten = (run_colorize(path, folder / "memory.mp4", RATES[0])["peak_mb"] for path in (clip, long))
        return {
            "machine": machine(),
            "clip": "bench_720p_face.mp4, turned gray",
            "job_over_transcode": compare(clip, folder, rounds),
            "ms_per_frame": ms_per_frame(clip, folder / "stages.mp4"),
            "net": net_cost(clip),
            "memory": {"one_mb": round(one, 1), "ten_times_mb": round(ten, 1), "growth": round(ten / one - 1, 4)},
        }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The measurements as text."""
    yield f"{found['machine']['processor']}, {found['machine']['cores']} cores; {found['clip']}"
    for rate, row in found["job_over_transcode"]["by_rate_hz"].items():
        often = "every frame" if rate == "0" else f"{rate} a second"
        yield f"net {often}: {row['ratio']:.2f} of a bare transcode, {row['fps']:.0f} fps, {row['peak_mb']:.0f} MB"
    for name, ms in found["ms_per_frame"].items():
        yield f"{name}: {ms} {'' if 'inferences' in name else 'ms per frame'}".rstrip()
    for name, value in found["net"].items():
        yield f"net, {name}: {value}"
    yield f"memory: {found['memory']}"


def readme_table(found: dict[str, Any]) -> str:
    """The README's tables of what colour costs."""
    rows = ["| inferences per second of video | whole job over a bare transcode | frames per second | peak memory |"]
    rows.append("|---|---|---|---|")
    for rate, row in found["job_over_transcode"]["by_rate_hz"].items():
        often = "every frame" if rate == "0" else rate
        rows.append(f"| {often} | {row['ratio']:.2f} | {row['fps']:.0f} | {row['peak_mb']:.0f} MB |")
    spent = dict(found["ms_per_frame"])
    rate, net = spent.pop("inferences per frame"), spent.pop("net")
    rows += ["", "| ms per frame | " + " | ".join(spent) + " |", "|---" * (len(spent) + 1) + "|"]
    rows.append(
        f"| in one thread, {rate:g} inferences per frame | " + " | ".join(f"{ms:.1f}" for ms in spent.values()) + " |"
    )
    rows.append("")
    rows.append(f"Of prediction, {net:.1f} ms are inference.")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder with bench_720p_face.mp4")
    parser.add_argument("--out", type=Path, default=Path("tests/benchmarks/colorize.json"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found = measure(arguments.clips, arguments.rounds)
    arguments.out.write_text(json.dumps(found, indent=2) + "\n")
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
