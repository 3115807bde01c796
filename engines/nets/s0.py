"""The emotion classifier of "Emotion-Guided Colorization of Grayscale Portraits" (Sarkar, Kota, Lalani).

Sections 3.1 and 5.0.2: four blocks of two [conv 3x3 same, batch norm, ReLU] with 32, 64, 128 and 256 filters,
max-pooling after blocks 1 to 3, global average pooling after block 4, dropout 0.2, 0.25, 0.3, 0.35 at the end of the
blocks, a dense layer of 256 with ReLU and dropout 0.3, and a dense layer of 7 with softmax: 1,241,191 trainable
parameters and 1,920 batch-norm running statistics, as the paper counts them.

What the text leaves open, and what was decided here: the paper used TensorFlow, so layers take Keras' defaults
(Glorot-uniform kernels, zero biases, batch norm with epsilon 1e-3 and running momentum 0.99), and dropout is
element-wise.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .emotion_net import CLASSES, EmotionNet, start_as_keras


class ConvBlock(nn.Module):
    """Two [conv 3x3 same, batch norm, ReLU]."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels_out, eps=1e-3, momentum=0.01)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels_out, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(x)))


class S0Net(EmotionNet):
    """Gray face crops of 48x48 to emotion logits."""

    size = 48
    channels = 1
    mask_shapes = ((32, 24, 24), (64, 12, 12), (128, 6, 6), (256,), (256,))
    dropout_rates = (0.2, 0.25, 0.3, 0.35, 0.3)
    """After blocks 1 to 4 and after the first dense layer."""

    def __init__(self, label_sets: Sequence[str] = ("fer2013",)) -> None:
        super().__init__(label_sets)
        self.block1 = ConvBlock(1, 32)
        self.block2 = ConvBlock(32, 64)
        self.block3 = ConvBlock(64, 128)
        self.block4 = ConvBlock(128, 256)
        self.dense1 = nn.Linear(256, 256)
        self.dense2 = nn.Linear(256, CLASSES * len(label_sets))
        start_as_keras(self)

    def trunk(self, faces: Tensor) -> Tensor:
        """(N, 1, 48, 48) in [0, 1] to (N, 32, 24, 24)."""
        return functional.max_pool2d(self.block1(faces), 2)

    def head(self, features: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        x = self.drop(features, 0, masks)
        x = self.drop(functional.max_pool2d(self.block2(x), 2), 1, masks)
        x = self.drop(functional.max_pool2d(self.block3(x), 2), 2, masks)
        x = self.drop(self.block4(x).mean((2, 3)), 3, masks)
        x = self.drop(functional.relu(self.dense1(x)), 4, masks)
        return self.dense2(x)
