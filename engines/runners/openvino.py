"""Nets on the CPU through OpenVINO."""

import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emocolor.errors import EngineError, MissingDependencyError
from emocolor.protocols import Precision

from ..cache import EngineCache, EngineKey

_LOADING: Final = threading.Lock()
"""Held until OpenVINO's binding has made its table of NumPy's types, which it does at the first use: of two threads
that come to it at once, one waits with the interpreter's lock for the other, which waits for that lock, both for ever
(seen with 2026.4)."""


class OpenVinoRunner:
    """One net, compiled for this processor.

    Not for two threads at once: it holds one inference request. Arrays are copied in and out.
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
        """Read an ONNX file and compile it, or load what ``cache`` keeps of that; ``sha256`` is the file's.

        What is loaded is the same compiled net, bit for bit, in a quarter of the time. The precision is always passed
        on, as OpenVINO would choose bfloat16 by itself where the processor has it, and then results would depend on
        the machine. Raises ``MissingDependencyError``, and ``EngineError`` where the file cannot be compiled.
        """
        self._weights = weights
        self._settings: dict[str, Any] = {
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
        """Named arrays in, named arrays out, of the types that the graph says."""
        results = self._request.infer(dict(inputs), share_inputs=True)
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
    """What a compiled net depends on. The number of threads is none of it: that is set when the net is loaded.

    Raises ``MissingDependencyError``.
    """
    core = core or _new_core()
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
            import openvino  # takes a quarter of a second, which commands that run no net need not pay
        except ImportError as error:
            raise MissingDependencyError(f"OpenVINO cannot be imported ({error}): pip install openvino.") from error
        openvino.Type.f32.to_dtype()
        return openvino.Core()


def _last_line(error: RuntimeError) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
