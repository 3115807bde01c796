"""Content and style losses of stylized images, and the losses that direct optimisation reaches.

Both losses are the relative ones of ``training.style.losses``, at the layers of the nets of seven styles: 0 means the
photo's content or the painting's style, 1 an image without features. Each is divided by the photo's or the painting's
own, so that the scale of a layer cancels out, and with it most of the difference between Oxford's values of VGG16 and
torchvision's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emocolor.arrays import RgbImage
from emocolor.emotions import Emotion

from ..optimization import pick_device
from ..vgg import LAYERS, Vgg16
from .losses import CONTENT_LAYER, STYLE_LAYERS, Features, StyleLosses, mean_squares

LBFGS_HISTORY = 20


@dataclass(frozen=True)
class Losses:
    """Of one image."""

    content: float
    style: float


class StyleMetrics:
    """Measures images against photos and paintings. Runs on a GPU where torch finds one."""

    def __init__(self, vgg: Path | None, paintings: Mapping[Emotion, RgbImage]) -> None:
        """``paintings``: sRGB (H, W, 3) uint8; ``vgg`` as in ``training.vgg.Vgg16``, with its errors."""
        self._device = pick_device()
        last = max((*STYLE_LAYERS, CONTENT_LAYER), key=LAYERS.index)
        loss_net = Vgg16(vgg, last).to(self._device)
        self._losses = StyleLosses(loss_net, dict.fromkeys(LAYERS, 1.0), STYLE_LAYERS, CONTENT_LAYER)
        self._grams = {emotion: self._losses.grams(self.features(painting)) for emotion, painting in paintings.items()}

    def features(self, rgb: RgbImage) -> Features:
        """VGG16's features of sRGB (H, W, 3) uint8."""
        with torch.no_grad():
            return self._losses.features(self._batch(rgb))

    def losses(self, stylized: Features, photo: Features, emotion: Emotion) -> Losses:
        """Content loss against a photo of the same size, and style loss against an emotion's painting."""
        content, style = self._terms(stylized, photo, emotion)
        return Losses(content.item(), style.item())

    def optimize(
        self, photo: RgbImage, emotion: Emotion, *, steps: int, style_weight: float, compiled: bool = False
    ) -> RgbImage:
        """A photo (H, W, 3) after ``steps`` of L-BFGS on content + ``style_weight`` x style (Gatys et al. 2016).

        The pixels themselves are optimised, starting from the photo: an anchor for the result of one pass of a net.
        With ``compiled`` the features are those of a compiled VGG16 in bfloat16.
        """
        wanted = self.features(photo)
        features_of = self._compiled_features if compiled else self._losses.features
        pixels = self._batch(photo).contiguous().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [pixels], max_iter=steps, max_eval=2 * steps, history_size=LBFGS_HISTORY, line_search_fn="strong_wolfe",
            tolerance_grad=0, tolerance_change=0,
        )  # fmt: skip

        def loss() -> Tensor:
            optimizer.zero_grad()
            # Clipped as the result will be, so that values out of range gain nothing.
            content, style = self._terms(features_of(pixels.clamp(0, 1)), wanted, emotion)
            total = content + style_weight * style
            total.backward()
            return total

        optimizer.step(loss)
        result = pixels.detach()[0].clamp(0, 1).mul(255).round().byte().movedim(0, 2)
        return np.ascontiguousarray(result.cpu().numpy())

    @cached_property
    def _compiled_features(self) -> Callable[[Tensor], Features]:
        compiled = torch.compile(self._losses.features)

        def features(rgb: Tensor) -> Features:
            with torch.autocast(self._device.type, torch.bfloat16):
                return compiled(rgb)

        return features

    def _terms(self, stylized: Features, photo: Features, emotion: Emotion) -> tuple[Tensor, Tensor]:
        grams = self._grams[emotion]
        style = self._losses.style(stylized, grams, mean_squares(grams))
        return self._losses.content(stylized, photo), style.mean()

    def _batch(self, rgb: RgbImage) -> Tensor:
        return (torch.from_numpy(rgb).movedim(2, 0)[None].float() / 255).to(self._device)
