"""Losses of style nets: those of Gatys et al. 2016 and Johnson et al. 2016 on VGG16's features.

Features are divided by the mean activation of their layer over photos, as Gatys et al. did with all of VGG, so that
loss weights mean the same for Oxford's values and torchvision's. A layer's Gram matrix is ``F F^T / (C H W)`` of its
features F (C, H W), whatever the size of the image.

There are two measures of style. ``absolute`` is the mean squared difference of Gram matrices, which the weight 400,000
of "Emotion-based Style Transfer" (S3) belongs to: the paper prints ``1 / (4 N^2 M^2)`` before the sum of squares but
does not say how its Gram matrix is scaled, and with this reading its weights 1 and 400,000 balance. ``relative``
divides by the mean square of the style's own Gram matrix, so that 0 is the style, 1 is an image without features, and
styles and layers have equal weight. The nets of seven styles are trained with it, and evaluation reports it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import torch
from torch import Tensor

from ..vgg import Layer, Vgg16

Measure = Literal["absolute", "relative"]
Features = Mapping[Layer, Tensor]

STYLE_LAYERS: Final[tuple[Layer, ...]] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
"""Layers of the Gram matrices of the nets of seven styles (Johnson et al. 2016, section 4.1)."""
CONTENT_LAYER: Final[Layer] = "relu3_3"


class StyleLosses:
    """The losses on VGG16's features, each a mean over images and layers."""

    def __init__(
        self, vgg: Vgg16, activations: Mapping[Layer, float], style_layers: Sequence[Layer], content_layer: Layer
    ) -> None:
        """``activations``: the mean of each layer over photos (:func:`mean_activations`)."""
        self._vgg, self._activations = vgg, activations
        self.style_layers, self.content_layer = tuple(style_layers), content_layer

    def features(self, rgb: Tensor) -> Features:
        """Features of sRGB (N, 3, H, W) in [0, 1] at the layers of the losses, divided by their mean activations."""
        found = self._vgg(rgb)
        wanted = dict.fromkeys((*self.style_layers, self.content_layer))
        return {layer: found[layer].float() / self._activations[layer] for layer in wanted}

    def grams(self, features: Features) -> dict[Layer, Tensor]:
        """Gram matrices (N, C, C) at the style layers."""
        return {layer: gram(features[layer]) for layer in self.style_layers}

    def content(self, stylized: Features, photo: Features) -> Tensor:
        """Mean squared difference at the content layer, divided by the photos' mean square."""
        return self.absolute_content(stylized, photo) / photo[self.content_layer].square().mean()

    def absolute_content(self, stylized: Features, photo: Features) -> Tensor:
        """Mean squared difference at the content layer."""
        return (stylized[self.content_layer] - photo[self.content_layer]).square().mean()

    def style(
        self, stylized: Features, wanted: Mapping[Layer, Tensor], scale: Mapping[Layer, Tensor] | None = None
    ) -> Tensor:
        """Mean squared difference of the Gram matrices from those ``wanted``, (N, C, C) or (1, C, C) by layer: (N,).

        It is divided by ``scale``, (N,) or (1,) by layer, or by 1 for None.
        """
        parts = [
            (gram(stylized[layer]) - wanted[layer]).square().mean((1, 2)) / (1 if scale is None else scale[layer])
            for layer in self.style_layers
        ]
        return torch.stack(parts).mean(0)


def gram(features: Tensor) -> Tensor:
    """``F F^T / (C H W)``: (N, C, C) float32 of features (N, C, H, W)."""
    count, channels, height, width = features.shape
    flat = features.reshape(count, channels, height * width)
    return flat @ flat.mT / (channels * height * width)


def mean_squares(grams: Mapping[Layer, Tensor]) -> dict[Layer, Tensor]:
    """Of Gram matrices (N, C, C) by layer: (N,) each, the divisors of the ``relative`` measure."""
    return {layer: gram.square().mean((1, 2)) for layer, gram in grams.items()}


def mean_activations(vgg: Vgg16, images: Iterable[Tensor]) -> dict[Layer, float]:
    """The mean activation of each layer over images (1, 3, H, W)."""
    sums: dict[Layer, float] = {}
    count = 0
    with torch.inference_mode():
        for image in images:
            for layer, features in vgg(image).items():
                sums[layer] = sums.get(layer, 0.0) + float(features.float().mean())
            count += 1
    return {layer: total / count for layer, total in sums.items()}


def total_variation(rgb: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels of (N, 3, H, W), vertically and horizontally."""
    return (rgb[..., 1:, :] - rgb[..., :-1, :]).abs().mean() + (rgb[..., 1:] - rgb[..., :-1]).abs().mean()
