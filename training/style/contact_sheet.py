"""A contact sheet of photos in the styles of one or several nets, because metrics do not show what a style looks like.

    python -m training.style.contact_sheet --images val.tar --out sheet.png [--count 6] [--weights fast ...]

Photos are taken evenly over the set, one row each. Styles come in the order of the emotions: angry, disgust, fear,
happy, sad, surprise, neutral. Several nets stand side by side.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage
from emocolor.errors import ConfigurationError, EmocolorError

from ..data.photos import Photos, center_crop, read_photos, write_image
from .candidates import CandidateNet, load_candidate, single_style
from .evaluate import MULTIPLE

if TYPE_CHECKING:
    from .nets import StylizeFunction

MIN_SIZE = 36
"""px; nets take nothing smaller."""


def contact_sheet(photos: Photos, nets: Sequence[CandidateNet], *, count: int, size: int) -> RgbImage:
    """The sheet, (H, W, 3) uint8: central squares ``size`` px wide of at most ``count`` photos.

    Raises ``ConfigurationError`` for a sheet without photos, or a size that nets do not take.
    """
    if count < 1:
        raise ConfigurationError(f"A sheet needs at least one photo, not {count}.")
    if size < MIN_SIZE or size % MULTIPLE:
        raise ConfigurationError(f"The size must be a multiple of {MULTIPLE}, at least {MIN_SIZE}, got {size}.")
    squares = [center_crop(photos.photo(index), size) for index in photos.evenly(count)]
    sheets = [style_sheet(squares, [single_style(e) for e in net.paintings], net.stylize) for net in nets]
    return np.hstack([np.vstack(squares), *(sheet[:, size:] for sheet in sheets)])


def style_sheet(
    images: Sequence[RgbImage], mixtures: Sequence[NDArray[np.float32]], stylize: "StylizeFunction"
) -> RgbImage:
    """A row for each image, (H, W, 3) uint8 all of one size: the original, then each mixture of styles."""
    rows = [np.hstack([image, *(stylize(image, mixture) for mixture in mixtures)]) for image in images]
    return np.vstack(rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--out", type=Path, required=True, help="PNG or JPEG to write")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--size", type=int, default=256, help="side of an image, px")
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[None],
        help="shipped nets' names, ONNX files, runs' folders (default: what ships)",
    )
    arguments = parser.parse_args(argv)
    try:
        nets = [load_candidate(weights, threads=os.cpu_count() or 1) for weights in arguments.weights]
        photos = read_photos(arguments.images)
        write_image(arguments.out, contact_sheet(photos, nets, count=arguments.count, size=arguments.size))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
