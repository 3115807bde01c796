"""Colour photos for training and measuring colorizers, from folders and tar files.

Pictures stay compressed in memory and are decoded when asked for (5,420 photos of 256 px take 60 MB), so
a set is read from disk once and its use costs no more than one decoded picture at a time. Needs no torch.
"""

import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.errors import SourceError

Rgb8 = NDArray[np.uint8]

SUFFIXES: Final = (".webp", ".png", ".jpg", ".jpeg")
"""What counts as a picture, in either case; files whose name begins with a dot do not."""

LARGEST_ZOOM: Final = 1.5
"""A photo's short side is at most this many times the side of a crop taken from it."""

GRAY_SPREAD: Final = 4.0
"""A picture counts as gray where its largest and smallest channel differ by less, of 255, in the mean."""


@dataclass(frozen=True)
class PackedPhoto:
    """A picture as its file holds it."""

    name: str
    """Its path below the folder, or in the tar file."""
    source: Path
    """The folder or file it was read from."""
    content: bytes

    def decode(self) -> Rgb8:
        """sRGB (H, W, 3) uint8, turned as its EXIF data says; alpha is dropped.

        Raises ``SourceError``, naming the picture, where it cannot be decoded.
        """
        try:
            bgr = cv2.imdecode(np.frombuffer(self.content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # no bytes at all, or more pixels than OpenCV takes
            bgr = None
        if bgr is None:
            raise SourceError(f"The picture {self.name} of {self.source} cannot be decoded.")
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


@dataclass(frozen=True)
class Photos:
    """Pictures in a fixed order."""

    packed: tuple[PackedPhoto, ...]

    def __len__(self) -> int:
        return len(self.packed)

    def photo(self, index: int) -> Rgb8:
        """Decode one: sRGB (H, W, 3) uint8; raises ``SourceError`` where it is damaged."""
        return self.packed[index].decode()

    @cached_property
    def sha256(self) -> str:
        """Digest of all names and contents, in order; the same for a folder and its tar file."""
        digest = hashlib.sha256()
        for packed in self.packed:
            digest.update(packed.name.encode() + b"\0" + hashlib.sha256(packed.content).digest())
        return digest.hexdigest()


def read_photos(sources: Sequence[Path]) -> Photos:
    """All pictures of folders (with their subfolders), tar files and single files, sorted by name.

    Raises ``SourceError`` for a path that does not exist, a file that is neither a picture nor a tar
    file, and where there is no picture at all.
    """
    found = [packed for source in sources for packed in _read(source)]
    if not found:
        places = ", ".join(str(source) for source in sources)
        raise SourceError(f"No picture ({', '.join(SUFFIXES)}) in {places or 'no place at all'}.")
    return Photos(tuple(sorted(found, key=lambda packed: packed.name)))


def drop_gray(photos: Photos) -> tuple[Photos, int]:
    """Leave out pictures that are gray but for noise; returns how many. Decodes each once."""
    kept = tuple(packed for packed in photos.packed if not is_gray(packed.decode()))
    return Photos(kept), len(photos) - len(kept)


def is_gray(rgb: Rgb8) -> bool:
    """Whether the channels of (H, W, 3) uint8 are nearly equal; see ``GRAY_SPREAD``."""
    red, green, blue = cv2.split(rgb)
    spread = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    return bool(spread.mean() < GRAY_SPREAD)


def random_crop(rgb: Rgb8, size: int, random: np.random.Generator) -> Rgb8:
    """A square for training: (size, size, 3) uint8 of a picture (H, W, 3), half of the time mirrored.

    It is as if the picture were scaled until its short side were ``size`` to ``LARGEST_ZOOM * size`` px
    and then cut; only what is cut is scaled.
    """
    height, width = rgb.shape[:2]
    side = max(1, round(min(height, width) / random.uniform(1, LARGEST_ZOOM)))
    top, left = random.integers(height - side + 1), random.integers(width - side + 1)
    square = _scaled(rgb[top : top + side, left : left + side], size, size)
    return np.ascontiguousarray(square[:, ::-1]) if random.random() < 0.5 else square


def central_crop(rgb: Rgb8, size: int) -> Rgb8:
    """The square for measuring: the short side scaled to ``size``, then the middle; (size, size, 3) uint8."""
    height, width = rgb.shape[:2]
    scale = size / min(height, width)
    scaled = _scaled(rgb, max(size, round(height * scale)), max(size, round(width * scale)))
    top, left = (scaled.shape[0] - size) // 2, (scaled.shape[1] - size) // 2
    return np.ascontiguousarray(scaled[top : top + size, left : left + size])


def _scaled(rgb: Rgb8, height: int, width: int) -> Rgb8:
    """Area means where it gets smaller, bicubic where it grows."""
    if rgb.shape[:2] == (height, width):
        return rgb
    method = cv2.INTER_AREA if height * width < rgb.shape[0] * rgb.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=method), np.uint8)


def _read(source: Path) -> Iterator[PackedPhoto]:
    if source.is_dir():
        return _read_folder(source)
    if not source.exists():
        raise SourceError(f"No such file or folder: {source}.")
    return iter([_read_file(source, source.name, source)]) if _is_picture(source.name) else _read_tar(source)


def _read_folder(folder: Path) -> Iterator[PackedPhoto]:
    for path in folder.rglob("*"):
        if _is_picture(path.name) and path.is_file():
            yield _read_file(path, path.relative_to(folder).as_posix(), folder)


def _read_file(path: Path, name: str, source: Path) -> PackedPhoto:
    try:
        return PackedPhoto(name, source, path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_tar(path: Path) -> Iterator[PackedPhoto]:
    try:
        if not tarfile.is_tarfile(path):
            raise SourceError(f"{path} is neither a folder, nor a tar file, nor a picture ({', '.join(SUFFIXES)}).")
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and _is_picture(member.name) and (file := archive.extractfile(member)):
                    yield PackedPhoto(str(PurePosixPath(member.name)), path, file.read())
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"The tar file {path} cannot be read: {error}.") from error


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
