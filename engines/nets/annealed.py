"""From distributions over bins of ab to one colour a point (Zhang, Isola and Efros 2016, section 2.3)."""

import torch
from torch import Tensor

from .ab_bins import AbBins
from .colorizer import ColorizerNet


class Annealed(torch.nn.Module):
    """A colorizer with bins, answering with one colour a point and how sure it is.

    A net that learnt with a weight for each bin gives distributions that are multiplied by those weights.
    What is known is undone or strengthened afterwards: ``rebalancing`` is the exponent that the weights shall
    have, so 0 gives the distributions of natural images and 1 those that were learnt.
    """

    def __init__(self, net: ColorizerNet, weights: Tensor) -> None:
        """``weights``: (Q,), those of training."""
        super().__init__()
        assert net.bins is not None
        self.net, self.bins = net, net.bins
        self.register_buffer("log_weights", weights.log()[None, :, None, None])

    def forward(self, gray: Tensor, temperature: Tensor, rebalancing: Tensor) -> tuple[Tensor, Tensor]:
        return annealed_mean(self.rebalanced(self.net(gray), rebalancing), self.bins, temperature=temperature)

    def rebalanced(self, logits: Tensor, rebalancing: Tensor | float) -> Tensor:
        """Logits (N, Q, h, w) with another exponent of the weights."""
        assert isinstance(self.log_weights, Tensor)
        return logits + (rebalancing - 1) * self.log_weights


def annealed_mean(logits: Tensor, bins: AbBins, *, temperature: float | Tensor) -> tuple[Tensor, Tensor]:
    """One colour from logits (N, Q, h, w): ab (N, 2, h, w) and how sure it is, (N, 1, h, w) in (0, 1], float32.

    The colour is the mean of the distribution sharpened by ``temperature``: at 1 the mean itself, towards 0
    the mode. Sureness is 1 / (1 + e / grid^2), where e is the squared error that the colour has in the mean
    over the distribution as the net gave it; so it also falls where a sharpened colour is one of several
    likely ones. A net that gives exact soft targets reaches about 0.7.

    Raises ``ValueError`` for a temperature that is not above 0.
    """
    if isinstance(temperature, float | int) and temperature <= 0:
        raise ValueError(f"The temperature of an annealed mean must be above 0, got {temperature}.")
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.float()
        centers = torch.from_numpy(bins.centers.copy()).to(logits.device, logits.dtype)
        squares = centers.square().sum(1, keepdim=True)
        ab = _mean_of(centers, (logits / temperature).softmax(1))
        distribution = logits.softmax(1)
        mean, square = _mean_of(centers, distribution), _mean_of(squares, distribution)
        error = square - 2 * (ab * mean).sum(1, keepdim=True) + ab.square().sum(1, keepdim=True)
        sureness = 1 / (1 + error.clamp_min(0) / bins.grid**2)
    return ab, sureness


def _mean_of(values: Tensor, distribution: Tensor) -> Tensor:
    """Of values (Q, k) under distributions (N, Q, h, w): (N, k, h, w)."""
    return torch.nn.functional.conv2d(distribution, values.T[:, :, None, None])
