"""A sheet of photos as they are and as a style net paints them, one row a photo: what no figure tells.

    python -m training.style.contact_sheet --images val.tar --out sheet.png [--count 6] [--weights fast ...]

Photos are taken evenly over the set. Styles stand in the emotions' order: angry, disgust, fear, happy, sad, surprise,
neutral, of a net of one style that one alone. Several nets stand side by side.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emocolor.errors import ConfigurationError, EmocolorError

from ..colorizer.contact_sheet import write_picture
from ..data.photos import Photos, Rgb8, central_crop, read_photos
from .candidates import PaintingNet, load_painting_net, only
from .evaluate import MULTIPLE
from .plots import style_sheet

SMALLEST = 36
"""px: what a net needs of either side."""


def sheet_of(photos: Photos, nets: Sequence[PaintingNet], *, count: int, size: int) -> Rgb8:
    """The sheet, (H, W, 3) uint8: middle squares ``size`` px wide of ``count`` photos at most.

    Raises ``ConfigurationError`` for a sheet without photos, or a size that nets do not take.
    """
    if count < 1:
        raise ConfigurationError(f"A sheet needs at least one photo, not {count}.")
    if size < SMALLEST or size % MULTIPLE:
        raise ConfigurationError(f"The size must be a multiple of {MULTIPLE}, at least {SMALLEST}, got {size}.")
    indices = np.linspace(0, len(photos) - 1, min(count, len(photos))).round().astype(int)
    squares = [central_crop(photos.photo(int(index)), size) for index in indices]
    sheets = [style_sheet(squares, [only(emotion) for emotion in net.paintings], net.paint) for net in nets]
    return np.hstack([np.vstack(squares), *(sheet[:, size:] for sheet in sheets)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--out", type=Path, required=True, help="PNG or JPEG to write")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--size", type=int, default=256, help="side of a picture, px")
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[None],
        help="shipped nets' names, ONNX files, runs' folders (default: what ships)",
    )
    arguments = parser.parse_args()
    try:
        nets = [load_painting_net(weights, threads=os.cpu_count() or 1) for weights in arguments.weights]
        photos = read_photos(arguments.images)
        write_picture(arguments.out, sheet_of(photos, nets, count=arguments.count, size=arguments.size))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
