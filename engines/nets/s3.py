"""The emotion classifier of "Emotion-based Style Transfer" (Padalia, Saxena): 21 layers for 128x128x3.

Five [conv 3x3 valid, ReLU, batch norm, max-pool 2x2] with 16, 32, 64, 128 and 256 filters, dropout 0.25 after blocks 2
and 4, flatten, dense layers of 512 and 256 with ReLU, and a dense layer of 7 with softmax. As the paper counts layers,
five times (conv with its ReLU, norm, pool), two dropouts, flatten and three dense layers make 21.

What the text leaves open, and what was decided here: Keras' defaults as in ``s0`` (the paper used Keras), and pixel
values divided by 255.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .emotion_net import CLASSES, EmotionNet, start_as_keras


class ConvBlock(nn.Module):
    """[conv 3x3 valid, ReLU, batch norm, max-pool 2x2]."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3)
        self.norm = nn.BatchNorm2d(channels_out, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(self.norm(functional.relu(self.conv(x))), 2)


class S3Net(EmotionNet):
    """RGB face crops of 128x128 to emotion logits."""

    size = 128
    channels = 3
    mask_shapes = ((32, 30, 30), (128, 6, 6))
    dropout_rates = (0.25, 0.25)

    def __init__(self, label_sets: Sequence[str] = ("fer2013",)) -> None:
        super().__init__(label_sets)
        self.block1 = ConvBlock(3, 16)
        self.block2 = ConvBlock(16, 32)
        self.block3 = ConvBlock(32, 64)
        self.block4 = ConvBlock(64, 128)
        self.block5 = ConvBlock(128, 256)
        self.dense1 = nn.Linear(256 * 2 * 2, 512)
        self.dense2 = nn.Linear(512, 256)
        self.dense3 = nn.Linear(256, CLASSES * len(label_sets))
        start_as_keras(self)

    def trunk(self, faces: Tensor) -> Tensor:
        """(N, 3, 128, 128) in [0, 1] to (N, 32, 30, 30)."""
        return self.block2(self.block1(faces))

    def head(self, features: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        x = self.drop(features, 0, masks)
        x = self.drop(self.block4(self.block3(x)), 1, masks)
        x = self.block5(x).flatten(1)
        x = functional.relu(self.dense1(x))
        return self.dense3(functional.relu(self.dense2(x)))
