"""Nets on the CPU through ONNX Runtime, for machines without OpenVINO."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emocolor.errors import EngineError, MissingDependencyError

ERRORS_ONLY: Final = 3
"""ONNX Runtime's log level that hides its warnings."""


class OnnxRunner:
    """One net in float32, optimised for this CPU when it is opened. Not thread-safe."""

    backend = "ONNX Runtime CPU"

    def __init__(self, weights: Path, *, threads: int) -> None:
        """Read an ONNX file. Raises ``MissingDependencyError``, and ``EngineError`` if the file cannot be run."""
        try:
            onnxruntime: Any = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise MissingDependencyError(
                f"ONNX Runtime cannot be imported ({error}): pip install 'emocolor-stream[onnxruntime]'."
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        # Threads that spin between runs take cores from decoding and encoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # it has a class per status code; some derive from Exception alone
            raise EngineError(f"ONNX Runtime cannot read {weights.name}: {_last_line(error)}") from error
        self._name = weights.name
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the graph's types. Raises ``EngineError`` where the graph fails."""
        try:
            found = self._session.run(self._outputs, dict(inputs))
        except Exception as error:  # as above
            raise EngineError(f"ONNX Runtime cannot run {self._name}: {_last_line(error)}") from error
        return {name: np.asarray(value) for name, value in zip(self._outputs, found, strict=True)}


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
