"""Labelled face images in the npz format that all emotion scripts read.

The file holds ``images`` uint8, (N, H, W) gray or (N, H, W, 3) RGB; ``labels`` integers (N,),
0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral, 7 contempt (dropped on
reading); and optionally ``usage`` (N,), 0 training, 1 public test, 2 private test, and
``ferplus_votes`` uint8 (N, 10), the votes of ten people of FER+ (Barsoum et al. 2016) for neutral, happiness,
surprise, sadness, anger, disgust, fear, contempt, unknown, no face.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError, SourceError

Split = Literal["train", "public", "private", "all"]
LabelSet = Literal["fer2013", "ferplus"]
CONTEMPT = 7
EMOTION_COLUMNS = (4, 5, 6, 1, 3, 2, 0)
"""Column of ``ferplus_votes`` for each of ``EMOTIONS``."""
CONTEMPT_COLUMN, UNKNOWN_COLUMN, NO_FACE_COLUMN = 7, 8, 9
_ARRAYS = ("images", "labels", "usage", "ferplus_votes")


@dataclass(frozen=True, kw_only=True)
class FaceSet:
    """Face images with their labels."""

    images: NDArray[np.uint8]
    """(N, H, W) gray or (N, H, W, 3) RGB."""
    labels: NDArray[np.int64]
    """(N,), 0 to 6 in the order of ``EMOTIONS``."""
    votes: NDArray[np.uint8] | None = None
    """(N, 10) FER+ votes in the file's column order."""

    def __len__(self) -> int:
        return len(self.labels)

    def gray(self, size: int) -> NDArray[np.uint8]:
        """All images as luma (BT.601), (N, size, size)."""
        return gray_squares(self.images, size)

    def __add__(self, other: "FaceSet") -> "FaceSet":
        """The images of both, which must have the same size; votes are kept where both have them."""
        votes = None
        if self.votes is not None and other.votes is not None:
            votes = np.concatenate([self.votes, other.votes])
        return FaceSet(
            images=np.concatenate([self.images, other.images]),
            labels=np.concatenate([self.labels, other.labels]),
            votes=votes,
        )

    def subset(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "FaceSet":
        """The images selected by a mask or by indices."""
        votes = None if self.votes is None else self.votes[keep]
        return FaceSet(images=self.images[keep], labels=self.labels[keep], votes=votes)


def gray_squares(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(N, H, W) gray or (N, H, W, 3) RGB to luma of (N, size, size)."""
    if images.ndim == 3 and images.shape[1:] == (size, size):
        return images
    return np.stack([_square(_luma(image), size) for image in images])


def rgb_squares(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(N, H, W) gray or (N, H, W, 3) RGB to RGB of (N, size, size, 3); gray is repeated."""
    squares = images if images.shape[1:3] == (size, size) else np.stack([_square(image, size) for image in images])
    return squares if squares.ndim == 4 else np.repeat(squares[..., None], 3, axis=3)


def read_faces(path: Path, split: Split = "all") -> FaceSet:
    """Read an npz of faces; raises ``SourceError`` naming what is wrong with the file."""
    if split not in get_args(Split):
        raise ConfigurationError(f"Unknown split '{split}'. Choose one of {', '.join(get_args(Split))}.")
    stored = _read_arrays(path)
    missing = [name for name in ("images", "labels") if name not in stored]
    if missing:
        raise SourceError(f"{path} lacks the array {' and '.join(missing)}; it has {sorted(stored)}.")
    images, labels, votes = stored["images"], stored["labels"], stored.get("ferplus_votes")
    _check(path, images, labels, stored.get("usage"), votes)
    keep = labels != CONTEMPT
    if split != "all":
        if "usage" not in stored:
            raise SourceError(f"{path} has no array usage, so it has no split '{split}'; use the split all.")
        keep &= stored["usage"] == {"train": 0, "public": 1, "private": 2}[split]
    if not keep.any():
        raise SourceError(f"{path} holds no labelled image in split '{split}'.")
    everything = FaceSet(images=images, labels=labels.astype(np.int64), votes=votes)
    return everything.subset(keep)


def drop_copies(train: FaceSet, held_out: FaceSet) -> tuple[FaceSet, int]:
    """Remove training images that are pixel-identical to a held-out image; returns how many."""
    seen = {_digest(image) for image in held_out.images}
    keep = np.array([_digest(image) not in seen for image in train.images])
    return train.subset(keep), int((~keep).sum())


def faceless(faces: FaceSet) -> NDArray[np.bool_]:
    """(N,) true where at least half of the FER+ votes say "no face", or where there is next to no contrast."""
    flat = np.array([image.std() < 2 for image in faces.images])
    return flat if faces.votes is None else flat | (2 * faces.votes[:, NO_FACE_COLUMN] >= faces.votes.sum(1))


def disputed(faces: FaceSet) -> NDArray[np.bool_]:
    """(N,) true where none of the ten FER+ voters chose the labelled emotion."""
    votes = _emotion_votes(faces)
    return votes[np.arange(len(faces)), faces.labels] == 0


def ferplus_targets(faces: FaceSet) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """FER+ votes as soft targets (N, 7), and which images have them (N,).

    The votes for the seven classes are normalised; contempt, unknown and no face have no weight, and an image counts
    only if the seven have at least half of all votes.
    """
    votes = _emotion_votes(faces)
    total = votes.sum(1)
    assert faces.votes is not None
    exists = (total > 0) & (2 * total >= faces.votes.sum(1))
    return (votes / np.maximum(total, 1)[:, None]).astype(np.float32), exists


def ferplus_majority(faces: FaceSet) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """FER+ labels for evaluation: the majority of the seven classes (N,), and which images count (N,).

    An image does not count where two of the seven classes tie for the most votes, or where contempt, unknown or no
    face has as many votes as the first of the seven. Raises ``SourceError`` without votes.
    """
    votes = _emotion_votes(faces)
    assert faces.votes is not None
    top = votes.max(1)
    others = faces.votes[:, [CONTEMPT_COLUMN, UNKNOWN_COLUMN, NO_FACE_COLUMN]].max(1)
    return votes.argmax(1).astype(np.int64), ((votes == top[:, None]).sum(1) == 1) & (top > others)


def split_at_random(faces: FaceSet, parts: tuple[float, ...], seed: int) -> tuple[FaceSet, ...]:
    """Stratified random split; ``parts`` add up to 1."""
    random = np.random.default_rng(seed)
    shares: list[list[NDArray[np.int64]]] = [[] for _ in parts]
    for label in np.unique(faces.labels):
        members = random.permutation(np.flatnonzero(faces.labels == label))
        ends = np.round(np.cumsum(parts) * len(members)).astype(int)
        for share, first, last in zip(shares, [0, *ends[:-1]], ends, strict=True):
            share.append(members[first:last])
    return tuple(faces.subset(np.sort(np.concatenate(share))) for share in shares)


def balance_by_rotation(faces: FaceSet, count: int, degrees: float, seed: int) -> FaceSet:
    """S3's class balancing: every class is brought to ``count`` images by randomly rotated copies.

    A class with more keeps a random ``count`` of them. The paper gives no range of angles. The edge is replicated
    where a rotation uncovers it.
    """
    random = np.random.default_rng(seed)
    images, labels = [], []
    for label in np.unique(faces.labels):
        members = random.permutation(np.flatnonzero(faces.labels == label))
        kept = members[:count]
        copied = random.choice(members, max(0, count - len(members)))
        images += [faces.images[kept]]
        if len(copied):
            images += [np.stack([_rotate(faces.images[i], random.uniform(-degrees, degrees)) for i in copied])]
        labels += [np.full(count, label)]
    return FaceSet(images=np.concatenate(images), labels=np.concatenate(labels))


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in _ARRAYS}
    except FileNotFoundError:
        raise SourceError(f"No such file: {path}.") from None
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} is not a readable npz file: {error}.") from error


def _emotion_votes(faces: FaceSet) -> NDArray[np.uint8]:
    """(N, 7) votes in the order of ``EMOTIONS``."""
    if faces.votes is None:
        raise SourceError("The data has no array ferplus_votes. FER+ labels need it.")
    return faces.votes[:, EMOTION_COLUMNS]


def _digest(image: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(image.tobytes()).digest()


def _rotate(image: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) if image.ndim == 3 else image


def _square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if image.shape[:2] == (size, size):
        return image
    shrinking = min(image.shape[:2]) > size
    return np.asarray(
        cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC), np.uint8
    )


def _check(
    path: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    usage: NDArray[np.int64] | None,
    votes: NDArray[np.uint8] | None,
) -> None:
    if images.dtype != np.uint8:
        raise SourceError(f"{path}: images must be uint8, found {images.dtype}.")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3) or 0 in images.shape[1:]:
        raise SourceError(f"{path}: images must be (N, H, W) or (N, H, W, 3), found {images.shape}.")
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise SourceError(f"{path}: labels must be {len(images)} integers, found {labels.dtype} {labels.shape}.")
    if usage is not None and usage.shape != labels.shape:
        raise SourceError(f"{path}: usage must have the shape of labels, found {usage.shape}.")
    if votes is not None and (votes.shape != (len(images), 10) or votes.dtype != np.uint8):
        raise SourceError(
            f"{path}: ferplus_votes must be uint8 ({len(images)}, 10), found {votes.dtype} {votes.shape}."
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() <= CONTEMPT):
        raise SourceError(
            f"{path}: labels must lie in 0 ({EMOTIONS[0]}) to {CONTEMPT} (contempt), "
            f"found {labels.min()} to {labels.max()}."
        )
