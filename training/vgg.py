"""VGG16 up to conv4_3 as a feature extractor (Simonyan and Zisserman 2015).

Perceptual losses (Johnson et al. 2016), style transfer and the feature distance use its activations after each ReLU.
The values are those of Oxford's release or of torchvision (``training.vgg_weights``), which differ in scale: the mean
of Oxford's relu3_3 on photos is about 200. Comparisons of features must not depend on it.
"""

from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .vgg_weights import read_layers

Layer = Literal[
    "relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"
]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)


class Vgg16(nn.Module):
    """The frozen net: sRGB (N, 3, H, W) in [0, 1] to features by name, from relu1_1 to ``last``.

    A layer relu``b``_``i`` has 64, 128, 256, 512 channels and H, H/2, H/4, H/8 rows for ``b`` from 1 to 4; images
    smaller than 8 px do not reach the last block. Gradients reach the image, not the net's own values.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, path: Path | None, last: Layer = "relu4_3") -> None:
        """Read ``path``, a file of values or the folder of one; None for torchvision's, fetched once.

        Raises ``EngineError`` as ``training.vgg_weights.read_layers`` does.
        """
        super().__init__()
        self.names = LAYERS[: LAYERS.index(last) + 1]
        self.convolutions = nn.ModuleList(_convolution(*layer) for layer in read_layers(path, len(self.names)))
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        x = (rgb - self.mean) / self.deviation
        features: dict[str, Tensor] = {}
        for name, convolution in zip(self.names, self.convolutions, strict=True):
            if name.endswith("_1") and features:
                x = functional.max_pool2d(x, 2)
            features[name] = x = functional.relu(convolution(x))
        return features


def feature_distance(vgg: Vgg16, predicted: NDArray[np.uint8], truth: NDArray[np.uint8], layer: Layer) -> float:
    """Distance of two sRGB images (H, W, 3) uint8 in the features of ``layer``.

    The mean squared difference divided by the mean square of the truth's features: 0 for equal images, 1 for features
    that are all zero. ``vgg`` must reach ``layer``.
    """
    with torch.inference_mode():
        pair = torch.from_numpy(np.stack([predicted, truth])).permute(0, 3, 1, 2).float() / 255
        features, wanted = vgg(pair)[layer]
        return float((features - wanted).square().mean() / wanted.square().mean().clamp(min=1e-12))


def _convolution(kernels: NDArray[np.float32], biases: NDArray[np.float32]) -> nn.Conv2d:
    channels_out, channels_in = kernels.shape[:2]
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    convolution.load_state_dict({"weight": torch.from_numpy(kernels), "bias": torch.from_numpy(biases)})
    return convolution
