"""What an emotion classifier's run trains on: images read, split, cleaned, balanced, augmented, mixed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engines.nets.emotion_net import EmotionNet

from ..data.faces import (
    FaceSet,
    balance_by_rotation,
    disputed,
    drop_copies,
    faceless,
    ferplus_targets,
    gray_squares,
    read_faces,
    rgb_squares,
    split_at_random,
)
from .augmentation import augment
from .recipe import EmotionRecipe


@dataclass(frozen=True, kw_only=True)
class EmotionData:
    """The images of a run."""

    train: FaceSet
    targets: Tensor
    """(N, label sets, 7) float."""
    known: Tensor
    """(N, label sets) float, 0 where an image has no label in a set."""
    held_out: FaceSet
    """Public test, or the validation part of a random split."""
    test: FaceSet | None
    """The test part of a random split, which is measured once at the end."""
    counts: dict[str, int]


def load_data(recipe: EmotionRecipe, path: Path, limit: int | None) -> EmotionData:
    """Read, split, clean and balance; ``limit`` keeps only the first images of each part."""
    train, held_out, test = _parts(recipe, path)
    counts = {}
    if recipe.drop_copies:
        train, counts["copies_dropped"] = drop_copies(train, held_out if test is None else held_out + test)
    for name, wanted, find in (
        ("faceless_dropped", recipe.drop_faceless, faceless),
        ("disputed_dropped", recipe.drop_disputed, disputed),
    ):
        if wanted:
            bad = find(train)
            train, counts[name] = train.subset(~bad), int(bad.sum())
    if recipe.balance_to and not recipe.balance_before_split:
        train = _balanced(train, recipe)
    if limit is not None:
        train, held_out = (part.subset(np.arange(min(limit, len(part)))) for part in (train, held_out))
    targets, known = _targets(train, recipe)
    counts |= {"train": len(train), "held_out": len(held_out)} | ({"test": len(test)} if test else {})
    return EmotionData(train=train, targets=targets, known=known, held_out=held_out, test=test, counts=counts)


def _parts(recipe: EmotionRecipe, path: Path) -> tuple[FaceSet, FaceSet, FaceSet | None]:
    """Training, held-out and, of a random split, test images."""
    if not recipe.split:
        return read_faces(path, "train"), read_faces(path, "public"), None
    faces = read_faces(path, "all")
    if recipe.balance_before_split:
        faces = _balanced(faces, recipe)
    train, held_out, test = split_at_random(faces, recipe.split, recipe.seed)
    return train, held_out, test


def _balanced(faces: FaceSet, recipe: EmotionRecipe) -> FaceSet:
    return balance_by_rotation(faces, recipe.balance_to, recipe.balance_degrees, recipe.seed)


def _targets(faces: FaceSet, recipe: EmotionRecipe) -> tuple[Tensor, Tensor]:
    targets, known = [], []
    for name in recipe.label_sets:
        if name == "fer2013":
            hot = functional.one_hot(torch.from_numpy(faces.labels), 7).float()
            targets.append(hot * (1 - recipe.label_smoothing) + recipe.label_smoothing / 7)
            known.append(torch.ones(len(faces)))
        else:
            soft, exists = ferplus_targets(faces)
            targets.append(torch.from_numpy(soft))
            known.append(torch.from_numpy(exists).float())
    return torch.stack(targets, 1), torch.stack(known, 1)


def as_input(images: NDArray[np.uint8], net: EmotionNet) -> Tensor:
    """Images as input of the net: (N, channels, size, size) float in [0, 1]."""
    if net.channels == 1:
        pixels = torch.from_numpy(gray_squares(images, net.size)).unsqueeze(1)
    else:
        pixels = torch.from_numpy(rgb_squares(images, net.size)).permute(0, 3, 1, 2)
    return pixels.float() / 255


@dataclass(frozen=True)
class Batch:
    """Faces (N, C, S, S) in [0, 1], targets (N, label sets, 7), known (N, label sets)."""

    faces: Tensor
    targets: Tensor
    known: Tensor

    def to(self, device: torch.device) -> "Batch":
        faces = self.faces.to(device, memory_format=torch.channels_last)
        return Batch(faces, self.targets.to(device), self.known.to(device))


def batches(data: EmotionData, net: EmotionNet, recipe: EmotionRecipe, generator: torch.Generator) -> Iterator[Batch]:
    """One epoch: shuffled, augmented and mixed batches."""
    order = torch.randperm(len(data.train), generator=generator)
    for chosen in order.split(recipe.batch):
        if len(chosen) < 2:  # batch norm needs two samples
            continue
        faces = augment(as_input(data.train.images[chosen.numpy()], net), recipe.augmentation, generator)
        batch = Batch(faces, data.targets[chosen], data.known[chosen])
        yield _mix(batch, recipe.mixup, generator) if recipe.mixup else batch


def _mix(batch: Batch, alpha: float, generator: torch.Generator) -> Batch:
    """Mixup: each face with the one at the mirrored position of the batch, all by the same share."""
    random = np.random.default_rng(int(torch.randint(0, 2**31 - 1, (1,), generator=generator)))
    share = float(random.beta(alpha, alpha))

    def mixed(x: Tensor) -> Tensor:
        return share * x + (1 - share) * x.flip(0)

    known = mixed(batch.known)
    targets = mixed(batch.targets * batch.known.unsqueeze(2)) / known.clamp(min=1e-6).unsqueeze(2)
    return Batch(mixed(batch.faces), targets, known)
