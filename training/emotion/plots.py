"""The confusion matrix of a run, as PNG beside its metrics."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from emocolor.emotions import EMOTIONS

from ..records import read_json
from ..run_folder import FINAL


def draw_confusion(run: Path) -> None:
    """``confusion.png`` from ``final.json``: predictions for each labelled emotion, in percent."""
    final = read_json(run / FINAL)
    measured = final["test"] if "test" in final else final["held_out"]
    figure, panels = plt.subplots(1, len(measured), figsize=(4.6 * len(measured), 4.2), layout="constrained")
    for axes, (name, found) in zip(np.atleast_1d(panels), measured.items(), strict=True):
        counts = np.array(found["confusion"], float)
        shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(shares):
            color = "white" if share > 55 else "black"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=8, color=color)
        axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=45, ha="right")
        axes.set_yticks(range(len(EMOTIONS)), EMOTIONS)
        axes.set(xlabel="prediction", ylabel="label", title=f"{name} labels, accuracy {found['accuracy']:.3f}")
    figure.savefig(run / "confusion.png", dpi=80)
    plt.close(figure)
