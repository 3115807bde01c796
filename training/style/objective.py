"""The objective of a style net: what the paintings ask for, each loss of a batch, and their weighted sum."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from emocolor.arrays import RgbImage
from emocolor.emotions import EMOTIONS, Emotion
from engines.nets.style_net import IDENTITY

from ..vgg import Layer
from .batches import Views
from .clip_pairs import FlowField, warped_difference
from .losses import Features, StyleLosses, mean_squares, total_variation
from .nets import as_batch, stylize
from .recipe import StyleImage, StyleRecipe


@dataclass(frozen=True)
class StyleTargets:
    """The Gram matrices of the paintings, and how much each style counts."""

    grams: dict[Layer, Tensor]
    """(7, C, C) by layer; zeros for emotions without a painting."""
    weights: Tensor
    """(7,): of each emotion's style loss."""
    styles: list[int]
    """Indices of the emotions that have a painting."""

    def mixed(self, mixture: Tensor, own: Mapping[Layer, Tensor] | None) -> dict[Layer, Tensor]:
        """Gram matrices (N, C, C) of mixtures (N, 8); ``own`` are the photos', None without the identity."""
        styles = mixture[:, :IDENTITY]
        found = {layer: torch.einsum("ns,scd->ncd", styles, grams) for layer, grams in self.grams.items()}
        if own is None:
            return found
        share = mixture[:, IDENTITY, None, None]
        return {layer: grams + share * own[layer] for layer, grams in found.items()}

    def scale(self, mixture: Tensor) -> dict[Layer, Tensor]:
        """Divisors of the relative measure, (N,) by layer: the mixed mean squares of the styles.

        The identity's share counts as the mean style: a dark photo's own features would be close to zero.
        """
        shares = mixture[:, :IDENTITY].clone()
        shares[:, self.styles] += mixture[:, IDENTITY:] / len(self.styles)
        return {layer: shares @ squares for layer, squares in self._squares.items()}

    @cached_property
    def _squares(self) -> dict[Layer, Tensor]:
        return mean_squares(self.grams)

    def weight(self, mixture: Tensor) -> Tensor:
        """Of the style loss of mixtures (N, 8): (N,). The identity has weight 1."""
        return mixture[:, :IDENTITY] @ self.weights + mixture[:, IDENTITY]


def style_targets(
    paintings: Mapping[Emotion, RgbImage],
    styles: Mapping[Emotion, StyleImage],
    losses: StyleLosses,
    device: torch.device,
) -> StyleTargets:
    """The targets that paintings, sRGB (H, W, 3) uint8, give."""
    grams: dict[Layer, Tensor] = {}
    weights = torch.zeros(IDENTITY, device=device)
    with torch.inference_mode():
        for emotion, painting in paintings.items():
            place = EMOTIONS.index(emotion)
            weights[place] = styles[emotion].weight
            for layer, own in losses.grams(losses.features(as_batch([painting]).to(device))).items():
                grams.setdefault(layer, torch.zeros(IDENTITY, *own.shape[1:], device=device))[place] = own[0]
    # Cloned outside, because tensors made in inference mode cannot take part in gradients.
    return StyleTargets(
        {layer: gram.clone() for layer, gram in grams.items()},
        weights.clone(),
        [EMOTIONS.index(emotion) for emotion in paintings],
    )


def loss_terms(
    net: nn.Module,
    views: Views,
    recipe: StyleRecipe,
    losses: StyleLosses,
    targets: StyleTargets,
    teacher: nn.Module | None = None,
) -> dict[str, Tensor]:
    """Each loss of a batch, unweighted: ``content``, ``style`` (weighted by painting), ``variation``, ``temporal``,
    ``teacher``. Content and style are left out where the recipe gives them no weight."""
    temporal = recipe.temporal_weight > 0
    with torch.autocast(views.first.device.type, torch.bfloat16, enabled=recipe.bf16):
        if temporal:
            both, mixture = torch.cat([views.first, views.second]), views.mixture.repeat(2, 1)
            stylized, stylized_second = stylize(net, both, mixture).chunk(2)
        else:
            stylized = stylized_second = stylize(net, views.first, views.mixture)
        terms = feature_terms(stylized, views, recipe, losses, targets) if recipe.uses_features else {}
        terms["variation"] = total_variation(stylized)
        terms["temporal"] = view_difference(stylized, stylized_second, views.move) if temporal else torch.zeros(())
        if teacher is not None:
            with torch.no_grad():
                wanted = stylize(teacher, views.first, views.mixture)
            terms["teacher"] = (stylized - wanted).square().mean()
    return terms


def feature_terms(
    stylized: Tensor, views: Views, recipe: StyleRecipe, losses: StyleLosses, targets: StyleTargets
) -> dict[str, Tensor]:
    """``content`` and ``style`` of the stylized first views."""
    with torch.no_grad():
        photo = losses.features(views.first)
    features = losses.features(stylized)
    with torch.autocast(views.first.device.type, enabled=False):
        own = losses.grams(photo) if bool((views.mixture[:, IDENTITY] > 0).any()) else None
        scale = targets.scale(views.mixture) if recipe.measure == "relative" else None
        style = losses.style(features, targets.mixed(views.mixture, own), scale)
        return {
            "content": content_loss(losses, features, photo, recipe),
            "style": (targets.weight(views.mixture) * style).mean(),
        }


def content_loss(losses: StyleLosses, stylized: Features, photo: Features, recipe: StyleRecipe) -> Tensor:
    """Relative or absolute, as the recipe's ``measure`` says."""
    return (losses.content if recipe.measure == "relative" else losses.absolute_content)(stylized, photo)


def total_loss(terms: Mapping[str, Tensor], recipe: StyleRecipe) -> Tensor:
    """The sum of the losses with the recipe's weights."""
    weights: dict[str, float] = {name: getattr(recipe, f"{name}_weight") for name in terms}
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def view_difference(first: Tensor, second: Tensor, move: tuple[int, int] | FlowField) -> Tensor:
    """Mean squared difference of (N, 3, S, S) where both show the same content; ``move`` as in ``Views``."""
    if isinstance(move, FlowField):
        return warped_difference(first, second, move)
    return (_overlap(first, move) - _overlap(second, (-move[0], -move[1]))).square().mean()


def _overlap(view: Tensor, move: tuple[int, int]) -> Tensor:
    rows, columns = move
    height, width = view.shape[2:]
    return view[:, :, max(0, rows) : height + min(0, rows), max(0, columns) : width + min(0, columns)]
