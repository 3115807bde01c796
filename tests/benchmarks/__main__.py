"""What the whole job costs, as ratios measured in one run on one machine.

    python -m tests.benchmarks --clips DIR [--out FILE.json] [--rounds 5]

- ``job_over_transcode``: wall time of the full job (decode, follow, classify, smooth, tint, encode)
  over a bare PyAV transcode with the same encoder settings, in processes of their own, rounds
  interleaved, medians; from the opening of the input to the closing of the output.
- ``where_it_goes``: the same ratio with parts left out, made cheaper or given another thread, in the same rounds.
- ``cpu_ms_per_frame``: CPU time, in all threads: of the bare transcode, of the job, and of the job's
  stages; the rest is codecs, MediaPipe's threads and the start.
- ``a_minute``: the same ratio on the clip six times in a row, where loading nets counts less; one round.
- ``cold_start``: seconds from the start of the process to the first frame handed to the encoder.
- ``memory``: resident memory of the job at minute one and at minute ten of a film, the clip again and again.
- ``faces``: faces analysed a second (detection, crop, T = 10), on one core.

Prints a table and writes JSON with the machine and the versions.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av

from tests.benchmarks.report import lines

ENCODER = {"preset": "veryfast", "crf": "23"}

VARIANTS: dict[str, dict[str, Any]] = {
    "net in bf16": {"precision": "bf16"},
    "net on two threads": {"threads": 2},
    "one pass instead of T = 10": {"passes": 0},
    "one analysis at the clip's start": {"rate_hz": 0.01},
    "no tint": {"effects": ()},
}

BARE = """
import json, sys, time
import av
started, cpu = time.monotonic(), time.process_time()
with av.open(sys.argv[1]) as source, av.open(sys.argv[2], "w") as target:
    stream = source.streams.video[0]
    stream.thread_type = "AUTO"
    made = target.add_stream("libx264", rate=stream.average_rate, options={"preset": "veryfast", "crf": "23"})
    made.width, made.height, made.pix_fmt = stream.width, stream.height, stream.pix_fmt
    made.codec_context.time_base = stream.time_base
    for frame in source.decode(stream):
        frame.pict_type = 0
        target.mux(made.encode(frame))
    target.mux(made.encode(None))
print(json.dumps({"wall": time.monotonic() - started, "cpu": time.process_time() - cpu}))
"""

JOB = """
import asyncio, json, resource, sys, time
from engines.emotion import load_emotion_net
from emocolor.effects.tint import S0_TINT
from stream import AnalysisOptions, Job, JobSettings, SinkOptions

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20

async def run():
    first, frames, at_minute = None, 0, {}
    options = json.loads(sys.argv[3])
    load_emotion_net.__kwdefaults__["threads"] = options.pop("threads", 1)
    effects = options.pop("effects", [S0_TINT])
    settings = JobSettings(input=sys.argv[1], output=sys.argv[2], analysis=AnalysisOptions(**options),
                           effects=tuple(effects), sink=SinkOptions(preset="veryfast", crf=23, overwrite=True))
    opened, cpu = time.monotonic(), time.process_time()
    async with await Job.open(settings) as job:
        async for step in job:
            first = first or time.time()
            frames += 1
            minute = int(step.frame.time // 60)
            if minute not in at_minute:
                at_minute[minute] = resident_mb()
    return {"first": first, "wall": time.monotonic() - opened, "cpu": time.process_time() - cpu, "frames": frames,
            "at_minute": at_minute, "stages": job.cpu_seconds,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

print(json.dumps(asyncio.run(run())))
"""


def run_bare(clip: Path, target: Path) -> dict[str, float]:
    """Wall seconds and CPU seconds of a bare transcode."""
    found: dict[str, float] = json.loads(run_script(BARE, str(clip), str(target)))
    return found


def run_whole(clip: Path, target: Path, analysis: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the job's script prints, with ``cold``: seconds to the first frame from the start of the process."""
    launched = time.time()
    found: dict[str, Any] = json.loads(run_script(JOB, str(clip), str(target), json.dumps(analysis or {})))
    return found | {"cold": found["first"] - launched}


def compare(clip: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """The job against the bare transcode, interleaved."""
    bare, whole = [], []
    others: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        bare.append(run_bare(clip, folder / "bare.mp4"))
        whole.append(run_whole(clip, folder / "whole.mp4"))
        for name, analysis in VARIANTS.items():
            others[name].append(run_whole(clip, folder / "other.mp4", analysis)["wall"])
    walls, bare_walls = [w["wall"] for w in whole], [b["wall"] for b in bare]
    bare_median = statistics.median(bare_walls)
    return {
        "bare_s": _summary(bare_walls),
        "job_s": _summary(walls),
        "ratio": round(statistics.median(walls) / bare_median, 3),
        "where_it_goes": {name: round(statistics.median(w) / bare_median, 3) for name, w in others.items()},
        "cpu_ms_per_frame": cpu_ms_per_frame(bare, whole),
        "cold_start_s": _summary([w["cold"] for w in whole]),
        "peak_mb": round(statistics.median(w["peak_mb"] for w in whole), 1),
    }


def cpu_ms_per_frame(bare: list[dict[str, float]], whole: list[dict[str, Any]]) -> dict[str, float]:
    """Medians over rounds of CPU milliseconds per frame."""
    frames = whole[0]["frames"]
    seconds = {"bare": statistics.median(b["cpu"] for b in bare), "job": statistics.median(w["cpu"] for w in whole)}
    stages = {name: statistics.median(w["stages"][name] for w in whole) for name in whole[0]["stages"]}
    rest = seconds["job"] - sum(stages.values())
    return {
        name: round(1000 * value / frames, 2) for name, value in {**seconds, **stages, "other threads": rest}.items()
    }


def ratio_on_long(clip: Path, folder: Path) -> float:
    """The job over the bare transcode on six of the clip in a row, once each."""
    long = folder / "minute.mp4"
    repeat_clip(clip, 6, long)
    bare, whole = run_bare(long, folder / "bare.mp4"), run_whole(long, folder / "whole.mp4")
    return round(float(whole["wall"]) / bare["wall"], 3)


def repeat_clip(clip: Path, times: int, target: Path) -> None:
    """The clip's video, ``times`` in a row, packets copied."""
    with av.open(str(target), "w") as out:
        made, shift = None, 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                made = made or out.add_stream_from_template(stream)
                end = shift
                for packet in source.demux(stream):
                    if packet.dts is None:
                        continue
                    packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = made
                    out.mux(packet)
            shift = end


def duration(clip: Path) -> float:
    """Seconds of a clip."""
    with av.open(str(clip)) as source:
        return (source.duration or 0) / av.time_base


def memory_growth(clip: Path, folder: Path) -> dict[str, float]:
    """Resident memory at minute one and at minute ten of the clip again and again."""
    long = folder / "ten_minutes.mp4"
    repeat_clip(clip, math.ceil(630 / duration(clip)), long)
    at_minute = run_whole(long, folder / "memory.mp4")["at_minute"]
    one, ten = at_minute["1"], at_minute["10"]
    return {"minute_1_mb": round(one, 1), "minute_10_mb": round(ten, 1), "growth": round(ten / one - 1, 4)}


def faces_per_second(clip: Path) -> dict[str, float]:
    """Throughput of the analysis alone, frame by frame."""
    from emocolor.analysis import classify_faces
    from stream.media.source import VideoSource
    from stream.nets import WorkerNets
    from stream.settings import AnalysisOptions

    source = VideoSource(str(clip))
    tracker, classifier = WorkerNets().face_tracker(AnalysisOptions().net), WorkerNets().classifier(AnalysisOptions())
    faces, seconds, frames = 0, 0.0, 0
    for unit in _first(source.units(), 100):
        if unit.frame is None:
            continue
        started = time.perf_counter()
        observation = classify_faces(tracker.track(unit.frame, cut=False), classifier)
        if frames:  # the first one warms up
            seconds += time.perf_counter() - started
            faces += len(observation.faces)
        frames += 1
    source.close()
    tracker.detector.close()
    return {
        "faces_per_s": round(faces / seconds, 1),
        "ms_per_analysis": round(1000 * seconds / (frames - 1), 2),
        "faces_per_analysis": round(faces / (frames - 1), 2),
    }


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("av", "mediapipe", "numpy", "opencv-contrib-python", "openvino")},
    }


def measure(clips: Path, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {"720p": clips / "bench_720p_face.mp4", "1080p": clips / "bench_1080p_face.mp4"}
        return {
            "machine": machine(),
            "encoder": ENCODER,
            "job_over_transcode": {size: compare(clip, folder, rounds) for size, clip in sizes.items()},
            "a_minute": {size: ratio_on_long(clip, folder) for size, clip in sizes.items()},
            "memory": {"360p": memory_growth(clips / "face_woman_pexels.mp4", folder)},
            "faces": {
                "one face, 720p": faces_per_second(sizes["720p"]),
                "four faces, 720p": faces_per_second(clips / "made_four_faces.mp4"),
            },
        }


def run_script(code: str, *arguments: str) -> str:
    """The last line that a script prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True, timeout=1200
    )
    return done.stdout.strip().splitlines()[-1]


def _summary(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}


def _first(items: Iterator[Any], count: int) -> Iterator[Any]:
    for _, item in zip(range(count), items, strict=False):
        yield item


def _processor() -> str:
    read: Callable[[], list[str]] = Path("/proc/cpuinfo").read_text().splitlines
    names = [line.split(":")[1].strip() for line in read() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder with bench_720p_face.mp4 and its kin")
    parser.add_argument("--out", type=Path, default=Path("tests/benchmarks/results.json"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found = measure(arguments.clips, arguments.rounds)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=2) + "\n")
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
