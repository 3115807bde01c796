"""A sheet of photos as a colorizer sees them, as it colours them, and as they were: what no figure tells.

    python -m training.colorizer.contact_sheet --images val.tar --out sheet.png [--count 40] [--vividness 0.5] [--columns 4]

Photos are taken evenly over the set. Each column of the sheet is three pictures wide: gray, coloured, true.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from emocolor.chroma.conversion import Rgb8, luma_of
from emocolor.errors import ConfigurationError, EmocolorError, SinkError

from ..data.photos import Photos, central_crop, read_photos
from .recolorers import Recolorer, shipped

GAP = 6
"""Pixels between the pictures of two photos."""


def contact_sheet(photos: Photos, recolor: Recolorer, *, count: int, columns: int, size: int) -> Rgb8:
    """The sheet, (H, W, 3) uint8: ``count`` photos at most, their middle squares ``size`` px wide.

    Raises ``ConfigurationError`` for a sheet without photos or columns.
    """
    if min(count, columns) < 1:
        raise ConfigurationError("A sheet needs at least one photo and one column.")
    indices = np.linspace(0, len(photos) - 1, min(count, len(photos))).round().astype(int)
    triples = [_triple(central_crop(photos.photo(int(index)), 256), recolor, size) for index in indices]
    rows = [_row(triples[start : start + columns], columns) for start in range(0, len(triples), columns)]
    return np.concatenate(rows)


def _triple(truth: Rgb8, recolor: Recolorer, size: int) -> Rgb8:
    gray = luma_of(truth)
    whole = np.hstack([np.repeat(gray[..., None], 3, axis=2), recolor(gray), truth])
    return np.asarray(cv2.resize(whole, (3 * size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _row(triples: Sequence[Rgb8], columns: int) -> Rgb8:
    height, width = triples[0].shape[:2]
    row = np.full((height + GAP, columns * (width + GAP), 3), 255, np.uint8)
    for column, triple in enumerate(triples):
        row[:height, column * (width + GAP) : column * (width + GAP) + width] = triple
    return row


def write_picture(path: Path, rgb: Rgb8) -> None:
    """Write a picture, as JPEG where the name says so, else as PNG; raises ``SinkError`` where that cannot be."""
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    options = [cv2.IMWRITE_JPEG_QUALITY, 88] if jpeg else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    _, data = cv2.imencode(".jpg" if jpeg else ".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise SinkError(f"Cannot write the picture {path}: {error.strerror}. Choose another place.") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--out", type=Path, required=True, help="PNG or JPEG to write")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--size", type=int, default=160, help="side of a picture, px")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    parser.add_argument("--vividness", type=float, help="how vivid the net's answer shall be, 0 to 1")
    arguments = parser.parse_args()
    try:
        sheet = contact_sheet(
            read_photos(arguments.images), shipped(arguments.weights, arguments.vividness),
            count=arguments.count, columns=arguments.columns, size=arguments.size,
        )  # fmt: skip
        write_picture(arguments.out, sheet)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
