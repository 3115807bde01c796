"""What a colorizer's run trains on: random crops of photos and their gray, some of it with a film look."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from emocolor.arrays import RgbImage

from ..data.film_look import apply_film_look, letterbox, to_gray
from ..data.photos import Photos, random_crop, stacked_crops
from .recipe import ColorizerRecipe


def batches(
    photos: Photos, recipe: ColorizerRecipe, epoch: int, first: int = 0
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """An epoch from batch ``first`` on: its number, sRGB (N, 3, S, S), and gray (N, 1, S, S), float32 in [0, 1].

    Epoch and number are the seed of a batch, so it is the same wherever an epoch is entered.
    """
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(recipe.epoch_seed(epoch))).tolist()
    side, film = recipe.crop_at(epoch), recipe.film.degradations

    def crop(index: int) -> RgbImage:
        random = np.random.default_rng([recipe.seed, epoch, index])
        return random_crop(photos.photo(index), side, random, recipe.max_zoom)

    chosen = [order[i : i + recipe.batch] for i in range(0, len(order), recipe.batch)][first:]
    for number, squares in enumerate(stacked_crops(chosen, crop), first):
        generator = torch.Generator().manual_seed(recipe.batch_seed(epoch, number))
        rgb = torch.from_numpy(squares).movedim(3, 1).float() / 255
        if recipe.film.letterbox:
            rgb = letterbox(rgb, recipe.film.letterbox, generator)
        gray = to_gray(rgb)
        filmed = torch.rand(len(gray), generator=generator) < recipe.film.part
        if filmed.any():
            gray[filmed] = apply_film_look(to_gray(rgb[filmed], film, generator), film, generator)
        yield number, rgb, gray
