"""A contact sheet of photos in gray, colorized, and true, because metrics do not show what a colorization looks like.

    python -m training.colorizer.contact_sheet --images val.tar --out sheet.png [--count 40] [--vividness 0.5]

Photos are taken evenly over the set. Each column of the sheet is three images wide: gray, colorized, true.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from emocolor.arrays import RgbImage
from emocolor.chroma.conversion import luma_of
from emocolor.errors import ConfigurationError, EmocolorError

from ..data.photos import Photos, center_crop, read_photos, write_image
from .recolorers import Recolorer, load_recolorer

GAP = 6
"""Pixels between two photos."""
COLORIZED_SIZE = 256
"""Side at which photos are colorized, px."""


def contact_sheet(photos: Photos, recolor: Recolorer, *, count: int, columns: int, size: int) -> RgbImage:
    """The sheet, (H, W, 3) uint8: at most ``count`` photos, their central squares ``size`` px wide.

    Raises ``ConfigurationError`` for a sheet without photos or columns.
    """
    if min(count, columns) < 1:
        raise ConfigurationError(f"A sheet needs at least one photo and one column, got {count} and {columns}.")
    squares = (center_crop(photos.photo(index), COLORIZED_SIZE) for index in photos.evenly(count))
    triples = [_scaled(triptych(square, recolor), size) for square in squares]
    rows = [_row(triples[start : start + columns], columns) for start in range(0, len(triples), columns)]
    return np.concatenate(rows)


def triptych(truth: RgbImage, recolor: Recolorer) -> RgbImage:
    """A photo (H, W, 3) uint8 in gray, colorized, and true, side by side: (H, 3 W, 3)."""
    gray = luma_of(truth)
    return np.hstack([np.repeat(gray[..., None], 3, axis=2), recolor(gray), truth])


def _scaled(triple: RgbImage, size: int) -> RgbImage:
    return np.asarray(cv2.resize(triple, (3 * size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _row(triples: Sequence[RgbImage], columns: int) -> RgbImage:
    height, width = triples[0].shape[:2]
    row = np.full((height + GAP, columns * (width + GAP), 3), 255, np.uint8)
    for column, triple in enumerate(triples):
        row[:height, column * (width + GAP) : column * (width + GAP) + width] = triple
    return row


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--out", type=Path, required=True, help="PNG or JPEG to write")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--size", type=int, default=160, help="side of an image, px")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    parser.add_argument("--vividness", type=float, help="vividness of the colours, 0 to 1")
    arguments = parser.parse_args(argv)
    try:
        sheet = contact_sheet(
            read_photos(arguments.images), load_recolorer(arguments.weights, arguments.vividness),
            count=arguments.count, columns=arguments.columns, size=arguments.size,
        )  # fmt: skip
        write_image(arguments.out, sheet)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
