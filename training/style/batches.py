"""What a style net's run trains on: two views of photos or of neighbouring frames, and the styles to apply."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emocolor.arrays import RgbImage
from engines.nets.style_net import IDENTITY, SETS

from ..data.photos import Photos, random_crop, stacked_crops
from .clip_pairs import ClipPairs, FlowField
from .recipe import StyleRecipe

MAX_MIXED_STYLES = 3


@dataclass(frozen=True)
class Views:
    """A batch: two views of the same content, and the styles to apply."""

    first: Tensor
    """sRGB (N, 3, S, S) in [0, 1]."""
    second: Tensor
    """The same moved, with noise."""
    move: tuple[int, int] | FlowField
    """Rows and columns, where ``second[y, x]`` shows the content of ``first[y + rows, x + columns]``; or, between
    frames, the optical flow."""
    mixture: Tensor
    """(N, 8) weights of the styles and the identity, with sum 1."""

    def to(self, device: torch.device) -> "Views":
        move = self.move.to(device) if isinstance(self.move, FlowField) else self.move
        return Views(self.first.to(device), self.second.to(device), move, self.mixture.to(device))


def batches(
    photos: Photos, recipe: StyleRecipe, styles: list[int], epoch: int, pairs: ClipPairs | None = None
) -> Iterator[Views]:
    """One epoch, ``styles`` being the indices of those that the net has. The epoch's number is its seed."""
    generator = torch.Generator().manual_seed(recipe.epoch_seed(epoch))
    random = np.random.default_rng([recipe.seed, epoch])
    drawn = torch.randint(len(photos), (recipe.draws,), generator=generator).tolist()

    def crop(place: int) -> RgbImage:
        own = np.random.default_rng([recipe.seed, epoch, place])
        return random_crop(photos.photo(drawn[place]), recipe.crop + recipe.shift, own)

    places = [list(range(n * recipe.batch, (n + 1) * recipe.batch)) for n in range(recipe.draws // recipe.batch)]
    for squares in stacked_crops(places, crop):
        if pairs is not None and random.random() < recipe.clip_part:
            yield two_frames(pairs, recipe, sample_mixtures(recipe, styles, random), random)
        else:
            rgb = torch.from_numpy(squares).movedim(3, 1).float() / 255
            yield two_views(rgb, recipe, sample_mixtures(recipe, styles, random), random)


def two_frames(pairs: ClipPairs, recipe: StyleRecipe, mixture: Tensor, random: np.random.Generator) -> Views:
    """Crops of neighbouring frames of clips; the later ones get noise."""
    first, second, flow = pairs.crops(recipe.batch, recipe.crop, random)
    return Views(first, _noisy(second, recipe, random), flow, mixture)


def two_views(squares: Tensor, recipe: StyleRecipe, mixture: Tensor, random: np.random.Generator) -> Views:
    """Two crops of each square (N, 3, S, S), at different places; the second gets noise."""
    side = recipe.crop
    (top, left), (second_top, second_left) = random.integers(0, recipe.shift + 1, (2, 2)).tolist()
    first = squares[:, :, top : top + side, left : left + side]
    second = squares[:, :, second_top : second_top + side, second_left : second_left + side]
    return Views(first, _noisy(second, recipe, random), (second_top - top, second_left - left), mixture)


def sample_mixtures(recipe: StyleRecipe, styles: list[int], random: np.random.Generator) -> Tensor:
    """Weights (N, 8) for a batch: mostly single styles, some mixtures, and in some batches a share of the identity."""
    mixture = np.zeros((recipe.batch, SETS), np.float32)
    for row in mixture:
        several = len(styles) > 1 and random.random() < recipe.mixed_part
        count = random.integers(2, min(MAX_MIXED_STYLES, len(styles)) + 1) if several else 1
        row[random.choice(styles, count, replace=False)] = random.dirichlet(np.ones(count))
    if random.random() < recipe.partial_part:
        strength = random.uniform(0, 1, (recipe.batch, 1)).astype(np.float32)
        mixture *= strength
        mixture[:, IDENTITY:] = 1 - strength
    return torch.from_numpy(mixture)


def _noisy(view: Tensor, recipe: StyleRecipe, random: np.random.Generator) -> Tensor:
    """(N, 3, S, S) with noise of at most the recipe's deviation, different in each image."""
    deviation = torch.from_numpy(random.uniform(0, recipe.noise, (len(view), 1, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(random.standard_normal(view.shape, np.float32)) * deviation
    return (view + noise).clamp(0, 1)
