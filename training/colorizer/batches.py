"""What a colorizer's run trains on: random crops of photos and their gray, some of it with a film look."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from emocolor.arrays import RgbImage

from ..data.film_look import apply_film_look, to_gray
from ..data.photos import Photos, random_crop, stacked_crops
from .recipe import ColorizerRecipe


def batches(photos: Photos, recipe: ColorizerRecipe, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: sRGB (N, 3, S, S) and gray (N, 1, S, S), float32 in [0, 1]. The epoch's number is its seed."""
    generator = torch.Generator().manual_seed(recipe.epoch_seed(epoch))
    order = torch.randperm(len(photos), generator=generator).tolist()
    side = recipe.crop_at(epoch)

    def crop(index: int) -> RgbImage:
        return random_crop(photos.photo(index), side, np.random.default_rng([recipe.seed, epoch, index]))

    for squares in stacked_crops([order[i : i + recipe.batch] for i in range(0, len(order), recipe.batch)], crop):
        rgb = torch.from_numpy(squares).movedim(3, 1).float() / 255
        gray, film = to_gray(rgb), recipe.film.degradations
        chosen = torch.rand(len(gray), generator=generator) < recipe.film.part
        if chosen.any():
            gray[chosen] = apply_film_look(to_gray(rgb[chosen], film, generator), film, generator)
        yield rgb, gray
