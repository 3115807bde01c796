"""``emocolor-stream engines``: nets, runtimes and compiled nets; building them, timing them, clearing them."""

import importlib.metadata
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray

from emocolor.errors import ConfigurationError, EmocolorError, EngineError, nearest
from emocolor.protocols import Precision
from engines.cache import EngineKey, Entry, user_cache
from engines.runners.base import Backend
from engines.runners.devices import Device, PrecisionChoice, check_device, exact_precision, wants_cuda
from engines.runners.selection import BACKENDS
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

from ..pipeline.cores import usable_cores
from .messages import say, show

WARM_UP: Final = 3
"""Runs before those that are timed."""

Nets = Annotated[list[str] | None, typer.Argument(metavar="[NET]...", help="Nets by name (default: all that ship).")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more.")]
Perform = Callable[[Callable[[], int], int], None]


def engines_app(perform: Perform) -> typer.Typer:
    """The commands; ``perform`` does the work of one, given how much to say, and exits with the code it returns."""
    app = typer.Typer(no_args_is_help=True)

    @app.command("list")
    def list_(verbose: Verbose = 0) -> None:
        """Print nets, runtimes, and the compiled nets that are kept."""
        perform(list_engines, verbose)

    @app.command()
    def build(
        nets: Nets = None,
        device: Annotated[Device, typer.Option(help="Where nets run; auto takes an NVIDIA GPU.")] = "auto",
        precision: Annotated[PrecisionChoice, typer.Option(help="Arithmetic of the nets.")] = "auto",
        verbose: Verbose = 0,
    ) -> None:
        """Compile nets before they are needed: for TensorRT on an NVIDIA GPU, else for OpenVINO."""
        perform(lambda: build_engines(nets or [], device, precision), verbose)

    @app.command()
    def bench(
        nets: Nets = None,
        runs: Annotated[int, typer.Option(min=1, help="Timed runs.")] = 50,
        threads: Annotated[int, typer.Option(min=1, help="Threads of the CPU that a net takes.")] = 1,
        verbose: Verbose = 0,
    ) -> None:
        """Time nets at their usual sizes, in every runtime and precision at hand."""
        perform(lambda: bench_engines(nets or [], runs, threads), verbose)

    @app.command()
    def clear(
        stale: Annotated[bool, typer.Option("--stale", help="Only those that cannot be used here any more.")] = False,
        verbose: Verbose = 0,
    ) -> None:
        """Remove compiled nets; they are built again when they are needed."""
        perform(lambda: clear_engines(stale=stale), verbose)

    return app


def list_engines() -> int:
    """Print nets, runtimes, and the engines in the cache."""
    kinds = {"emotion": emotion_net_names(), "colours": colorizer_names(), "styles": style_net_names()}
    for kind, names in kinds.items():
        show(f"{kind:<9} {', '.join(names)}")
    show("")
    cuda = wants_cuda("auto")
    _print_table(
        [("runtime", "device", "precisions", "version")]
        + [(one.name, one.device, ", ".join(one.precisions), _version_of(one, cuda)) for one in BACKENDS]
    )
    cache = user_cache()
    entries = cache.entries()
    show(f"\n{_total(entries)} in {cache.folder or 'no folder, as there is no home'}")
    if entries:
        rows = [("net", "runtime", "precision", "size", "built", "usable here")]
        _print_table(rows + [_row(entry) for entry in entries])
    return 0


def build_engines(nets: Sequence[str], device: Device, precision: PrecisionChoice) -> int:
    """Compile nets and keep them; raises where one cannot be compiled or kept."""
    specs, exact = _specs(nets), exact_precision(precision)
    first = next(one for one in BACKENDS if one.device == ("cuda" if check_device(device, exact) else "cpu"))
    cache, width = user_cache(), max(len(spec.name) for spec in specs)
    for spec in specs:
        key = _key(spec, first, exact)
        there, started = cache.holds(key), time.monotonic()
        if not there:
            with _progress(f"building {key}"):
                first.open(spec, 1, exact)
            if not cache.holds(key):
                raise EngineError(f"{spec.name} was compiled, but {cache.folder} does not keep it.")
        done = "was there already" if there else f"built in {time.monotonic() - started:.1f} s"
        show(f"{spec.name:<{width}}  {first.name} {exact}  {done}", flush=True)
    return 0


def bench_engines(nets: Sequence[str], runs: int, threads: int) -> int:
    """Print how long nets take to open and to run."""
    specs, devices = _specs(nets), ("cuda", "cpu") if wants_cuda("auto") else ("cpu",)
    show(f"{runs} runs each, {threads} CPU thread{'s' * (threads > 1)} of {usable_cores()} cores")
    rows = [("net", "inputs", "runtime", "precision", "open s", "median ms", "95 % ms")]
    for spec in specs:
        for backend in (one for one in BACKENDS if one.device in devices):
            for precision in backend.precisions:
                try:
                    opened, times = _time(spec, backend, precision, runs, threads)
                except EmocolorError as error:
                    say(f"left out: {spec.name} in {backend.name}, {precision}: {error}")
                    continue
                metrics = (f"{opened:.2f}", f"{statistics.median(times):.2f}", f"{np.percentile(times, 95):.2f}")
                rows.append((spec.name, _sizes(spec), backend.name, precision, *metrics))
    _print_table(rows)
    return 0


def clear_engines(*, stale: bool) -> int:
    """Remove engines from the cache."""
    cache = user_cache()
    gone = [entry for entry in cache.entries() if not stale or _reason_against(entry)]
    cache.remove(gone)
    show(f"{_total(gone)} removed")
    return 0


def _specs(names: Sequence[str]) -> list[AnySpec]:
    """Cards by name, or all that ship; raises ``ConfigurationError`` for an unknown name."""
    readers = _readers()
    for name in names:
        if name not in readers:
            raise ConfigurationError(f"There is no net '{name}'{nearest(name, list(readers))}")
    return [readers[name](name) for name in names or readers]


def _readers() -> dict[str, Callable[[str], AnySpec]]:
    """What reads the card of each net that ships."""
    return {
        **dict.fromkeys(emotion_net_names(), read_emotion_spec),
        **dict.fromkeys(colorizer_names(), read_colorizer_spec),
        **dict.fromkeys(style_net_names(), read_style_spec),
    }


def _key(spec: AnySpec, backend: Backend, precision: Precision) -> EngineKey:
    if backend.device == "cuda":
        from engines.runners.tensorrt import machine_facts, tensorrt_key

        return tensorrt_key(spec, precision, machine_facts())
    from engines.runners.openvino import openvino_key

    return openvino_key(spec.weights.stem, spec.sha256, precision)


def _row(entry: Entry) -> tuple[str, ...]:
    facts, built = entry.facts, entry.built[:16].replace("T", " ")
    size, usable = f"{entry.size / 1e6:.1f} MB", _reason_against(entry) or "yes"
    return facts["net"], facts["backend"], facts["precision"], size, built, usable


def _reason_against(entry: Entry) -> str:
    """Why an engine would not be used here and now; empty where it would. Nets that do not ship count as they were."""
    try:
        return entry.difference(_facts_now(entry))
    except EmocolorError as error:
        return str(error)


def _facts_now(entry: Entry) -> Mapping[str, str]:
    readers, name = _readers(), entry.facts["net"]
    spec = readers[name](name) if name in readers else None
    if entry.facts["backend"] == "openvino":
        from engines.runners.openvino import openvino_key

        sha256 = spec.sha256 if spec else entry.facts.get("weights", "")
        return openvino_key(name, sha256, "f32").facts
    if not wants_cuda("auto"):
        raise EngineError("needs an NVIDIA GPU")
    from engines.runners.tensorrt import machine_facts, tensorrt_key

    machine = machine_facts()
    return tensorrt_key(spec, "f32", machine).facts if spec else machine


def _usual_inputs(spec: AnySpec) -> dict[str, NDArray[Any]]:
    """Noise of the usual sizes, within the range of each input."""
    random = np.random.default_rng(0)
    shapes = {one.name: (one.dtype, one.shape(lambda axis: axis.usual)) for one in inputs_of(spec)}
    return {
        name: random.integers(0, 256, shape, np.uint8) if dtype is np.uint8 else random.random(shape, np.float32) + 0.1
        for name, (dtype, shape) in shapes.items()
    }


def _sizes(spec: AnySpec) -> str:
    axes = {axis.name: axis.usual for one in inputs_of(spec) for axis in one.axes if not isinstance(axis, int)}
    return ", ".join(f"{name} = {usual}" for name, usual in axes.items())


def _time(spec: AnySpec, backend: Backend, precision: Precision, runs: int, threads: int) -> tuple[float, list[float]]:
    """Seconds to open a net, and milliseconds of every run.

    Arrays go in and come out by way of the CPU, so that a GPU is waited for.
    """
    inputs = _usual_inputs(spec)
    with _progress(f"{spec.name} in {backend.name}, {precision}"):
        moments = [time.perf_counter()]
        runner = backend.open(spec, threads, precision)
        opened = time.perf_counter() - moments[0]
        for _ in range(WARM_UP):
            runner.run(inputs)
        moments = [time.perf_counter()]
        for _ in range(runs):
            runner.run(inputs)
            moments.append(time.perf_counter())
    return opened, [1e3 * (after - before) for before, after in pairwise(moments)]


def _version_of(backend: Backend, cuda: bool) -> str:
    if backend.device == "cuda" and not cuda:
        return "needs an NVIDIA GPU and the extra gpu"
    try:
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in backend.packages)
    except importlib.metadata.PackageNotFoundError as error:
        return f"{error.name} is absent"


@contextmanager
def _progress(what: str) -> Iterator[None]:
    """Shows that something goes on, and for how long, where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        progress.add_task(what, total=None)
        yield


def _total(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} engine{'s' * (len(entries) != 1)}, {sum(entry.size for entry in entries) / 1e6:.1f} MB,"


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        show("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
