"""The graphs that ship, in torch: a net with its pre- and postprocessing, and the weights of its ONNX file.

The ONNX files are exported from these modules (``training.emotion.export``, ``training.colorizer.export``,
``training.style.export``), so names, shapes and ranges are the same wherever a net runs. Needs ``onnx``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from emocolor.errors import EngineError, nearest

from ..spec import AnySpec, ColorizerSpec, EmotionNetSpec, StyleSpec
from .annealed import Annealed
from .catalog import emotion_net
from .context_colorizer import ContextColorizer
from .emotion_net import EmotionNet
from .from_onnx import fill
from .style_net import LAYOUTS, StyleNet
from .video_colorizer import VideoColorizer

COLORIZERS: dict[str, Callable[[int], VideoColorizer | ContextColorizer]] = {
    "video": VideoColorizer,
    "context": ContextColorizer,
}
"""Definitions of colorizers with their default layers, made for a grid of bins."""


@dataclass(frozen=True)
class Graph:
    """A module whose inputs and outputs have names."""

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class MonteCarlo(nn.Module):
    """A net's Monte Carlo passes as probabilities, one output (T, N, 7) per label set."""

    def __init__(self, net: EmotionNet, temperatures: Mapping[str, float]) -> None:
        super().__init__()
        self.net = net
        self._temperatures = [float(temperatures[name]) for name in net.label_sets]

    def forward(self, faces: Tensor, *masks: Tensor) -> tuple[Tensor, ...]:
        logits = self.net.monte_carlo(faces, *masks).unbind(2)
        return tuple((part / t).softmax(-1) for part, t in zip(logits, self._temperatures, strict=True))


class Painter(nn.Module):
    """A style net on images as they are stored: (N, H, W, 3) uint8 in and out."""

    def __init__(self, net: StyleNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, rgb: Tensor, mixture: Tensor) -> Tensor:
        return packed(self.net(unpacked(rgb), mixture))


def unpacked(codes: Tensor) -> Tensor:
    """Images (N, H, W, 3) uint8 to nets' input (N, 3, H, W) float32 in [0, 1]."""
    return codes.permute(0, 3, 1, 2).float() / 255


def packed(rgb: Tensor) -> Tensor:
    """The inverse of :func:`unpacked`, clipped and rounded."""
    return (rgb.permute(0, 2, 3, 1).clamp(0, 1) * 255).round().to(torch.uint8)


def graph_of(spec: AnySpec) -> Graph:
    """The graph of a net in evaluation mode, float32, on the CPU.

    Raises ``EngineError`` if the file lacks a tensor of the definition that the card names.
    """
    match spec:
        case EmotionNetSpec():
            return _emotion(spec)
        case ColorizerSpec():
            return _colorizer(spec)
        case StyleSpec():
            return _style(spec)


def _emotion(spec: EmotionNetSpec) -> Graph:
    net = emotion_net(spec.definition, spec.label_sets)
    fill(net, spec.weights)
    module = MonteCarlo(net, spec.temperatures)
    return Graph(module.eval(), ("faces", *spec.dropouts), spec.label_sets)


def _colorizer(spec: ColorizerSpec) -> Graph:
    if spec.definition not in COLORIZERS:
        raise EngineError(f"Unknown net definition '{spec.definition}'{nearest(spec.definition, list(COLORIZERS))}")
    net = COLORIZERS[spec.definition](spec.grid)
    state = fill(net, spec.weights)
    if "log_weights" not in state:
        raise EngineError(f"{spec.weights} lacks log_weights, the weights of its bins in training.")
    module = Annealed(net, state["log_weights"].flatten().exp())
    return Graph(module.eval(), ("gray", "temperature", "rebalancing"), ("ab", "confidence"))


def _style(spec: StyleSpec) -> Graph:
    if spec.definition not in LAYOUTS:
        raise EngineError(f"Unknown layout of a style net '{spec.definition}'{nearest(spec.definition, LAYOUTS)}")
    net = StyleNet(LAYOUTS[spec.definition])
    fill(net, spec.weights)
    return Graph(Painter(net).eval(), ("rgb", "mixture"), ("painted",))
