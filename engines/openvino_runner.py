"""Nets on the CPU through OpenVINO."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emocolor.errors import EngineError

from .spec import Precision


class OpenVinoRunner:
    """One net, compiled for this processor.

    Not for two threads at once: it holds one inference request. Arrays are copied in and out.
    """

    backend = "OpenVINO CPU"

    def __init__(self, weights: Path, *, threads: int, precision: Precision = "f32") -> None:
        """Read an ONNX file and compile it.

        The precision is always passed on, as OpenVINO would choose bfloat16 by itself where the
        processor has it, and then results would depend on the machine.
        """
        import openvino  # takes a quarter of a second, which commands that run no net need not pay

        core = openvino.Core()
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._compiled = core.compile_model(str(weights), "CPU", settings)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise EngineError(f"OpenVINO cannot compile {weights.name}: {reason}") from error
        self._request = self._compiled.create_infer_request()
        self._outputs = [output.get_any_name() for output in self._compiled.outputs]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the types that the graph says."""
        results = self._request.infer(dict(inputs), share_inputs=True)
        return {name: np.array(results[name]) for name in self._outputs}
