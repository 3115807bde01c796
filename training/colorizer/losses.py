"""Losses of colorizers: S1's two on RGB, S2's on classes and on ab, S4's on ab.

All compute in float32 whatever they are given, and average over pixels, so that neither crop size nor batch size
changes the learning rate. Losses on ab are in units of 110, the largest value in sRGB.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from .ab_targets import SoftTargets

AB_UNIT: Final = 110.0

LossNet = Callable[[Tensor], Mapping[str, Tensor]]
"""A frozen classifier, as ``training.vgg.Vgg16``: sRGB (N, 3, H, W) in [0, 1] to features by layer name."""

S1_LAYERS: Final = ("relu1_1", "relu1_2")
"""Of VGG16, in place of S1's first five layers of VGG11."""


def rgb_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error of sRGB (N, 3, H, W) in [0, 1]: S1's first loss."""
    return functional.mse_loss(predicted.float(), truth.float())


def perceptual_loss(loss_net: LossNet, predicted: Tensor, truth: Tensor, layers: Sequence[str] = S1_LAYERS) -> Tensor:
    """Mean squared difference of a classifier's features: S1's second loss, of sRGB (N, 3, H, W) in [0, 1].

    S1 uses the first five layers of VGG11's ``features``: two convolutions with ReLU and a pooling between them. (Its
    code runs all twenty, and under ``no_grad``, so that its term has no gradient.) Here it is the first two
    convolutions of VGG16, without pooling, and the gradient reaches ``predicted``; the classifier's own parameters
    should not require any.

    Each layer's difference is divided by the mean square of the truth's features, because activations of the original
    VGG weights are large and grow with depth; layers then have equal weight.
    """
    with torch.no_grad():
        wanted = loss_net(truth)
    found = loss_net(predicted)
    terms = [
        functional.mse_loss(found[layer].float(), wanted[layer].float())
        / wanted[layer].float().square().mean().clamp_min(1e-6)
        for layer in layers
    ]
    return torch.stack(terms).mean()


def ab_l2_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Half the squared distance of ab (N, 2, h, w): S2's formula 1, and S4's mean squared error but for the unit."""
    return functional.mse_loss(predicted.float() / AB_UNIT, truth.float() / AB_UNIT)


def ab_huber_loss(predicted: Tensor, truth: Tensor, *, delta: float = 1.0) -> Tensor:
    """Smooth L1 of ab (N, 2, h, w), summed over a and b: squared up to ``delta`` CIELAB units, linear beyond.

    Zhang et al. 2017 colorize with it: it pulls less toward the mean of all likely colours than L2 does, and so less
    toward gray. It is divided by ``delta``, so that large errors count as their absolute value whatever ``delta`` is.
    """
    loss = functional.smooth_l1_loss(predicted.float(), truth.float(), beta=delta)
    return 2 * loss / AB_UNIT


def class_loss(logits: Tensor, targets: SoftTargets, class_weights: Tensor | None = None) -> Tensor:
    """Cross-entropy in nats of logits (N, Q, h, w) against soft targets, S2's formula 2.

    ``class_weights`` (Q,) rebalances: a pixel has the weight of its nearest bin.
    """
    logits = logits.movedim(1, -1).float()  # bins are contiguous in channels_last memory
    indices, weights = targets.indices.movedim(1, -1), targets.weights.movedim(1, -1)
    entropy = logits.logsumexp(-1) - (weights * logits.gather(-1, indices)).sum(-1)
    if class_weights is not None:
        entropy = entropy * class_weights.float()[indices[..., 0]]
    return entropy.mean()
