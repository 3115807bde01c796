"""The emotion classifier of "Emotion-Guided Colorization of Grayscale Portraits" (Sarkar, Kota, Lalani).

Section 3.1 and 5.0.2: four blocks of two [conv 3x3 same, batch norm, ReLU] with 32, 64, 128
and 256 filters, max-pooling after blocks 1 to 3, global average pooling after block 4, dropout
0.2, 0.25, 0.3, 0.35 at the end of the blocks, a dense layer of 256 with ReLU and dropout 0.3,
and a dense layer of 7 with softmax: 1,241,191 trainable parameters and 1,920 batch-norm
running statistics, as the paper counts them.

What the text leaves open, and what was decided here: the paper used TensorFlow, so layers take
Keras' defaults (Glorot-uniform kernels, zero biases, batch norm with epsilon 1e-3 and running
momentum 0.99), and dropout is element-wise.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

DROPOUT_RATES = (0.2, 0.25, 0.3, 0.35, 0.3)
"""Drop probability after blocks 1 to 4 and after the first dense layer."""


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


class S0Net(nn.Module):
    """Gray face crops to emotion logits.

    ``trunk`` holds what lies before the first dropout and ``head`` the rest, so that Monte
    Carlo dropout runs the trunk once per face and the head once per mask.
    """

    classes = 7
    size = 48
    mask_shapes = ((32, 24, 24), (64, 12, 12), (128, 6, 6), (256,), (256,))
    """Shape of one dropout mask per entry of ``DROPOUT_RATES``, batch axis left out."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = ConvBlock(1, 32)
        self.block2 = ConvBlock(32, 64)
        self.block3 = ConvBlock(64, 128)
        self.block4 = ConvBlock(128, 256)
        self.dense1 = nn.Linear(256, 256)
        self.dense2 = nn.Linear(256, self.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def trunk(self, faces: Tensor) -> Tensor:
        """Features before the first dropout: (N, 1, 48, 48) in [0, 1] to (N, 32, 24, 24)."""
        return functional.max_pool2d(self.block1(faces), 2)

    def head(self, features: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """Logits (N, 7) from the trunk's features.

        Each mask multiplies where dropout acts; without masks it is ordinary dropout, on in
        training mode only.
        """

        def drop(x: Tensor, layer: int) -> Tensor:
            if masks is not None:
                return x * masks[layer]
            return functional.dropout(x, DROPOUT_RATES[layer], self.training)

        x = drop(features, 0)
        x = drop(functional.max_pool2d(self.block2(x), 2), 1)
        x = drop(functional.max_pool2d(self.block3(x), 2), 2)
        x = drop(self.block4(x).mean((2, 3)), 3)
        x = drop(functional.relu(self.dense1(x)), 4)
        return self.dense2(x)

    def forward(self, faces: Tensor) -> Tensor:
        """Logits (N, 7); in training mode fresh dropout for every face."""
        return self.head(self.trunk(faces))

    def monte_carlo(self, faces: Tensor, *masks: Tensor) -> Tensor:
        """Class probabilities (T, N, 7) under T given masks, one tensor (T, *shape) per dropout."""
        features = self.trunk(faces)
        passes, count = masks[0].shape[0], features.shape[0]
        tiled = features.unsqueeze(0).expand(passes, -1, -1, -1, -1).flatten(0, 1)
        # Mask t serves every face of pass t, so that faces are comparable with each other.
        spread = [m.unsqueeze(1).expand(-1, count, *m.shape[1:]).flatten(0, 1) for m in masks]
        logits = self.head(tiled, spread)
        return logits.softmax(-1).unflatten(0, (passes, count))


def count_parameters(net: nn.Module) -> tuple[int, int]:
    """Trainable parameters, and running statistics (batch norm means and variances)."""
    trainable = sum(p.numel() for p in net.parameters() if p.requires_grad)
    running = sum(b.numel() for b in net.buffers() if torch.is_floating_point(b))
    return trainable, running
