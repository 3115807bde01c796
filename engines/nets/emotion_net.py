"""What every emotion classifier in torch has in common: a trunk, a head, and dropout between them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 7

LABEL_SETS = ("fer2013", "ferplus")
"""The labels that an output was taught: those of FER2013, or the crowd votes of FER+ over the same classes."""


class EmotionNet(nn.Module, ABC):
    """Face crops to emotion logits, for one label set or several.

    ``trunk`` is everything before the first dropout and ``head`` the rest, so Monte Carlo dropout runs the trunk once
    per face and the head once per mask.
    """

    size: ClassVar[int]
    """Side of the square crop."""
    channels: ClassVar[int]
    """1 for gray, 3 for RGB."""
    mask_shapes: ClassVar[tuple[tuple[int, ...], ...]]
    """For each dropout the shape of its mask, without the batch axis."""
    dropout_rates: ClassVar[tuple[float, ...]]
    """For each dropout the probability that an element is dropped."""

    def __init__(self, label_sets: Sequence[str] = ("fer2013",)) -> None:
        super().__init__()
        assert label_sets, "a net has at least one label set"
        assert set(label_sets) <= set(LABEL_SETS), label_sets
        self.label_sets = tuple(label_sets)

    @abstractmethod
    def trunk(self, faces: Tensor) -> Tensor:
        """Features before the first dropout, from crops (N, channels, size, size) in [0, 1]."""

    @abstractmethod
    def head(self, features: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """Logits (N, label sets x 7) from the trunk's features.

        With masks, each dropout is a multiplication by its mask. Without them it is ordinary dropout, which acts in
        training mode only.
        """

    def drop(self, x: Tensor, layer: int, masks: Sequence[Tensor] | None) -> Tensor:
        """Dropout number ``layer``, by its mask if masks are given."""
        if masks is not None:
            return x * masks[layer]
        return functional.dropout(x, self.dropout_rates[layer], self.training)

    def forward(self, faces: Tensor) -> Tensor:
        """Logits (N, label sets, 7); in training mode every face gets a mask of its own."""
        return self.head(self.trunk(faces)).unflatten(1, (-1, CLASSES))

    def monte_carlo(self, faces: Tensor, *masks: Tensor) -> Tensor:
        """Logits (T, N, label sets, 7) under T given masks, one tensor (T, *shape) per dropout."""
        features = self.trunk(faces)
        passes, count = masks[0].shape[0], features.shape[0]
        tiled = features.unsqueeze(0).expand(passes, *features.shape).flatten(0, 1)
        # All faces of a pass share its mask, so that they differ by what they show and not by their masks.
        spread = [m.unsqueeze(1).expand(-1, count, *m.shape[1:]).flatten(0, 1) for m in masks]
        return self.head(tiled, spread).unflatten(1, (-1, CLASSES)).unflatten(0, (passes, count))


def start_as_keras(net: nn.Module) -> None:
    """Initialise in place as Keras does by default: Glorot-uniform kernels and zero biases."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def count_parameters(net: nn.Module) -> tuple[int, int]:
    """Trainable parameters, and running statistics (batch norm means and variances)."""
    trainable = sum(p.numel() for p in net.parameters() if p.requires_grad)
    running = sum(b.numel() for b in net.buffers() if torch.is_floating_point(b))
    return trainable, running
