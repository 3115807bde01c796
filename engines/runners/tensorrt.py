"""Nets on an NVIDIA GPU through TensorRT: engines built ahead of time by Torch-TensorRT, kept, and run.

Written against the documentation of Torch-TensorRT 2.11 to 2.13 (TensorRT 10.15 to 11.0): "Extracting a Raw TensorRT
Engine" for building, IExecutionContext of TensorRT's Python API for running. An engine is kept as TensorRT serialises
it, a plan, and not as torch saves a compiled module, which is a pickle; so it is run by TensorRT itself, and the next
start imports no Torch-TensorRT.

None of it has run yet. ``REQUIRE_TENSORRT=1 python -m pytest -m tensorrt`` is what to do first where there is TensorRT.
"""

import importlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emocolor.errors import EngineError, MissingDependencyError, OutOfMemoryError
from emocolor.protocols import Precision

from ..cache import EngineCache, EngineKey
from ..nets.graphs import graph_of, packed, unpacked
from ..shapes import Axis, Input, inputs_of, outputs_of
from ..spec import AnySpec
from .torch import NO_ROOM
from .torch_export import exported, float_inputs

MAX_BUILD_WAIT_S = 1800.0
"""How long a process waits for another one that builds the same engine."""


def open_tensorrt(spec: AnySpec, precision: Precision, cache: EngineCache) -> "TensorRtRunner":
    """A net's engine out of the cache, or a new one, which takes minutes.

    Raises ``MissingDependencyError``, and ``EngineError`` where TensorRT cannot build or run the net.
    """
    facts = machine_facts()

    def build() -> tuple[TensorRtRunner, bytes]:
        plan = build_plan(spec, precision)
        return TensorRtRunner(plan, spec), plan

    return cache.engine(
        tensorrt_key(spec, precision, facts),
        lambda plan: TensorRtRunner(plan, spec),
        build,
        max_wait_s=MAX_BUILD_WAIT_S,
        slow=True,
    )


def tensorrt_key(spec: AnySpec, precision: Precision, machine: Mapping[str, str]) -> EngineKey:
    """What an engine depends on."""
    sizes = (
        f"{one.name} {'/'.join('x'.join(map(str, shape)) for shape in _profile(one))}"
        for one in float_inputs(inputs_of(spec))
    )
    return EngineKey("tensorrt", spec.name, precision, {"weights": spec.sha256, **machine, "sizes": ", ".join(sizes)})


def machine_facts() -> dict[str, str]:
    """GPU and versions; raises ``MissingDependencyError``."""
    versions = {
        "TensorRT": _package("tensorrt").__version__,
        "Torch-TensorRT": _version("torch-tensorrt"),
        "torch": torch.__version__,
    }
    major, minor = torch.cuda.get_device_capability()
    return versions | {
        "GPU": torch.cuda.get_device_name(),
        "compute capability": f"{major}.{minor}",
    }


def build_plan(spec: AnySpec, precision: Precision) -> bytes:
    """A net's engine as TensorRT serialises it, for the sizes that ``engines.shapes`` states.

    The masks of Monte Carlo dropout are inputs of it. TF32 is not allowed. Raises ``EngineError``.
    """
    torch_tensorrt = _package("torch_tensorrt")
    inputs = inputs_of(spec)
    try:
        program = exported(graph_of(spec), inputs, device="cuda", precision=precision)
        with TemporaryDirectory() as folder:  # its default is a folder that all users share
            plan: bytes = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
                program,
                arg_inputs=[_input(torch_tensorrt, one) for one in float_inputs(inputs)],
                use_explicit_typing=True,
                disable_tf32=True,
                immutable_weights=True,
                timing_cache_path=str(Path(folder) / "timing.bin"),
            )
    except Exception as error:  # Torch-TensorRT lets through whatever its parts raise
        raise EngineError(f"TensorRT cannot build an engine of {spec.name}: {_first_line(error)}") from error
    finally:
        torch.cuda.empty_cache()
    return plan


class TensorRtRunner:
    """One engine, with a CUDA graph of the sizes that it runs at. Not for two threads at once."""

    def __init__(self, plan: bytes, spec: AnySpec) -> None:
        """Raises ``EngineError`` where the plan is none, is another version's, or the GPU has no room for it."""
        tensorrt = _package("tensorrt")
        self.backend = f"TensorRT {tensorrt.__version__} cuda"
        self._inputs, self._names = inputs_of(spec), outputs_of(spec)
        runtime = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR))
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError("TensorRT cannot read the plan.")
        self._context = engine.create_execution_context()
        if self._context is None:
            raise EngineError(NO_ROOM)
        tensors = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        taken = [engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT for name in tensors]
        # Both in the order of the graph that was exported.
        self._taken = [name for name, is_input in zip(tensors, taken, strict=True) if is_input]
        self._given = [name for name, is_input in zip(tensors, taken, strict=True) if not is_input]
        if (len(self._taken), len(self._given)) != (len(self._inputs), len(self._names)):
            raise EngineError("the plan is another net's.")
        self._engine, self._runtime = engine, runtime  # which the context needs alive
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._shapes: list[torch.Size] = []
        self._buffers: dict[str, Tensor] = {}
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out. Raises ``OutOfMemoryError``, also for images larger than engines take."""
        for one in self._inputs:
            _check_size(one, inputs[one.name].shape)
        try:
            with torch.inference_mode(), torch.cuda.stream(self._stream):
                given = [self._on_gpu(one, inputs[one.name]) for one in self._inputs]
                if [tensor.shape for tensor in given] != self._shapes:
                    self._lay_out(given)
                for name, tensor in zip(self._taken, given, strict=True):
                    self._buffers[name].copy_(tensor)
                self._execute()
                found = [self._buffers[name] for name in self._given]
                parts = map(packed, found) if self._takes_codes else found
                return {name: np.asarray(part.cpu().numpy()) for name, part in zip(self._names, parts, strict=True)}
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(NO_ROOM) from error

    @property
    def _takes_codes(self) -> bool:
        return any(one.dtype is np.uint8 for one in self._inputs)

    def _on_gpu(self, one: Input, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).cuda()
        return unpacked(tensor) if one.dtype is np.uint8 else tensor

    def _lay_out(self, given: list[Tensor]) -> None:
        """Memory for inputs and outputs of these sizes, at addresses that stay."""
        self._graph, self._warm = None, False
        self._buffers = {name: tensor.contiguous() for name, tensor in zip(self._taken, given, strict=True)}
        for name, tensor in self._buffers.items():
            if not self._context.set_input_shape(name, tuple(tensor.shape)):
                raise EngineError(f"TensorRT does not take {tuple(tensor.shape)} as {name}.")
        for name in self._given:
            shape = tuple(self._context.get_tensor_shape(name))
            self._buffers[name] = torch.empty(shape, dtype=torch.float32, device="cuda")
        for name, tensor in self._buffers.items():
            self._context.set_tensor_address(name, tensor.data_ptr())
        self._shapes = [tensor.shape for tensor in given]

    def _execute(self) -> None:
        """The first run at a size goes kernel by kernel, as TensorRT asks for before a capture; the second captures."""
        if self._warm and self._graph is None:
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self._stream):
                self._enqueue()
            self._graph = graph
        if self._graph is not None:
            self._graph.replay()
        else:
            self._enqueue()
            self._warm = True

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise EngineError("TensorRT could not run the engine; what it said stands above.")


def _check_size(one: Input, shape: tuple[int, ...]) -> None:
    for axis, length in zip(one.axes, shape, strict=True):
        if isinstance(axis, Axis) and length > (axis.engine_most or axis.most):
            raise OutOfMemoryError(f"Engines take {one.name} up to {axis.name} = {axis.engine_most}; got {length}.")


def _profile(one: Input) -> tuple[tuple[int, ...], ...]:
    """Least, usual and most sizes of an input, or its one size."""
    shapes = (one.shape(lambda axis: axis.least), one.shape(lambda axis: axis.usual), one.shape(lambda axis: axis.most))
    return shapes if shapes[0] != shapes[2] else shapes[:1]


def _input(torch_tensorrt: Any, one: Input) -> Any:
    shapes = _profile(one)
    if len(shapes) == 1:
        return torch_tensorrt.Input(shape=shapes[0], dtype=torch.float32, name=one.name)
    least, usual, most = shapes
    return torch_tensorrt.Input(min_shape=least, opt_shape=usual, max_shape=most, dtype=torch.float32, name=one.name)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:  # its libraries may be missing, or be others'
        raise MissingDependencyError(
            f"{name} cannot be imported ({_first_line(error)}): pip install 'emocolor-stream[gpu]'."
        ) from error


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingDependencyError(f"{distribution} is absent: pip install 'emocolor-stream[gpu]'.") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
