"""VGG16 up to conv4_3 as a measure of what pictures look like (Simonyan and Zisserman 2015).

Perceptual losses (Johnson et al. 2016), style transfer and the distance between features take its
activations after each ReLU. The values are those of Oxford's release, not torchvision's, though the
names in the file (``features.N.weight``, ``features.N.bias``) and the input's scaling are torchvision's.
They are large: relu3_3 is about 200 in the mean on photos, so a loss on them needs a small weight.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from emocolor.errors import EngineError

Layer = Literal[
    "relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"
]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
_INDICES: Final = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
"""Place of each layer's convolution among torchvision's ``features``."""
_CHANNELS: Final = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512)
"""Of the input, and of each layer."""
_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)


class Vgg16(nn.Module):
    """The frozen net: sRGB (N, 3, H, W) in [0, 1] to features by name, from relu1_1 to ``last``.

    A layer relu``b``_``i`` has 64, 128, 256, 512 channels and H, H/2, H/4, H/8 rows for ``b`` from 1 to
    4; pictures smaller than 8 px do not reach the last block. Its own values get no gradient; the
    picture does.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, path: Path, last: Layer = "relu4_3") -> None:
        """Read ``path``, an npz file or the folder of one; raises ``EngineError`` where it holds another net."""
        super().__init__()
        self.names = LAYERS[: LAYERS.index(last) + 1]
        self.convolutions = nn.ModuleList(_convolutions(path, len(self.names)))
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
    """How far two sRGB pictures (H, W, 3) uint8 lie apart in the features of ``layer``.

    The mean squared difference over the mean square of the truth's features: 0 for equal pictures, 1 for
    features that are all zero. ``vgg`` must reach ``layer``.
    """
    with torch.inference_mode():
        pair = torch.from_numpy(np.stack([predicted, truth])).permute(0, 3, 1, 2).float() / 255
        ours, theirs = vgg(pair)[layer]
        return float((ours - theirs).square().mean() / theirs.square().mean().clamp(min=1e-12))


def _convolutions(path: Path, count: int) -> list[nn.Conv2d]:
    file = _file(path)
    if not zipfile.is_zipfile(file):
        raise EngineError(f"{file} is no npz file." if file.exists() else f"No such file: {file}.")
    try:
        with np.load(file, allow_pickle=False) as archive:
            return [_convolution(archive, place) for place in range(count)]
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise EngineError(f"{file} does not hold VGG16's layers up to {LAYERS[count - 1]}: {error}.") from error


def _file(path: Path) -> Path:
    """``path``, or the only npz file in it."""
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.npz"))
    if len(files) != 1:
        raise EngineError(f"{path} must hold one npz file with VGG16's values, found {len(files)}.")
    return files[0]


def _convolution(archive: np.lib.npyio.NpzFile, place: int) -> nn.Conv2d:
    """One layer; raises ``ValueError`` where its arrays are absent or of another shape."""
    convolution = nn.Conv2d(_CHANNELS[place], _CHANNELS[place + 1], 3, padding=1)
    for kind, parameter in convolution.named_parameters():
        name = f"features.{_INDICES[place]}.{kind}"
        if name not in archive:
            raise ValueError(f"{name} is missing")
        values = archive[name]
        if values.shape != tuple(parameter.shape) or not np.issubdtype(values.dtype, np.floating):
            raise ValueError(f"{name} is {values.dtype} {values.shape}, not {tuple(parameter.shape)} of floats")
        parameter.data = torch.from_numpy(values.astype(np.float32))
    return convolution
