"""Colour photos for training and evaluation, from folders and tar files; and images written to files.

Photos stay compressed in memory and are decoded on access (5,420 photos of 256 px take 60 MB), so a set is read from
disk once and costs no more than one decoded photo at a time. Needs no torch.
"""

import hashlib
import lzma
import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np

from emocolor.arrays import RgbImage
from emocolor.errors import SinkError, SourceError

SUFFIXES: Final = (".webp", ".png", ".jpg", ".jpeg")
"""Of the files that are taken for photos, in either case; names that begin with a dot are skipped."""

MAX_ZOOM: Final = 1.5
"""A photo's short side is at most this many times the side of a crop taken from it, unless a recipe says otherwise."""

GRAY_SPREAD: Final = 4.0
"""A photo counts as gray where its largest and smallest channel differ by less, of 255, on average."""

JPEG_QUALITY: Final = 88
BATCHES_AHEAD: Final = 2


@dataclass(frozen=True)
class EncodedPhoto:
    """A photo as its file holds it."""

    name: str
    """Its path below the folder, or in the tar file."""
    source: Path
    """The folder or file it was read from."""
    content: bytes

    def decode(self) -> RgbImage:
        """sRGB (H, W, 3) uint8, rotated as its EXIF data says; alpha is dropped.

        Raises ``SourceError``, naming the photo, where it cannot be decoded.
        """
        try:
            bgr = cv2.imdecode(np.frombuffer(self.content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # an empty file, or more pixels than OpenCV takes
            bgr = None
        if bgr is None:
            raise SourceError(f"The photo {self.name} of {self.source} cannot be decoded.")
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


@dataclass(frozen=True)
class Photos:
    """Photos in a fixed order."""

    encoded: tuple[EncodedPhoto, ...]

    def __len__(self) -> int:
        return len(self.encoded)

    def first(self, count: int | None) -> "Photos":
        """At most the first ``count``; all for None."""
        return Photos(self.encoded[:count])

    def evenly(self, count: int) -> list[int]:
        """Indices of at most ``count`` photos, spread evenly over the set."""
        return [int(index) for index in np.linspace(0, len(self) - 1, min(count, len(self))).round()]

    def spread(self, count: int) -> "Photos":
        """At most ``count``, spread evenly over the set."""
        return Photos(tuple(self.encoded[index] for index in self.evenly(count)))

    def photo(self, index: int) -> RgbImage:
        """Decode one: sRGB (H, W, 3) uint8; raises ``SourceError`` where it is damaged."""
        return self.encoded[index].decode()

    @cached_property
    def sha256(self) -> str:
        """Digest of all names and contents, in order; the same for a folder and its tar file."""
        digest = hashlib.sha256()
        for photo in self.encoded:
            digest.update(photo.name.encode() + b"\0" + hashlib.sha256(photo.content).digest())
        return digest.hexdigest()


def read_photos(sources: Sequence[Path]) -> Photos:
    """All photos of folders (with their subfolders), tar files and single files, sorted by name.

    Raises ``SourceError`` for a path that does not exist, a file that is neither a photo nor a tar file, and where
    there is no photo at all.
    """
    found = [photo for source in sources for photo in _read(source)]
    if not found:
        raise SourceError(f"No photo ({', '.join(SUFFIXES)}) in {', '.join(map(str, sources)) or 'an empty list'}.")
    return Photos(tuple(sorted(found, key=lambda photo: photo.name)))


def drop_gray(photos: Photos) -> tuple[Photos, int]:
    """Leave out photos that are gray but for noise; returns how many. Decodes each once."""
    kept = tuple(photo for photo in photos.encoded if not is_gray(photo.decode()))
    return Photos(kept), len(photos) - len(kept)


def is_gray(rgb: RgbImage) -> bool:
    """Whether the channels of (H, W, 3) uint8 are nearly equal; see ``GRAY_SPREAD``."""
    red, green, blue = cv2.split(rgb)
    spread = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    return bool(spread.mean() < GRAY_SPREAD)


def random_crop(rgb: RgbImage, size: int, random: np.random.Generator, max_zoom: float = MAX_ZOOM) -> RgbImage:
    """A random square for training: (size, size, 3) uint8 of a photo (H, W, 3), mirrored half of the time.

    The result is that of scaling the short side to ``size`` to ``max_zoom * size`` px and then cropping; only the
    crop is scaled.
    """
    height, width = rgb.shape[:2]
    side = max(1, round(min(height, width) / random.uniform(1, max_zoom)))
    top, left = random.integers(height - side + 1), random.integers(width - side + 1)
    square = _scaled(rgb[top : top + side, left : left + side], size, size)
    return np.ascontiguousarray(square[:, ::-1]) if random.random() < 0.5 else square


def stacked_crops(batches: Sequence[Sequence[int]], crop: Callable[[int], RgbImage]) -> Iterator[RgbImage]:
    """Each batch of crops (N, S, S, 3), made by ``crop`` from the indices.

    Two threads work a few batches ahead, since decoding releases the GIL. The result does not depend on them.
    """
    with ThreadPoolExecutor(2) as pool:
        pending: deque[list[Future[RgbImage]]] = deque()
        for batch in batches:
            pending.append([pool.submit(crop, index) for index in batch])
            if len(pending) > BATCHES_AHEAD:
                yield np.stack([one.result() for one in pending.popleft()])
        while pending:
            yield np.stack([one.result() for one in pending.popleft()])


def center_crop(rgb: RgbImage, size: int) -> RgbImage:
    """The central square for evaluation, (size, size, 3) uint8: the short side is scaled to ``size`` first."""
    height, width = rgb.shape[:2]
    scale = size / min(height, width)
    scaled = _scaled(rgb, max(size, round(height * scale)), max(size, round(width * scale)))
    top, left = (scaled.shape[0] - size) // 2, (scaled.shape[1] - size) // 2
    return np.ascontiguousarray(scaled[top : top + size, left : left + size])


def write_image(path: Path, rgb: RgbImage) -> None:
    """Write sRGB (H, W, 3) uint8 as JPEG where the name says so, else as PNG; raises ``SinkError`` where it cannot."""
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if jpeg else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    _, data = cv2.imencode(".jpg" if jpeg else ".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise SinkError(f"Cannot write the image {path}: {error.strerror}. Choose another place.") from error


def _scaled(rgb: RgbImage, height: int, width: int) -> RgbImage:
    """Area averaging where it shrinks, bicubic where it grows."""
    if rgb.shape[:2] == (height, width):
        return rgb
    method = cv2.INTER_AREA if height * width < rgb.shape[0] * rgb.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=method), np.uint8)


def _read(source: Path) -> Iterator[EncodedPhoto]:
    if source.is_dir():
        return _read_folder(source)
    if not source.exists():
        raise SourceError(f"No such file or folder: {source}.")
    return iter([_read_file(source, source.name, source)]) if _is_photo(source.name) else _read_tar(source)


def _read_folder(folder: Path) -> Iterator[EncodedPhoto]:
    for path in folder.rglob("*"):
        if _is_photo(path.name) and path.is_file():
            yield _read_file(path, path.relative_to(folder).as_posix(), folder)


def _read_file(path: Path, name: str, source: Path) -> EncodedPhoto:
    try:
        return EncodedPhoto(name, source, path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_tar(path: Path) -> Iterator[EncodedPhoto]:
    try:
        if not tarfile.is_tarfile(path):
            raise SourceError(f"{path} is neither a folder, nor a tar file, nor a photo ({', '.join(SUFFIXES)}).")
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and _is_photo(member.name) and (file := archive.extractfile(member)):
                    yield EncodedPhoto(str(PurePosixPath(member.name)), path, file.read())
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"The tar file {path} cannot be read: {error}.") from error


def _is_photo(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
