"""Reads the image whose palette a colorized film gets (:mod:`emocolor.chroma.reference`)."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.chroma.reference import SHORT_SIDE, ColorStatistics, statistics_of
from emocolor.errors import SourceError

from ..media.locations import error_text
from ..media.reading.frame_size import decoder_options

MIN_PIXELS: Final = 16
MAX_PIXELS: Final = 256 * 10**6
"""Photos are larger than frames; OpenCV's own limit would let 3 GB pass."""
_REDUCTIONS: Final = (
    cv2.IMREAD_REDUCED_COLOR_8,
    cv2.IMREAD_REDUCED_COLOR_4,
    cv2.IMREAD_REDUCED_COLOR_2,
    cv2.IMREAD_COLOR,
)


def read_reference(path: Path) -> ColorStatistics:
    """The palette of a photo in any format that OpenCV reads: JPEG, PNG, WebP, TIFF, AVIF and others.

    Pixels count as sRGB; alpha is ignored. Raises ``SourceError`` where there is no such file, where it is not an image
    (a video is not) or damaged, and where it has fewer than ``MIN_PIXELS`` pixels or more than ``MAX_PIXELS``.
    """
    content = _content(path)
    _check_size(path)
    with _quiet_stderr():
        image = _decoded(content)
    if image is None:
        raise _failure(path, "it is not an image, or it is damaged. Give a photo, such as a JPEG or PNG file")
    height, width = image.shape[:2]
    if width * height < MIN_PIXELS:
        raise _failure(path, f"with {width}x{height} pixels it is too small to have a palette. Give a larger image")
    return statistics_of(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))


def _content(path: Path) -> NDArray[np.uint8]:
    """The file's bytes, (N,), mapped into memory: a large video is not loaded only to find that it is not an image."""
    # Unlike pathlib's, these functions take names that no file can have.
    if os.path.isdir(path):
        raise _failure(path, "it is a folder. Name an image in it")
    if not os.path.isfile(path):
        raise _failure(path, "it is no file" if os.path.exists(path) else "there is no such file. Check the name")
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise _failure(path, "the file is empty. Give a photo, such as a JPEG or PNG file")
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except OSError as error:
        raise _failure(path, f"{error_text(error)}. Give a file that can be read") from error


def _check_size(path: Path) -> None:
    """Refuse by its header what would take too much memory."""
    try:
        with path.open("rb") as file, av.open(file, options=decoder_options(MAX_PIXELS)) as image:
            context = image.streams.video[0].codec_context
            # FFmpeg has no size for what it refuses to decode.
            if 0 < context.width * context.height <= MAX_PIXELS:
                return
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return  # a format that OpenCV alone may know
    raise _failure(
        path, f"it is not an image, it is damaged, or it has more than {MAX_PIXELS} pixels. Give a JPEG or PNG file"
    )


def _decoded(content: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """BGR (H, W, 3), at the largest reduction that keeps the detail of the palette; ``None`` if it cannot be decoded.

    JPEG is reduced while it is decoded, in a fraction of the time and memory.
    """
    for reduction in _REDUCTIONS:
        try:
            image = cv2.imdecode(content, reduction)
        except cv2.error:  # smaller than the reduction, or larger than OpenCV allows
            continue
        if image is not None and (min(image.shape[:2]) >= SHORT_SIDE or reduction == cv2.IMREAD_COLOR):
            return np.asarray(image, np.uint8)
    return None


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Suppress messages about damaged files on file descriptor 2; other threads are silenced as well.

    libpng and libjpeg write there themselves, so OpenCV's log level does not help.
    """
    try:
        original = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)


def _failure(path: Path, reason: str) -> SourceError:
    return SourceError(f"Cannot read the reference {path}: {reason}.")
