"""Nets on the CPU through OpenVINO."""

import io
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emocolor.errors import EngineError, MissingDependencyError
from emocolor.protocols import Precision

from ..cache import EngineCache, EngineKey

_LOADING: Final = threading.Lock()
"""Held until OpenVINO's binding has built its table of NumPy types, which it does at the first use. If two threads get
there together, one waits for the other while holding the GIL, which the other needs: a deadlock (seen with 2026.4)."""
TELEMETRY: Final = "openvino_telemetry"
"""A package that OpenVINO installs and imports. Unless it is told otherwise in the home folder, it writes an identifier
there and sends it to www.google-analytics.com, at the import already (seen with 2026.4)."""


class OpenVinoRunner:
    """One net, compiled for this CPU.

    Not thread-safe, since it holds one inference request. Output arrays are copies.
    """

    backend = "OpenVINO CPU"

    def __init__(
        self,
        weights: Path,
        *,
        threads: int,
        precision: Precision = "f32",
        cache: EngineCache | None = None,
        sha256: str = "",
    ) -> None:
        """Read an ONNX file and compile it, or load the compiled net from ``cache``; ``sha256`` is the file's.

        A net from the cache computes the same, bit for bit, and is ready in a quarter of the time. Raises
        ``MissingDependencyError``, and ``EngineError`` if the file cannot be compiled.
        """
        self._weights = weights
        self._settings: dict[str, Any] = {
            # By default OpenVINO takes bfloat16 on CPUs that have it: results would depend on the machine.
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        self._core = _new_core()
        if cache is None:
            model = self._compile()
        else:
            model = cache.engine(openvino_key(weights.stem, sha256, precision, self._core), self._load, self._build)
        self._request = model.create_infer_request()
        self._outputs = [output.get_any_name() for output in model.outputs]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the graph's types. Raises ``EngineError`` where the graph fails."""
        try:
            results = self._request.infer(dict(inputs), share_inputs=True)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot run {self._weights.name}: {_last_line(error)}") from error
        return {name: np.array(results[name]) for name in self._outputs}

    def _compile(self) -> Any:
        try:
            return self._core.compile_model(str(self._weights), "CPU", self._settings)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {self._weights.name}: {_last_line(error)}") from error

    def _build(self) -> tuple[Any, bytes]:
        model, blob = self._compile(), io.BytesIO()
        model.export_model(blob)
        return model, blob.getvalue()

    def _load(self, blob: bytes) -> Any:
        try:
            return self._core.import_model(blob, "CPU", self._settings)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot load it: {_last_line(error)}") from error


def openvino_key(net: str, sha256: str, precision: Precision, core: Any = None) -> EngineKey:
    """What a compiled net depends on. The number of threads does not count: it is set when the net is loaded.

    Raises ``MissingDependencyError``.
    """
    core = core or _new_core()  # it imports OpenVINO without its telemetry, so it comes first
    import openvino

    facts = {
        "weights": sha256,
        "OpenVINO": openvino.get_version(),
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        "capabilities": " ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
    }
    return EngineKey("openvino", net, precision, facts)


def _new_core() -> Any:
    with _LOADING:
        try:
            with _without_telemetry():
                import openvino  # a quarter of a second, which commands that run no net need not wait
        except ImportError as error:
            raise MissingDependencyError(f"OpenVINO cannot be imported ({error}): pip install openvino.") from error
        openvino.Type.f32.to_dtype()
        return openvino.Core()


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Within the block the telemetry package cannot be imported; OpenVINO then takes its own stub that does nothing."""
    absent = object()
    found = sys.modules.get(TELEMETRY, absent)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # Python's way to say that there is no such module
    try:
        yield
    finally:
        if found is absent:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = found  # type: ignore[assignment]


def _last_line(error: RuntimeError) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
