"""Nets on an NVIDIA GPU through TensorRT: Torch-TensorRT builds an engine ahead of time, TensorRT runs it.

Written against the documentation of Torch-TensorRT 2.11 to 2.13 (TensorRT 10.15 to 11.0): "Extracting a Raw TensorRT
Engine" for building, IExecutionContext of TensorRT's Python API for running. The engine is cached as a plan, TensorRT's
own format, because a compiled module as torch saves it is a pickle. So the next start needs no Torch-TensorRT.

None of this has run yet. On a machine with TensorRT, start with ``REQUIRE_TENSORRT=1 python -m pytest -m tensorrt``.
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
"""How long a process waits for another one that is building the same engine."""


def open_tensorrt(spec: AnySpec, precision: Precision, cache: EngineCache) -> "TensorRtRunner":
    """A net's engine from the cache, or a new one, which takes minutes to build.

    Raises ``MissingDependencyError``, and ``EngineError`` if TensorRT cannot build or run the net.
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
    """The GPU and the versions that an engine depends on. Raises ``MissingDependencyError``."""
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
    """Build a net's plan for the sizes that ``engines.shapes`` states, without TF32.

    Dropout masks are inputs, so the engine does Monte Carlo dropout too. Raises ``MissingDependencyError`` and
    ``EngineError``.
    """
    torch_tensorrt = _package("torch_tensorrt")
    inputs = inputs_of(spec)
    try:
        program = exported(graph_of(spec), inputs, device="cuda", precision=precision)
        with TemporaryDirectory() as folder:  # by default all users share a folder for the timing cache
            plan: bytes = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
                program,
                arg_inputs=[_input(torch_tensorrt, one) for one in float_inputs(inputs)],
                use_explicit_typing=True,
                disable_tf32=True,
                immutable_weights=True,
                timing_cache_path=str(Path(folder) / "timing.bin"),
            )
    except Exception as error:  # Torch-TensorRT passes on whatever its parts raise
        raise EngineError(f"TensorRT cannot build an engine of {spec.name}: {_first_line(error)}") from error
    finally:
        torch.cuda.empty_cache()
    return plan


class TensorRtRunner:
    """One engine, with a CUDA graph of the sizes that it last ran at. Not thread-safe."""

    def __init__(self, plan: bytes, spec: AnySpec) -> None:
        """Load a plan. Raises ``EngineError`` if it is damaged, of another version or too large for the GPU."""
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
        are_inputs = [engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT for name in tensors]
        # Both in the order of the graph that was exported; the names are TensorRT's, not ours.
        self._tensors_in = [name for name, is_input in zip(tensors, are_inputs, strict=True) if is_input]
        self._tensors_out = [name for name, is_input in zip(tensors, are_inputs, strict=True) if not is_input]
        if (len(self._tensors_in), len(self._tensors_out)) != (len(self._inputs), len(self._names)):
            raise EngineError("The plan belongs to another net.")
        self._engine, self._runtime = engine, runtime  # the context needs both alive
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._shapes: list[torch.Size] = []
        self._buffers: dict[str, Tensor] = {}
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out. Raises ``OutOfMemoryError``, also for images too large for engines."""
        for one in self._inputs:
            _check_size(one, inputs[one.name].shape)
        try:
            with torch.inference_mode(), torch.cuda.stream(self._stream):
                given = [self._on_gpu(one, inputs[one.name]) for one in self._inputs]
                if [tensor.shape for tensor in given] != self._shapes:
                    self._allocate(given)
                for name, tensor in zip(self._tensors_in, given, strict=True):
                    self._buffers[name].copy_(tensor)
                self._execute()
                found = [self._buffers[name] for name in self._tensors_out]
                parts = map(packed, found) if self._takes_uint8 else found
                return {name: np.asarray(part.cpu().numpy()) for name, part in zip(self._names, parts, strict=True)}
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(NO_ROOM) from error

    @property
    def _takes_uint8(self) -> bool:
        return any(one.dtype is np.uint8 for one in self._inputs)

    def _on_gpu(self, one: Input, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).cuda()
        return unpacked(tensor) if one.dtype is np.uint8 else tensor

    def _allocate(self, given: list[Tensor]) -> None:
        """Reserve memory for inputs and outputs of these sizes, at fixed addresses as a CUDA graph needs them."""
        self._graph, self._warm = None, False
        self._buffers = {name: tensor.contiguous() for name, tensor in zip(self._tensors_in, given, strict=True)}
        for name, tensor in self._buffers.items():
            if not self._context.set_input_shape(name, tuple(tensor.shape)):
                raise EngineError(f"TensorRT does not take {tuple(tensor.shape)} as {name}.")
        for name in self._tensors_out:
            shape = tuple(self._context.get_tensor_shape(name))
            self._buffers[name] = torch.empty(shape, dtype=torch.float32, device="cuda")
        for name, tensor in self._buffers.items():
            self._context.set_tensor_address(name, tensor.data_ptr())
        self._shapes = [tensor.shape for tensor in given]

    def _execute(self) -> None:
        """Run without a graph the first time at a size, as TensorRT asks for before a capture; capture the second."""
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
            raise EngineError("TensorRT could not run the engine; its own message stands above.")


def _check_size(one: Input, shape: tuple[int, ...]) -> None:
    for axis, length in zip(one.axes, shape, strict=True):
        if isinstance(axis, Axis) and length > (most := axis.engine_most or axis.most):
            raise OutOfMemoryError(f"Engines take {one.name} up to {axis.name} = {most}; got {length}.")


def _profile(one: Input) -> tuple[tuple[int, ...], ...]:
    """The least, usual and largest shape of an input, or its only one."""
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
    except (ImportError, OSError, RuntimeError) as error:  # its libraries may be missing or of another version
        raise MissingDependencyError(
            f"{name} cannot be imported ({_first_line(error)}): pip install 'emocolor-stream[gpu]'."
        ) from error


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingDependencyError(f"{distribution} is not installed: pip install 'emocolor-stream[gpu]'.") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
