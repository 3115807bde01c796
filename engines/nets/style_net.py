"""The style nets that ship: seven styles and the identity in one net, in any mixture.

After Dumoulin, Shlens and Kudlur 2017 ("A learned representation for artistic style"): all styles share the
convolutions, and each has its own scales and shifts after every instance normalisation. A mixture of styles uses the
mixture of these, so it costs as much as one style.

The identity is ours. The paper's nets repaint the image from nothing; these output ``keep * image + gain * painting +
tone``, where ``keep``, ``gain`` and ``tone`` belong to the style and mix as the scales and shifts do. Those of the
identity are fixed to 1, 0 and 0, so at strength 0 the output is the input, and there is no step on the way there.
"""

from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from emocolor.emotions import EMOTIONS

IDENTITY: Final = len(EMOTIONS)
"""Index of the identity in a mixture, after the seven emotions in FER2013's order."""
SETS: Final = IDENTITY + 1
KEPT_AT_FIRST: Final = 0.5
"""How much of the image an untrained style keeps."""
PAINTED_AT_FIRST: Final = 0.3
"""How strongly an untrained net paints."""


@dataclass(frozen=True, kw_only=True)
class StyleLayout:
    """Widths and depth of a net, and the resolutions at which it works."""

    widths: tuple[int, ...]
    """Channels on the way down: three for the full, half and quarter side, or two for the half and quarter side."""
    blocks: int = 5
    """Residual blocks at a quarter of the side."""
    separable: bool = False
    """Residual blocks of depthwise and pointwise convolutions (Howard et al. 2017) instead of full ones, and fewer
    channels before upsampling instead of after."""


LAYOUTS: Final = {
    "full": StyleLayout(widths=(32, 64, 128)),
    "fast": StyleLayout(widths=(16, 64), blocks=4, separable=True),
}
"""``full`` is as wide and deep as S3's net. ``fast`` starts and ends at half the side: its painting is upsampled
linearly, so the finest detail comes only from what is kept of the image."""

MARGIN: Final = 20
"""Pixels by which an image is extended at each side in training, by mirroring; they are painted and cropped. Beyond
them convolutions pad with zeros, which is free, while S3's net mirrors in every layer. The zeros tell a net where the
border is, and the loss of VGG16, which pads with zeros too, makes it paint a frame there."""
PAINTED_MARGIN: Final = 32
"""The margin when it paints: the frame lies twenty pixels from the zeros and is cropped with the rest."""


class StyleNet(nn.Module):
    """sRGB (N, 3, H, W) in [0, 1] and a mixture (N, 8) to sRGB of the same size, not clipped.

    A mixture holds the weights of the seven emotions' styles and of the identity, none negative, with sum 1. Sides must
    be multiples of 4, at least 36.
    """

    multiple = 4

    def __init__(self, layout: StyleLayout) -> None:
        super().__init__()
        self.layout = layout
        whole = len(layout.widths) == 3
        channels = (3, *layout.widths)
        kernel = 9 if whole else 5
        strides = (1, 2, 2) if whole else (2, 2)
        self.down = nn.ModuleList(
            _Block(channels[i], channels[i + 1], kernel=kernel if i == 0 else 3, stride=stride)
            for i, stride in enumerate(strides)
        )
        deepest = channels[-1]
        self.residual = nn.ModuleList(_Residual(deepest, separable=layout.separable) for _ in range(layout.blocks))
        upward = channels[:0:-1]
        self.up = nn.ModuleList(
            _Up(upward[i], upward[i + 1], separable=layout.separable) for i in range(len(upward) - 1)
        )
        self.last = _conv(channels[1], 3, kernel=9 if whole else 3)
        nn.init.xavier_uniform_(self.last.weight, gain=PAINTED_AT_FIRST)
        self.keep = nn.Parameter(torch.full((IDENTITY, 1), KEPT_AT_FIRST))
        self.gain = nn.Parameter(torch.ones(IDENTITY, 3))
        self.tone = nn.Parameter(torch.zeros(IDENTITY, 3))

    def forward(self, rgb: Tensor, mixture: Tensor) -> Tensor:
        height, width = rgb.shape[2:]
        margin = MARGIN if self.training else PAINTED_MARGIN
        x = functional.pad(rgb, (margin, margin, margin, margin), mode="reflect")
        for block in (*self.down, *self.residual, *self.up):
            x = block(x, mixture)
        painting = self.last(x).float()
        if len(self.layout.widths) == 2:
            painting = functional.interpolate(painting, scale_factor=2.0, mode="bilinear", align_corners=False)
        painting = painting[:, :, margin : margin + height, margin : margin + width]
        keep, gain, tone = self._ending(mixture)
        return cast(Tensor, keep * rgb + gain * painting + tone)

    def _ending(self, mixture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``keep``, ``gain`` and ``tone`` of a mixture: each (N, 1 or 3, 1, 1)."""
        styles, identity = mixture[:, :IDENTITY], mixture[:, IDENTITY:]
        parts = styles @ self.keep + identity, styles @ self.gain, styles @ self.tone
        keep, gain, tone = (part[:, :, None, None] for part in parts)
        return keep, gain, tone


class ConditionalNorm(nn.Module):
    """Instance normalisation with the mixture's scales and shifts (Dumoulin et al. 2017, section 2.2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(SETS, channels))
        self.shift = nn.Parameter(torch.zeros(SETS, channels))

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        # Means over many pixels need float32's longer mantissa.
        return functional.instance_norm(x.float()) * _mixed(self.scale, mixture) + _mixed(self.shift, mixture)


class _Block(nn.Module):
    """Convolution, conditional norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = _conv(channels_in, channels_out, kernel=kernel, stride=stride)
        self.norm = ConditionalNorm(channels_out)

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x), mixture))


class _Up(nn.Module):
    """Nearest-neighbour upsampling by 2, convolution, conditional norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, separable: bool) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels_in, channels_out, 1) if separable else nn.Identity()
        self.block = _Block(channels_out if separable else channels_in, channels_out)

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        x = functional.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        return cast(Tensor, self.block(x, mixture))


class _Residual(nn.Module):
    """Two convolutions, each with its norm, added to the input."""

    def __init__(self, channels: int, *, separable: bool) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_inner(channels, separable=separable) for _ in range(2))
        self.norms = nn.ModuleList(ConditionalNorm(channels) for _ in range(2))

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        first, second = self.convolutions
        inner = functional.relu(self.norms[0](first(x), mixture))
        return x + cast(Tensor, self.norms[1](second(inner), mixture))


def _mixed(sets: Tensor, mixture: Tensor) -> Tensor:
    """The mixture of parameter sets (8, C): (N, C, 1, 1).

    The matrix product is written as a 1x1 convolution, whose result has the memory layout of the layers around it.
    After a plain product OpenVINO reorders the values of every layer there and back, which takes much of the fast net's
    time.
    """
    return functional.conv2d(mixture[:, :, None, None], sets.t()[:, :, None, None])


def _inner(channels: int, *, separable: bool) -> nn.Module:
    if not separable:
        return _conv(channels, channels)
    return nn.Sequential(_conv(channels, channels, groups=channels), nn.Conv2d(channels, channels, 1))


def _conv(channels_in: int, channels_out: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups)
