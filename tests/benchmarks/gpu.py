"""Throughput and latency on an NVIDIA GPU, as JSON.

    python -m tests.benchmarks.gpu [--out FILE.json] [--seconds 8]

- ``jobs``: frames per second of the whole job by effect and size, with look-ahead and faces, without encoding, decoded
  in software and by NVDEC; whether frames stayed in GPU memory, the peak of GPU memory, and for comparison the CPU
  alone. A demo clip is made at each size first.
- ``encoders``: the tint with NVENC, if the GPU has it, and with libx264.
- ``effects``: GPU ms per frame of effects on frames in GPU memory.
- ``kernels``: GPU ms of the parts of these effects, eager and by torch.compile.
- ``transfers``: ms to copy an NV12 frame to the host and back.
- ``faces``: faces classified per second with T = 20, eight in a run.
- ``nets``: for each net and runtime the ms of a run at the usual size, and its TFLOP/s and GB/s, also as fractions of
  the best that this GPU reached in a large matrix product and a large copy.

It has not been run yet: it was written without a GPU at hand. The parts that need none are tested.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from emocolor.effects import ColormapOptions, StyleOptions, TintOptions
from emocolor.errors import EmocolorError
from emocolor.faces import Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from engines.device.table import make_device_effects
from engines.runners.devices import check_device
from engines.runners.selection import BACKENDS, first_usable
from engines.shapes import inputs_of
from engines.spec import (
    AnySpec,
    colorizer_names,
    emotion_net_names,
    read_colorizer_spec,
    read_emotion_spec,
    read_style_spec,
    style_net_names,
)
from stream.demo.clip import make_demo_clip
from stream.job import Job
from stream.media.sink import SinkOptions
from stream.nets import WorkerNets
from stream.settings import AnalysisOptions, DecoderChoice, JobSettings
from tests.benchmarks.__main__ import machine

SIZES: Final = ((640, 360), (1280, 720), (1920, 1080))
EFFECTS: Final[dict[str, tuple[Any, ...]]] = {
    "none": (),
    "tint": (TintOptions(),),
    "tint, faces": (TintOptions(region="face", several="each"),),
    "colormap": (ColormapOptions(),),
    "style fast": (StyleOptions(fixed={"happy": 1}),),
}
FACES: Final = 8
PASSES: Final = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=Path, help="where the JSON goes; by default to standard output")
    arguments.add_argument("--seconds", type=float, default=8.0, help="length of the clips")
    given = arguments.parse_args()
    try:
        check_device("cuda")
    except EmocolorError as error:
        sys.exit(f"No GPU to measure: {error}")
    text = json.dumps(measure(given.seconds), indent=1)
    if given.out:
        given.out.write_text(text + "\n")
    else:
        print(text)


def measure(seconds: float) -> dict[str, Any]:
    from tests.benchmarks.net_work import peaks

    best = peaks()
    with tempfile.TemporaryDirectory() as name:
        clips = dict(_clips(Path(name), seconds))
        return {
            "machine": machine() | _gpu(),
            "peaks": best,
            "jobs": {size: dict(_jobs(clip)) for size, clip in clips.items()},
            "encoders": {size: dict(_encoders(clip, Path(name))) for size, clip in clips.items()},
            "effects": {_spell(size): dict(_effects(size)) for size in SIZES},
            "kernels": {_spell(size): dict(_kernels(size)) for size in SIZES},
            "transfers": {_spell(size): _transfers(size) for size in SIZES},
            "faces": {net: _faces_per_second(net) for net in emotion_net_names()},
            "nets": {spec.name: dict(_runtimes(spec, best)) for spec in _specs()},
        }


def _gpu() -> dict[str, Any]:
    import torch

    facts = torch.cuda.get_device_properties(0)
    return {
        "gpu": facts.name,
        "gpu_gib": round(facts.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "torch": version("torch"),
    }


def _spell(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _clips(folder: Path, seconds: float) -> Iterator[tuple[str, Path]]:
    for size in SIZES:
        path = folder / f"{_spell(size)}.mp4"
        make_demo_clip(path, seconds=seconds, size_wh=size)
        yield _spell(size), path


def _jobs(clip: Path) -> Iterator[tuple[str, Any]]:
    for name, effects in EFFECTS.items():
        yield (
            name,
            {
                "software, cpu": _tried(clip, effects, "software", device="cpu"),
                "software, cuda": _tried(clip, effects, "software"),
                "nvdec, cuda": _tried(clip, effects, "nvdec"),
            },
        )


def _encoders(clip: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    for codec in ("libx264", "h264_nvenc"):
        sink = SinkOptions(codec=codec, preset="p4" if codec == "h264_nvenc" else "veryfast", overwrite=True)
        yield codec, _tried(clip, EFFECTS["tint"], "nvdec", output=str(folder / "out.mp4"), sink=sink)


def _tried(clip: Path, effects: Sequence[Any], decoder: DecoderChoice, **settings: Any) -> dict[str, Any] | str:
    """:func:`_job`, or why this GPU cannot: some GPUs decode but do not encode."""
    try:
        return _job(clip, effects, decoder, **settings)
    except EmocolorError as error:
        return str(error)


def _job(clip: Path, effects: Sequence[Any], decoder: DecoderChoice, **settings: Any) -> dict[str, Any]:
    """Frames per second from the first finished frame to the last; by the first one all nets are loaded."""
    import torch

    torch.cuda.reset_peak_memory_stats()
    free = torch.cuda.mem_get_info()[0]
    chosen = JobSettings(
        **{"input": str(clip), "effects": tuple(effects), "decoder": decoder, "device": "cuda"} | settings
    )
    times, job = asyncio.run(_times(chosen))
    return {
        "frames_per_s": round((len(times) - 1) / (times[-1] - times[0]), 1),
        "on_device": job.source.on_device,
        "gpu_mb": {
            "torch, peak": round(torch.cuda.max_memory_allocated() / 2**20),
            "all, increase": round((free - torch.cuda.mem_get_info()[0]) / 2**20),
        },
        "warnings": [*job.source.warnings, *job.warnings],
    }


async def _times(settings: JobSettings) -> tuple[list[float], Any]:
    times = []
    async with await Job.open(settings) as job:
        async for _ in job:
            times.append(time.monotonic())
    return times, job


def _effects(size: tuple[int, int]) -> Iterator[tuple[str, float]]:
    from tests.benchmarks.net_work import milliseconds

    frame = _frame(size)
    scene = Scene(time=0, probabilities=np.full(7, 1 / 7), certainty=1)
    for name, options in EFFECTS.items():
        effects = make_device_effects(options, WorkerNets("cuda"))

        def apply(effects: Sequence[Any] = effects) -> None:
            changed = frame
            for effect in effects:
                changed = effect.apply(changed, scene)

        yield name, round(statistics.median(milliseconds(apply)), 4)


def _kernels(size: tuple[int, int]) -> Iterator[tuple[str, dict[str, float]]]:
    import torch

    from engines.device.colormap import averaged_down
    from engines.device.planes import tensors_of
    from engines.device.resize import scaled
    from engines.device.tables import mapped
    from engines.device.tint import move_toward
    from tests.benchmarks.net_work import milliseconds

    luma, _ = tensors_of(_frame(size))
    mask, table = torch.rand_like(luma, dtype=torch.float32), np.arange(256, dtype=np.uint8)[::-1].copy()
    small = torch.rand(360, 640, device="cuda")
    kernels: dict[str, Callable[..., object]] = {
        "blend by a mask": lambda: move_toward(luma, 99.0, 0.5, mask),
        "look up": lambda: mapped(luma, table),
        "average 2 x 2": lambda: averaged_down(luma),
        "shrink to 640x360": lambda: scaled(luma.float(), (640, 360)),
        "grow from 640x360": lambda: scaled(small, size),
    }
    for name, kernel in kernels.items():
        fused = torch.compile(kernel)
        yield (
            name,
            {
                "eager_ms": round(statistics.median(milliseconds(kernel)), 4),
                "compiled_ms": round(statistics.median(milliseconds(fused)), 4),
            },
        )


def _transfers(size: tuple[int, int]) -> dict[str, float]:
    import torch

    from engines.device.planes import DevicePlane, tensors_of, to_host

    frame = _frame(size)
    host = [plane.copy() for plane in frame.planes]

    def download() -> None:
        for tensor in tensors_of(frame):
            to_host(tensor)

    def upload() -> None:
        for plane in host:
            DevicePlane(torch.from_numpy(plane).to("cuda"))
        torch.cuda.synchronize()

    return {name: round(_wall_ms(work), 4) for name, work in (("to_host_ms", download), ("to_device_ms", upload))}


def _frame(size: tuple[int, int]) -> Frame:
    """An NV12 frame of random codes in GPU memory."""
    import torch

    from engines.device.planes import DevicePlane, OwnMemory, new_av_frame

    tensors = [tensor.random_(16, 236) for tensor in new_av_frame(*size, torch.device("cuda"))]
    planes: Any = tuple(DevicePlane(tensor) for tensor in tensors)
    frame = Frame(planes=planes, format=PIXEL_FORMATS["nv12"], color=ColorSpec(), pts=0, time_base=Fraction(1, 25))
    return OwnMemory().apply(frame, Scene(time=0))


def _faces_per_second(net: str) -> float:
    classifier = WorkerNets("cuda").classifier(AnalysisOptions(net=net, passes=PASSES))
    side = classifier.crop_size
    crops = list(np.random.default_rng(0).integers(0, 256, (FACES, side, side), np.uint8))
    return round(1000 * FACES / _wall_ms(lambda: classifier.estimate(crops)), 1)


def _wall_ms(work: Callable[[], object], rounds: int = 30) -> float:
    """Median wall time, after a warm-up."""
    taken = []
    for index in range(rounds + 5):
        started = time.perf_counter()
        work()
        if index >= 5:
            taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def _specs() -> Iterator[AnySpec]:
    yield from map(read_emotion_spec, emotion_net_names())
    yield from map(read_colorizer_spec, colorizer_names())
    yield from map(read_style_spec, style_net_names())


def _runtimes(spec: AnySpec, best: dict[str, float]) -> Iterator[tuple[str, Any]]:
    """The net in every GPU runtime in float32, and its place under this GPU's roofline."""
    from engines.nets.graphs import graph_of
    from tests.benchmarks.net_work import work_of

    inputs = usual_inputs(spec)
    work = work_of(*_on_cuda(graph_of(spec), inputs))
    yield (
        "counted",
        {
            "gflop": round(work.flops / 1e9, 3),
            "least_mb": round(work.least_bytes / 1e6, 2),
            "eager_mb": round(work.eager_bytes / 1e6, 2),
            "bound_by": work.bound(best["f32_tflops"], best["gb_per_s"]),
        },
    )
    for backend in (one for one in BACKENDS if one.device == "cuda"):
        try:
            runner = first_usable(spec, [backend], 1, "f32")
        except EmocolorError as error:
            yield backend.name, str(error)
            continue
        taken = _wall_ms(lambda runner=runner: runner.run(inputs))
        tflops, speed = work.flops / taken / 1e9, work.least_bytes / taken / 1e6
        yield (
            backend.name,
            {
                "ms": round(taken, 3),
                "tflops": round(tflops, 3),
                "of_peak_f32": round(tflops / best["f32_tflops"], 4),
                "gb_per_s": round(speed, 2),
                "of_peak_memory": round(speed / best["gb_per_s"], 4),
            },
        )


def usual_inputs(spec: AnySpec) -> dict[str, Any]:
    """Arrays of a net's usual sizes: random images, ones for masks and parameters, equal parts for a mixture."""
    drawn, made = np.random.default_rng(0), {}
    for one in inputs_of(spec):
        shape = one.shape(lambda axis: axis.usual)
        if one.dtype is np.uint8:
            made[one.name] = drawn.integers(0, 256, shape, np.uint8)
        elif one.name in ("faces", "gray"):
            made[one.name] = drawn.random(shape, np.float32)
        else:
            made[one.name] = np.full(shape, 1 / shape[-1] if one.name == "mixture" else 1, np.float32)
    return made


def _on_cuda(graph: Any, inputs: dict[str, Any]) -> tuple[Any, list[Any]]:
    import torch

    return graph.module.cuda(), [torch.from_numpy(inputs[name]).cuda() for name in graph.inputs]


if __name__ == "__main__":
    main()
