"""A colorizer with a view of the whole image: EfficientNet-Lite's features, attention, and a decoder to a quarter of
the side, where every pixel gets a distribution over quantised ab.

As in :mod:`engines.nets.video_colorizer`, features skip to the decoder as in a U-Net and the mean of the deepest ones
is added everywhere. Two things are new, both so that a room or a street has one light. Points at a sixteenth of the
side attend to each other (Vaswani et al. 2017), each with a depthwise convolution that tells it where it is (Chu et al.
2021). And the mean over these points becomes a palette: logits over the bins that are added to those of every pixel,
so that the image's cast is learnt once, and not at each pixel alone. Both start at zero: an untrained net is one
without context, and with Lite0 and its widths it is a ``VideoColorizer``, from whose weights it can go on.
"""

from typing import Final, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .ab_bins import AbBins
from .colorizer import ColorizerNet
from .efficientnet_lite import VARIANTS, EfficientNetLite, Variant, imagenet_weights
from .video_colorizer import ConvNorm, doubled

HEAD_WIDTH: Final = 32
"""Channels of an attention head."""


class ContextColorizer(ColorizerNet):
    """Gray (N, 1, H, W) to logits over ab bins (N, Q, H/4, W/4); sides must be multiples of 32."""

    output_form = "bins"
    multiple = 32

    def __init__(
        self,
        grid: int = 12,
        variant: Variant = "lite0",
        widths: tuple[int, int, int] = (96, 128, 192),
        blocks: int = 2,
        dropout: float = 0.0,
    ) -> None:
        """``widths`` are the decoder's channels at a quarter, an eighth and a sixteenth; ``blocks`` those of attention.

        The width at a sixteenth must be a multiple of ``HEAD_WIDTH``. ``dropout`` drops channels of the deepest
        features in training.
        """
        super().__init__()
        self.bins = AbBins(grid)
        quarter, eighth, sixteenth = widths
        out = [channels for *_, channels in VARIANTS[variant]]
        self.backbone = EfficientNetLite(variant)
        # The head after the last stage is for classification only.
        del self.backbone._conv_head, self.backbone._bn1
        self.dropout = nn.Dropout2d(dropout)
        self.deepest = ConvNorm(out[6], sixteenth, 1)
        self.whole = nn.Linear(out[6], sixteenth)
        self.sixteenth = ConvNorm(sixteenth + out[4], sixteenth, 3)
        self.attention = nn.Sequential(*(AttentionBlock(sixteenth) for _ in range(blocks)))
        self.palette = zeroed(nn.Linear(sixteenth, len(self.bins)))
        self.eighth = ConvNorm(sixteenth + out[2], eighth, 3)
        self.quarter = ConvNorm(eighth + out[1], quarter, 3)
        self.refine = ConvNorm(quarter, quarter, 3)
        self.head = nn.Conv2d(quarter, len(self.bins), 1)

    def start_from_imagenet(self) -> None:
        """Give the backbone its ImageNet weights; raises ``MissingDependencyError``."""
        self.backbone.load_state_dict(imagenet_weights(self.backbone.variant), strict=False)

    def forward(self, gray: Tensor) -> Tensor:
        """``gray`` in [0, 1]."""
        images = ((gray * 255 - 127) / 128).expand(-1, 3, -1, -1)
        at_quarter = self.backbone.stages(self.backbone.stem(images), 1, 2)
        at_eighth = self.backbone.stages(at_quarter, 3, 3)
        at_sixteenth = self.backbone.stages(at_eighth, 4, 5)
        at_bottom = self.dropout(self.backbone.stages(at_sixteenth, 6, 7))
        whole = self.whole(at_bottom.mean((2, 3)))
        x = self.deepest(at_bottom) + whole[:, :, None, None]
        x = self.attention(self.sixteenth(torch.cat([doubled(x), at_sixteenth], 1)))
        palette = self.palette(x.mean((2, 3)))
        x = self.eighth(torch.cat([doubled(x), at_eighth], 1))
        x = self.quarter(torch.cat([doubled(x), at_quarter], 1))
        logits: Tensor = self.head(self.refine(x)) + palette[:, :, None, None]
        return logits


Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


def zeroed(layer: Layer) -> Layer:
    """``layer`` with weights and bias of zero, so that a branch which ends in it adds nothing at first."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class AttentionBlock(nn.Module):
    """Attention among all points of a map, then a dense layer at each, both added to it: (N, C, h, w) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        assert channels % HEAD_WIDTH == 0, channels
        self.heads = channels // HEAD_WIDTH
        self.position = zeroed(nn.Conv2d(channels, channels, 3, padding=1, groups=channels))
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.projection = zeroed(nn.Linear(channels, channels))
        self.dense_norm = nn.LayerNorm(channels)
        narrowed = zeroed(nn.Linear(2 * channels, channels))
        self.dense = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), narrowed)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position(x)
        count, channels, height, width = x.shape
        points = x.flatten(2).transpose(1, 2)
        split = self.query_key_value(self.norm(points)).unflatten(2, (3, self.heads, HEAD_WIDTH))
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value)
        points = points + self.projection(attended.transpose(1, 2).flatten(2))
        points = points + self.dense(self.dense_norm(points))
        return points.transpose(1, 2).reshape(count, channels, height, width)
