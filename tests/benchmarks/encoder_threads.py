"""What it costs that encoders have the same number of threads on every machine.

    python -m tests.benchmarks.encoder_threads [--rounds 5] [--out encoder_threads.json]

The demo clip at 1280x720 is encoded by turns with the fixed number of threads and with as many as FFmpeg chooses for
the machine. CPU time says what the choice costs where other stages use the cores too, wall time what an encoder takes
that has the machine for itself; of both the medians are stored, and their ratios.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from stream.demo.clip import make_demo_clip
from stream.media.encoder_choice import THREADS
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource
from tests.machine_info import environment

SIZE_WH: Final = (1280, 720)
SECONDS: Final = 2.0
SPEED: Final = {"libx264": "veryfast", "libx264rgb": "veryfast", "libx265": "veryfast"}
"""Presets of encoders that have them, those of the other benchmarks."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="JSON file to write the results to")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "demo.mp4"
        make_demo_clip(clip, seconds=SECONDS, size_wh=SIZE_WH)
        encoders = {codec: measure(clip, codec, options.rounds) for codec in THREADS}
    text = json.dumps({"environment": environment(), "encoders": encoders}, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")


def measure(clip: Path, codec: str, rounds: int) -> dict[str, Any]:
    """Median seconds with fixed and with automatic threads, taken by turns, and fixed over automatic."""
    fixed, automatic = [], []
    for _ in range(rounds):
        fixed.append(transcode(clip, codec, {}))
        automatic.append(transcode(clip, codec, {"threads": "0"}))
    result: dict[str, Any] = {"threads": THREADS[codec]}
    for index, name in enumerate(("cpu", "wall")):
        one, other = (statistics.median(run[index] for run in runs) for runs in (fixed, automatic))
        result |= {
            f"{name}_s": round(one, 3),
            f"automatic_{name}_s": round(other, 3),
            f"{name}_ratio": round(one / other, 2),
        }
    return result


def transcode(clip: Path, codec: str, options: dict[str, str]) -> tuple[float, float]:
    """Seconds of the CPU and of the clock that one transcode takes."""
    target = clip.with_name("out.mkv")
    source = VideoSource(str(clip))
    sink = VideoSink(
        str(target), source, SinkOptions(codec=codec, preset=SPEED.get(codec), options=options, overwrite=True)
    )
    cpu, wall = time.process_time(), time.perf_counter()
    for unit in source.units():
        sink.write(unit)
    sink.finish()
    source.close()
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    main()
