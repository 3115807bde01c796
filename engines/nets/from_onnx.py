"""Nets that ship, loaded back into torch: the ONNX file's tensors go into the definition by name.

Needs the package ``onnx`` (extra ``train``).
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from emocolor.errors import EngineError

from ..onnx_file import read_interface
from ..spec import read_emotion_spec
from .catalog import emotion_net
from .emotion_net import EmotionNet

HALF = ".half"
"""Suffix of the names of tensors that are stored as float16."""


def load_net(name: str) -> EmotionNet:
    """An emotion net that ships, by name, or an exported one, by path, in evaluation mode and float32.

    Raises ``ConfigurationError`` for an unknown name and ``EngineError`` if file and definition differ.
    """
    spec = read_emotion_spec(name)
    net = emotion_net(spec.definition, spec.label_sets)
    fill(net, spec.weights)
    return net.eval()


def load_weights(path: Path) -> dict[str, Tensor]:
    """The state dictionary (float32) that an exported ONNX file holds, by torch's names.

    Raises ``EngineError`` for what is no ONNX file, and for one that keeps data outside of itself.
    """
    content = path.read_bytes()
    read_interface(content)
    stored = {
        t.name.removesuffix(HALF): numpy_helper.to_array(t) for t in onnx.load_from_string(content).graph.initializer
    }
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in stored.items() if _is_float(value)}


def fill(net: nn.Module, weights: Path) -> dict[str, Tensor]:
    """Load a file's values into ``net`` and return all that the file holds. Counters of batch norm may be missing.

    Raises ``EngineError`` if another value is missing or has another shape.
    """
    state = load_weights(weights)
    own = net.state_dict()
    lost = sorted(key for key in own if not key.endswith("num_batches_tracked") and key not in state)
    if lost:
        raise EngineError(f"{weights} lacks {', '.join(lost)}.")
    try:
        net.load_state_dict({key: value for key, value in state.items() if key in own}, strict=False)
    except RuntimeError as error:
        raise EngineError(f"{weights} holds another net: {str(error).splitlines()[-1].strip()}") from error
    return state


def _is_float(value: NDArray[Any]) -> bool:
    """Whether it is a weight: integers are shapes and axes of the graph."""
    return np.issubdtype(value.dtype, np.floating)
