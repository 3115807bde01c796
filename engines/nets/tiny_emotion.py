"""The classifier that ships as ``tiny``: a small residual net for live sessions on weak machines.

Five residual blocks after He et al. 2016 on gray faces of 48x48. Dropout acts only on the pooled features and after the
hidden layer, so twenty Monte Carlo passes cost little more than one.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .emotion_net import CLASSES, EmotionNet


class ResidualBlock(nn.Module):
    """Two [conv 3x3, batch norm] beside a shortcut, with a ReLU after each."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and channels_in == channels_out
            else nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(channels_in, channels_out, 1, bias=False),
                nn.BatchNorm2d(channels_out),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class TinyEmotionNet(EmotionNet):
    """Gray face crops of 48x48 to emotion logits."""

    size = 48
    channels = 1
    mask_shapes = ((256,), (128,))
    dropout_rates = (0.3, 0.3)

    def __init__(self, label_sets: Sequence[str] = ("fer2013",)) -> None:
        super().__init__(label_sets)
        self.conv = nn.Conv2d(1, 32, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(32)
        self.blocks = nn.Sequential(
            ResidualBlock(32, 32, 1),
            ResidualBlock(32, 64, 2),
            ResidualBlock(64, 128, 2),
            ResidualBlock(128, 128, 1),
            ResidualBlock(128, 256, 2),
        )
        self.dense1 = nn.Linear(256, 128)
        self.dense2 = nn.Linear(128, CLASSES * len(label_sets))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def trunk(self, faces: Tensor) -> Tensor:
        """(N, 1, 48, 48) in [0, 1] to pooled features (N, 256)."""
        x = functional.relu(self.norm(self.conv(faces)))
        return self.blocks(x).mean((2, 3))

    def head(self, features: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        x = functional.relu(self.dense1(self.drop(features, 0, masks)))
        return self.dense2(self.drop(x, 1, masks))
