"""How near pictures are to photos in content and to paintings in style, and how near they could be.

Both losses are the relative ones of ``training.style.losses``, at the layers that the net of seven styles learns by: 0
is the photo, or the painting; 1 is a picture without features. Each is divided by the photo's or the painting's own, so
that the scale of a layer cancels out, and with it most of what sets Oxford's values of VGG16 apart from torchvision's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emocolor.emotions import Emotion

from ..data.photos import Rgb8
from .losses import CONTENT_LAYER, STYLE_LAYERS, Features, StyleLosses, mean_squares
from .vgg import LAYERS, Vgg16

HISTORY = 20
"""Steps that L-BFGS remembers."""


@dataclass(frozen=True)
class Losses:
    """Of one picture."""

    content: float
    style: float


class StyleScores:
    """Measures pictures against photos and paintings. Runs on a GPU where torch finds one."""

    def __init__(self, vgg: Path | None, paintings: Mapping[Emotion, Rgb8]) -> None:
        """``paintings``: sRGB (H, W, 3) uint8; ``vgg`` and what it raises as in ``training.style.vgg.Vgg16``."""
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        last = max((*STYLE_LAYERS, CONTENT_LAYER), key=LAYERS.index)
        loss_net = Vgg16(vgg, last).to(self._device)
        self._losses = StyleLosses(loss_net, dict.fromkeys(LAYERS, 1.0), STYLE_LAYERS, CONTENT_LAYER)
        self._grams = {emotion: self._losses.grams(self.features(painting)) for emotion, painting in paintings.items()}

    def features(self, rgb: Rgb8) -> Features:
        """VGG16's, of sRGB (H, W, 3) uint8."""
        with torch.no_grad():
            return self._losses.features(self._batch(rgb))

    def losses(self, painted: Features, photo: Features, emotion: Emotion) -> Losses:
        """How far a picture's features are from those of a photo of its size, and from an emotion's painting."""
        content, style = self._parts(painted, photo, emotion)
        return Losses(content.item(), style.item())

    def optimised(
        self, photo: Rgb8, emotion: Emotion, *, steps: int, style_weight: float, compiled: bool = False
    ) -> Rgb8:
        """A photo (H, W, 3) after ``steps`` of L-BFGS on content + ``style_weight`` x style (Gatys et al. 2016).

        The pixels themselves are what changes, from the photo on; what a net paints at once is measured by this. With
        ``compiled`` features on the way are those of a compiled VGG16 in bfloat16.
        """
        wanted = self.features(photo)
        seen = self._compiled_features if compiled else self._losses.features
        picture = self._batch(photo).contiguous().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [picture], max_iter=steps, max_eval=2 * steps, history_size=HISTORY, line_search_fn="strong_wolfe",
            tolerance_grad=0, tolerance_change=0,
        )  # fmt: skip

        def loss() -> Tensor:
            optimizer.zero_grad()
            # Clipped, as the result will be: what cannot be shown gains nothing.
            content, style = self._parts(seen(picture.clamp(0, 1)), wanted, emotion)
            total = content + style_weight * style
            total.backward()
            return total

        optimizer.step(loss)
        shown = picture.detach()[0].clamp(0, 1).mul(255).round().byte().movedim(0, 2)
        return np.ascontiguousarray(shown.cpu().numpy())

    @cached_property
    def _compiled_features(self) -> Callable[[Tensor], Features]:
        compiled = torch.compile(self._losses.features)

        def features(rgb: Tensor) -> Features:
            with torch.autocast(self._device.type, torch.bfloat16):
                return compiled(rgb)

        return features

    def _parts(self, painted: Features, photo: Features, emotion: Emotion) -> tuple[Tensor, Tensor]:
        grams = self._grams[emotion]
        style = self._losses.style(painted, grams, mean_squares(grams))
        return self._losses.content(painted, photo), style.mean()

    def _batch(self, rgb: Rgb8) -> Tensor:
        return (torch.from_numpy(rgb).movedim(2, 0)[None].float() / 255).to(self._device)
