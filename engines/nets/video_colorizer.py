"""The colorizer that ships: EfficientNet-Lite0's features, and a decoder to a quarter of the side, where every pixel
gets a distribution over quantised ab.

The backbone contributes what it learnt on ImageNet (S4's prior, here at every scale instead of as one vector); the
output is S2's. Features skip to the decoder as in a U-Net (Ronneberger et al. 2015), and the mean of the deepest ones,
which sees the whole image, is added everywhere as a bias (S4's fusion).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .ab_bins import AbBins
from .colorizer import ColorizerNet
from .efficientnet_lite import EfficientNetLite0, imagenet_weights

SKIPS = (24, 40, 112)
"""Channels of the backbone at a quarter, an eighth and a sixteenth of the side."""
DEEPEST = 320


class VideoColorizer(ColorizerNet):
    """Gray (N, 1, H, W) to logits over ab bins (N, Q, H/4, W/4); sides must be multiples of 32."""

    output_form = "bins"
    multiple = 32

    def __init__(self, grid: int = 12, widths: tuple[int, int, int] = (96, 128, 192)) -> None:
        """``widths`` are the decoder's channels at a quarter, an eighth and a sixteenth."""
        super().__init__()
        self.bins = AbBins(grid)
        quarter, eighth, sixteenth = widths
        self.backbone = EfficientNetLite0()
        # The head after the last stage is for classification only.
        del self.backbone._conv_head, self.backbone._bn1
        self.deepest = ConvNorm(DEEPEST, sixteenth, 1)
        self.whole = nn.Linear(DEEPEST, sixteenth)
        self.sixteenth = ConvNorm(sixteenth + SKIPS[2], sixteenth, 3)
        self.eighth = ConvNorm(sixteenth + SKIPS[1], eighth, 3)
        self.quarter = ConvNorm(eighth + SKIPS[0], quarter, 3)
        self.refine = ConvNorm(quarter, quarter, 3)
        self.head = nn.Conv2d(quarter, len(self.bins), 1)

    def start_from_imagenet(self) -> None:
        """Give the backbone its ImageNet weights; raises ``MissingDependencyError``."""
        self.backbone.load_state_dict(imagenet_weights(), strict=False)

    def forward(self, gray: Tensor) -> Tensor:
        """``gray`` in [0, 1]."""
        images = ((gray * 255 - 127) / 128).expand(-1, 3, -1, -1)
        at_quarter = self.backbone.stages(self.backbone.stem(images), 1, 2)
        at_eighth = self.backbone.stages(at_quarter, 3, 3)
        at_sixteenth = self.backbone.stages(at_eighth, 4, 5)
        at_bottom = self.backbone.stages(at_sixteenth, 6, 7)
        whole = self.whole(at_bottom.mean((2, 3)))
        x = self.deepest(at_bottom) + whole[:, :, None, None]
        x = self.sixteenth(torch.cat([doubled(x), at_sixteenth], 1))
        x = self.eighth(torch.cat([doubled(x), at_eighth], 1))
        x = self.quarter(torch.cat([doubled(x), at_quarter], 1))
        logits: Tensor = self.head(self.refine(x))
        return logits


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out, momentum=0.05)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)))


def doubled(x: Tensor) -> Tensor:
    """``x`` at twice the sides, bilinear."""
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
