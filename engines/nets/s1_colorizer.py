"""ColorizationNet of "Colorization of Grayscale Images" (Ariyarthna et al.).

Section III-B: an encoder of convolutions with stride 2 and ReLU on one gray channel, a decoder of
transposed convolutions, and a sigmoid on RGB.

What the text leaves open, and what was decided here: three layers each way with 64, 128 and 256 channels,
3x3 kernels on the way down and 4x4 on the way up (every output pixel then meets equally many weights), ReLU
between the decoder's layers, no batch norm and no skip connections (the text names neither, though it calls
the net inspired by U-Net), and torch's own first weights. 1,028,291 parameters; the paper states no number.
"""

from typing import cast

import torch
from torch import Tensor, nn

from .colorizer import ColorizerNet, scaled_width


class S1Colorizer(ColorizerNet):
    """Gray to sRGB of the same size. ``width`` multiplies the channels; 1 is the net described above."""

    output_form = "rgb"
    multiple = 8

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        low, middle, high = (scaled_width(channels, width) for channels in (64, 128, 256))
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, low, 3, stride=2, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(low, middle, 3, stride=2, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(middle, high, 3, stride=2, padding=1), nn.ReLU(inplace=True)),
        )
        self.decoder = nn.Sequential(
            *(nn.ConvTranspose2d(high, middle, 4, stride=2, padding=1), nn.ReLU(inplace=True)),
            *(nn.ConvTranspose2d(middle, low, 4, stride=2, padding=1), nn.ReLU(inplace=True)),
            nn.ConvTranspose2d(low, 3, 4, stride=2, padding=1),
        )

    def forward(self, gray: Tensor) -> Tensor:
        return torch.sigmoid(cast(Tensor, self.decoder(self.encoder(gray))).float())
