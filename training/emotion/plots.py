"""Pictures of a run: curves over epochs and the confusion matrix, as PNG beside its figures."""

import csv
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from emocolor.emotions import EMOTIONS


def draw_curves(run: Path) -> None:
    """``curves.png`` from ``epochs.csv``: the training loss, and accuracy on held-out images."""
    rows = list(csv.DictReader((run / "epochs.csv").read_text().splitlines()))
    epochs = [int(row["epoch"]) for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(epochs, [float(row["train_loss"]) for row in rows], color="#333333")
    left.set(xlabel="epoch", ylabel="training loss")
    for name in [key for key in rows[0] if key.endswith("_accuracy")]:
        values = [float(row[name]) for row in rows]
        right.plot(epochs, values, label=f"{name.removesuffix('_accuracy')} labels, ends at {values[-1]:.3f}")
    right.set(xlabel="epoch", ylabel="accuracy, held-out images")
    right.legend(frameon=False, fontsize="small")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(run / "curves.png", dpi=80)
    plt.close(figure)


def draw_confusion(run: Path) -> None:
    """``confusion.png`` from ``final.json``: what each labelled emotion was taken for, in percent."""
    final = json.loads((run / "final.json").read_text())
    measured = final.get("test", final["held_out"])
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
        axes.set(xlabel="answer", ylabel="label", title=f"{name} labels, accuracy {found['accuracy']:.3f}")
    figure.savefig(run / "confusion.png", dpi=80)
    plt.close(figure)
