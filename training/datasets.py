"""Labelled face images in the plain npz form that all emotion scripts read.

The file holds ``images`` uint8, (N, H, W) gray or (N, H, W, 3) RGB; ``labels`` integers (N,),
0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral, 7 contempt (dropped on
reading); and optionally ``usage`` (N,), 0 training, 1 public test, 2 private test.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError, SourceError

Split = Literal["train", "public", "private", "all"]
CONTEMPT = 7


@dataclass(frozen=True, kw_only=True)
class FaceSet:
    """Face images with their labels."""

    images: NDArray[np.uint8]
    """(N, H, W) gray or (N, H, W, 3) RGB."""
    labels: NDArray[np.int64]
    """(N,), 0 to 6 in the order of ``EMOTIONS``."""

    def __len__(self) -> int:
        return len(self.labels)

    def gray(self, size: int) -> NDArray[np.uint8]:
        """Every image as luma (BT.601, as the eye data was made) of (N, size, size)."""
        if self.images.ndim == 3 and self.images.shape[1:] == (size, size):
            return self.images
        return np.stack([_gray_square(image, size) for image in self.images])

    def subset(self, keep: NDArray[np.bool_]) -> "FaceSet":
        return FaceSet(images=self.images[keep], labels=self.labels[keep])


def read_faces(path: Path, split: Split = "all") -> FaceSet:
    """Read an npz of faces; raises ``SourceError`` naming what is wrong with the file."""
    if split not in get_args(Split):
        raise ConfigurationError(f"Unknown split '{split}'. Choose one of {', '.join(get_args(Split))}.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files if name in ("images", "labels", "usage")}
    except FileNotFoundError:
        raise SourceError(f"No such file: {path}.") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} is not a readable npz file: {error}.") from error
    missing = [name for name in ("images", "labels") if name not in stored]
    if missing:
        raise SourceError(f"{path} lacks the array {' and '.join(missing)}; it has {sorted(stored)}.")
    images, labels = stored["images"], stored["labels"]
    _check(path, images, labels, stored.get("usage"))
    keep = labels != CONTEMPT
    if split != "all":
        if "usage" not in stored:
            raise SourceError(f"{path} has no array usage, so it has no split '{split}'; use --split all.")
        keep &= stored["usage"] == {"train": 0, "public": 1, "private": 2}[split]
    if not keep.any():
        raise SourceError(f"{path} holds no labelled image in split '{split}'.")
    return FaceSet(images=images[keep], labels=labels[keep].astype(np.int64))


def drop_copies(train: FaceSet, held_out: FaceSet) -> tuple[FaceSet, int]:
    """Take training images out that equal a held-out image pixel by pixel; returns how many."""
    seen = {_digest(image) for image in held_out.images}
    keep = np.array([_digest(image) not in seen for image in train.images])
    return train.subset(keep), int((~keep).sum())


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(image: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(image.tobytes()).digest()


def _gray_square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    if gray.shape == (size, size):
        return np.asarray(gray, np.uint8)
    shrinking = min(gray.shape) > size
    return np.asarray(
        cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC), np.uint8
    )


def _check(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], usage: NDArray[np.int64] | None) -> None:
    if images.dtype != np.uint8:
        raise SourceError(f"{path}: images must be uint8, found {images.dtype}.")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise SourceError(f"{path}: images must be (N, H, W) or (N, H, W, 3), found {images.shape}.")
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise SourceError(f"{path}: labels must be {len(images)} integers, found {labels.dtype} {labels.shape}.")
    if usage is not None and usage.shape != labels.shape:
        raise SourceError(f"{path}: usage must have the shape of labels, found {usage.shape}.")
    if len(labels) and not (labels.min() >= 0 and labels.max() <= CONTEMPT):
        raise SourceError(
            f"{path}: labels must lie in 0 ({EMOTIONS[0]}) to {CONTEMPT} (contempt), "
            f"found {labels.min()} to {labels.max()}."
        )
