"""What every colorizer in torch has in common: it takes gray and outputs colour in one of three forms."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from .ab_bins import AbBins

OutputForm = Literal["rgb", "ab", "bins"]


class ColorizerNet(nn.Module, ABC):
    """Gray images to colour."""

    output_form: OutputForm
    """What ``forward`` returns: sRGB (N, 3, H, W) in [0, 1], ab of CIELAB (N, 2, h, w), or logits over bins of ab
    (N, Q, h, w). H and W are those of the input; h and w may be smaller by an integer factor."""
    bins: AbBins | None = None
    """The bins of the logits; ``None`` for the other forms."""
    multiple: ClassVar[int]
    """Both sides of the input must be multiples of this; callers pad."""

    @abstractmethod
    def forward(self, gray: Tensor) -> Tensor:
        """Predict colour from ``gray`` (N, 1, H, W), Y' of BT.601 in [0, 1]."""


def scaled_width(channels: int, width: float) -> int:
    """Channels of a layer that has ``channels`` in the paper, times ``width``: a multiple of 8, at least 8."""
    assert width > 0, width
    return max(8, round(channels * width / 8) * 8)
