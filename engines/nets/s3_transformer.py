"""Image transformation net of "Emotion-based Style Transfer" (Padalia, Saxena), after Johnson et al. 2016.

Section 3.3: a block of stride 1, two of stride 2, five residual blocks, two blocks after nearest-neighbour upsampling,
and a convolution of stride 1: sixteen convolutions, all but the last with instance normalisation.

What the text leaves open, and what was decided here: 32, 64 and 128 channels, kernels of 9 px first and last and of
3 px between (Johnson et al., supplement), reflection at the borders (Ulyanov et al. 2017: zeros leave visible frames),
instance normalisation with a scale and a shift per channel, and no activation after the last convolution. 1,679,235
parameters; the paper states no number.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (32, 64, 128)
BLOCKS = 5


class S3Transformer(nn.Module):
    """sRGB (N, 3, H, W) in [0, 1] to the same in one style, not clipped. Sides are multiples of 4, at least 16."""

    def __init__(self) -> None:
        super().__init__()
        low, middle, high = WIDTHS
        self.down = nn.Sequential(
            _block(3, low, kernel=9), _block(low, middle, stride=2), _block(middle, high, stride=2)
        )
        self.residual = nn.Sequential(*(_Residual(high) for _ in range(BLOCKS)))
        self.up = nn.ModuleList([_block(high, middle), _block(middle, low)])
        self.last = _convolution(low, 3, kernel=9)

    def forward(self, rgb: Tensor) -> Tensor:
        x = self.residual(self.down(rgb))
        for block in self.up:
            x = block(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return cast(Tensor, self.last(x))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _block(channels, channels), _convolution(channels, channels), nn.InstanceNorm2d(channels, affine=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.body(x))


def _block(channels_in: int, channels_out: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        _convolution(channels_in, channels_out, kernel=kernel, stride=stride),
        nn.InstanceNorm2d(channels_out, affine=True),
        nn.ReLU(inplace=True),
    )


def _convolution(channels_in: int, channels_out: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, padding_mode="reflect")
