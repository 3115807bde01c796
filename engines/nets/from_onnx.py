"""Nets that ship, back in torch: their ONNX file's tensors by name into the definition.

Needs the package ``onnx`` (extra ``train``).
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from emocolor.errors import EngineError
from engines.spec import read_spec

from .catalog import emotion_net
from .emotion_net import EmotionNet

HALF = ".half"
"""Ending of a stored float16 tensor's name."""


def load_net(name: str) -> EmotionNet:
    """A shipped net by name, or any exported one by path, in evaluation mode and float32.

    Raises ``ConfigurationError`` for an unknown name and ``EngineError`` where file and definition differ.
    """
    spec = read_spec(name)
    net = emotion_net(spec.definition, spec.label_sets)
    state = load_weights(spec.weights)
    lost = {key for key in net.state_dict() if not key.endswith("num_batches_tracked")} - state.keys()
    if lost:
        raise EngineError(f"{spec.weights} lacks {', '.join(sorted(lost))} of the net '{spec.definition}'.")
    net.load_state_dict(state, strict=False)
    return net.eval()


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dictionary (float32) that an exported ONNX file holds, by torch's names."""
    stored = {t.name.removesuffix(HALF): numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in stored.items() if "." in name}
