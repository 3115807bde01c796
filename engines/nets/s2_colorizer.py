"""The colorizer of "Image Colorization using CNN" (IJRASET 12/XI), which is that of Zhang, Isola and Efros 2016.

Eight groups of convolutions with ReLU, all but the last closed by batch norm; conv1 to conv3 end with a stride of 2,
conv5 and conv6 are dilated by 2, and conv8 begins with a transposed convolution, so the output has a quarter of the
input's resolution. A 1x1 convolution gives logits over bins of ab, or ab itself (the L2 variant).

What the texts leave open, and what was decided here: lightness enters as (L* - 50) / 100, as in the authors' torch
release; the L2 variant's last layer outputs ab / 110; weights are initialised after He et al. 2015 (the authors start
from k-means of the data). With 313 bins the net has 32,235,385 parameters, 4,992 of them scales and shifts of batch
norm: 129 MB in float32, as in the paper's table.
"""

from typing import Final, cast

from torch import Tensor, nn

from .ab_bins import AbBins
from .cielab import lightness
from .colorizer import ColorizerNet, OutputForm, scaled_width

GROUPS: Final = (
    # channels, convolutions, stride of the last, dilation
    (64, 2, 2, 1),
    (128, 2, 2, 1),
    (256, 3, 2, 1),
    (512, 3, 1, 1),
    (512, 3, 1, 2),
    (512, 3, 1, 2),
    (512, 3, 1, 1),
)
LAST_GROUP: Final = 256
"""Channels of conv8."""
AB_SCALE: Final = 110.0


class S2Colorizer(ColorizerNet):
    """Gray to logits over ``bins``, or without bins to ab, at a quarter of the resolution.

    ``width`` multiplies the channels of all groups; 1 is the paper's.
    """

    multiple = 8

    def __init__(self, bins: AbBins | None, *, width: float = 1.0) -> None:
        super().__init__()
        self.output_form: OutputForm = "ab" if bins is None else "bins"
        self.bins = bins
        groups: list[nn.Module] = []
        channels_in = 1
        for channels, convolutions, stride, dilation in GROUPS:
            channels_out = scaled_width(channels, width)
            groups.append(_group(channels_in, channels_out, convolutions, stride, dilation))
            channels_in = channels_out
        last = scaled_width(LAST_GROUP, width)
        groups.append(
            nn.Sequential(
                *(nn.ConvTranspose2d(channels_in, last, 4, stride=2, padding=1), nn.ReLU(inplace=True)),
                *(nn.Conv2d(last, last, 3, padding=1), nn.ReLU(inplace=True)),
                *(nn.Conv2d(last, last, 3, padding=1), nn.ReLU(inplace=True)),
            )
        )
        self.groups = nn.Sequential(*groups)
        self.last = nn.Conv2d(last, 2 if bins is None else len(bins), 1)
        for module in self.groups.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, module.bias))

    def forward(self, gray: Tensor) -> Tensor:
        x = cast(Tensor, self.last(self.groups((lightness(gray) - 50) / 100)))
        return x.float() * AB_SCALE if self.bins is None else x


def _group(channels_in: int, channels: int, convolutions: int, stride: int, dilation: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(convolutions):
        last = index == convolutions - 1
        layers += [
            nn.Conv2d(
                channels if index else channels_in,
                channels,
                3,
                stride=stride if last else 1,
                padding=dilation,
                dilation=dilation,
            ),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.BatchNorm2d(channels))
