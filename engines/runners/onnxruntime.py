"""Nets on the CPU through ONNX Runtime, where OpenVINO cannot be had."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emocolor.errors import EngineError, MissingDependencyError

WARNINGS_OFF = 3
"""ONNX Runtime's log level at which it prints errors alone."""


class OnnxRunner:
    """One net in float32, optimised for this processor in memory. Not for two threads at once."""

    backend = "ONNX Runtime CPU"

    def __init__(self, weights: Path, *, threads: int) -> None:
        """Read an ONNX file. Raises ``MissingDependencyError`` and, where the file cannot be run, ``EngineError``."""
        try:
            onnxruntime: Any = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise MissingDependencyError(
                f"ONNX Runtime cannot be imported ({error}): pip install 'emocolor-stream[onnxruntime]'."
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = WARNINGS_OFF
        # Threads that spin between runs take cores from decoding and encoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of a class per status code, with RuntimeError and Exception as bases
            reason = str(error).strip().splitlines()[-1]
            raise EngineError(f"ONNX Runtime cannot read {weights.name}: {reason}") from error
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the types that the graph says."""
        found = self._session.run(self._outputs, dict(inputs))
        return {name: np.asarray(value) for name, value in zip(self._outputs, found, strict=True)}
