"""One colour for every point from a distribution over bins of ab (Zhang, Isola and Efros 2016, section 2.3)."""

import torch
from torch import Tensor

from .ab_bins import AbBins
from .colorizer import ColorizerNet


class Annealed(torch.nn.Module):
    """A colorizer with bins that outputs one colour for every point, and a confidence.

    A net that was trained with a weight for each bin outputs distributions that are multiplied by those weights. As the
    weights are known, this can be undone in part: ``rebalancing`` is the exponent that they have in the end, so 0 gives
    the distributions of natural images and 1 those that were learnt.
    """

    def __init__(self, net: ColorizerNet, weights: Tensor) -> None:
        """``weights``, (Q,), are those of training."""
        super().__init__()
        assert net.bins is not None
        self.net, self.bins = net, net.bins
        self.register_buffer("log_weights", weights.log()[None, :, None, None])

    def forward(self, gray: Tensor, temperature: Tensor, rebalancing: Tensor) -> tuple[Tensor, Tensor]:
        """``gray`` (N, 1, H, W) in [0, 1] to the ab and confidence of :func:`annealed_mean`."""
        return annealed_mean(self.rebalanced(self.net(gray), rebalancing), self.bins, temperature=temperature)

    def rebalanced(self, logits: Tensor, rebalancing: Tensor | float) -> Tensor:
        """Logits (N, Q, h, w) whose weights have the exponent ``rebalancing`` instead of 1."""
        assert isinstance(self.log_weights, Tensor)
        return logits + (rebalancing - 1) * self.log_weights


def annealed_mean(logits: Tensor, bins: AbBins, *, temperature: float | Tensor) -> tuple[Tensor, Tensor]:
    """One colour from logits (N, Q, h, w): ab (N, 2, h, w) and its confidence (N, 1, h, w) in (0, 1], float32.

    The colour is the mean of the distribution sharpened by ``temperature``: at 1 the mean itself, near 0 the mode. The
    confidence is 1 / (1 + e / grid^2), where e is the colour's expected squared error under the distribution before
    sharpening, so it is also low where the sharpened colour is one of several likely ones. A net that outputs exact
    soft targets reaches about 0.7.

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
        # E|x - ab|^2 = E|x|^2 - 2 ab . E x + |ab|^2
        error = square - 2 * (ab * mean).sum(1, keepdim=True) + ab.square().sum(1, keepdim=True)
        confidence = 1 / (1 + error.clamp_min(0) / bins.grid**2)
    return ab, confidence


def _mean_of(values: Tensor, distribution: Tensor) -> Tensor:
    """Mean of values (Q, k) under distributions (N, Q, h, w): (N, k, h, w)."""
    return torch.nn.functional.conv2d(distribution, values.T[:, :, None, None])
