"""Pictures of a style net's run, as PNG beside its figures. They show the photos it was measured on."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from ..data.photos import Rgb8

Paint = Callable[[Rgb8, NDArray[np.float32]], Rgb8]
"""sRGB (H, W, 3) uint8 and a mixture (8,) to the picture painted."""

PANELS = (
    ("content", "content loss"),
    ("style", "style loss"),
    ("temporal", "difference of two views"),
)


def draw_curves(run: Path) -> None:
    """``curves.png`` from ``epochs.csv``: each loss in training and, dark, on held-out photos."""
    rows = list(csv.DictReader((run / "epochs.csv").read_text().splitlines()))
    epochs = [int(row["epoch"]) for row in rows]
    figure, panels = plt.subplots(1, len(PANELS), figsize=(11, 3), layout="constrained")
    for axes, (name, words) in zip(panels, PANELS, strict=True):
        axes.plot(epochs, [float(row[name]) for row in rows], color="#333333", label="held-out photos")
        if f"train_{name}" in rows[0]:  # one that learns from a teacher alone is not judged in training
            axes.plot(epochs, [float(row[f"train_{name}"]) for row in rows], color="#aaaaaa", label="training")
        axes.set(xlabel="epoch", ylabel=words, yscale="log")
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].legend(frameon=False, fontsize="small")
    figure.savefig(run / "curves.png", dpi=80)
    plt.close(figure)


def style_sheet(pictures: Sequence[Rgb8], mixtures: Sequence[NDArray[np.float32]], paint: Paint) -> Rgb8:
    """A row a picture, (H, W, 3) uint8 all of one size: as it is, then painted by each mixture."""
    rows = [np.hstack([picture, *(paint(picture, mixture) for mixture in mixtures)]) for picture in pictures]
    return np.vstack(rows)
