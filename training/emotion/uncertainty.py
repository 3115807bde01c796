"""Comparison of ways to estimate a net's uncertainty.

    python -m training.emotion.uncertainty --weights NAME --data fer2013.npz [--split public] [--labels ferplus] \
        [--out FOLDER]

Compares one pass without dropout (softmax) with Monte Carlo dropout (Gal and Ghahramani 2016) of T = 5, 10, 20 and 50
passes, each without and with temperature: accuracy, ECE, Brier score, NLL, and the accuracy on the images that are kept
when the most uncertain are rejected. Then, with T = 20 and temperature, applies dropout only at each subset of the
net's masks and holds the others at 1. Temperatures are cross-fitted: each half of the images has that of the other
half, so nothing is measured on the labels it was fitted on. A temperature in the exported graph is undone first. The
masks of T = 20 are those of ``training.evaluate --mc 20``.

Prints Markdown; ``--out`` gets uncertainty.json, risk_coverage.png and reliability.png (drawn by matplotlib). Needs no
torch. Every subset takes twenty passes over all images, and five masks have thirty-one subsets: ``--subset-images``
takes fewer images, evenly spread over the file, in that part alone.
"""

import argparse
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from emocolor.classifier import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError, MissingDependencyError, SinkError, SourceError
from engines.emotion import EmotionNetRunner, load_emotion_net

from ..data.faces import LabelSet, Split
from ..records import JsonObject, machine_info, sha256_of, write_json
from .calibration import (
    apply_temperature,
    cross_fitted_passes,
    entropy,
    error_auroc,
    fit_temperature,
    mutual_information,
    reliability,
    reliability_bins,
    risk_coverage,
    selective_risks,
)
from .scoring import output_for, passes_of_all, scored_faces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Passes = NDArray[np.float64]
"""Probabilities (T, N, 7)."""
Labels = NDArray[np.int64]

PASSES = (5, 10, 20, 50)
CHOSEN = 20
"""T of the table over subsets of the masks, and of the plots."""
KEPT = "0.80"
"""Coverage at which the gain from rejecting images is reported."""
TIMINGS = 20
"""Rounds, of which the minimum counts as the cost."""
SHADES = ("#999999", "#4477aa", "#cc6677", "#222222")
COST_NOTE = (
    "Cost is the time of the whole net for one face on one core, relative to one pass without dropout, each the "
    "minimum over many rounds. The graph runs everything after its first mask once per pass, whichever masks act, so "
    f"every subset below costs as much as T = {CHOSEN}."
)


class Method(NamedTuple):
    """One way to get probabilities from a net."""

    passes: int
    """T of Monte Carlo dropout, or 0 for one pass without dropout."""
    temperature: bool

    def __str__(self) -> str:
        return (f"T = {self.passes}" if self.passes else "softmax") + (", temperature" if self.temperature else "")


SOFTMAX, PLAIN, FITTED = Method(0, False), Method(CHOSEN, False), Method(CHOSEN, True)
"""The methods in the plots."""


@dataclass(frozen=True, kw_only=True)
class UncertaintyEval:
    """A net, and the faces it is evaluated on."""

    net: EmotionNetRunner
    output: str
    crops: NDArray[np.uint8]
    """(N, S, S) gray."""
    labels: Labels
    """(N,)"""
    seed: int
    """Of the dropout masks."""

    def thinned(self, count: int) -> "UncertaintyEval":
        """The same on ``count`` of the images, evenly spread."""
        kept = np.linspace(0, len(self.labels) - 1, count).round().astype(int)
        return replace(self, crops=self.crops[kept], labels=self.labels[kept])

    def passes(self, count: int, masks: Collection[str] | None = None) -> Passes:
        """``count`` passes, or one without dropout for 0, with the temperature of the graph undone.

        Dropout acts only at ``masks``, by default at all of them.
        """
        net = self.net if masks is None else with_dropout_at(self.net, masks)
        passes = passes_of_all(EmotionClassifier(net, passes=count, seed=self.seed), self.crops, self.output)
        return apply_temperature(passes, 1 / net.spec.temperatures[self.output])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="a shipped net's name, or an ONNX file with its card")
    parser.add_argument("--data", type=Path, required=True, help="npz of labelled faces")
    parser.add_argument("--split", default="public", choices=get_args(Split))
    parser.add_argument("--labels", default="fer2013", choices=get_args(LabelSet), help="score by these labels")
    parser.add_argument("--seed", type=int, default=0, help="seed of the dropout masks")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores for all but the cost")
    parser.add_argument("--subset-images", type=int, metavar="N", help="images for the subsets of masks (default: all)")
    parser.add_argument("--out", type=Path, help="folder for uncertainty.json and the two plots")
    options = parser.parse_args(argv)
    try:
        if options.out:
            check_output(options.out)
        evaluation = prepare(options)
        cost = cost_of_passes(load_emotion_net(options.weights, threads=1), evaluation.crops[:1])
        methods = passes_by_method(evaluation)
        few = evaluation.thinned(min(options.subset_images or len(evaluation.labels), len(evaluation.labels)))
        found = {
            **record(options, evaluation),
            "subset_images": len(few.labels),
            "milliseconds_of_one_pass": round(1000 * cost[0], 3),
            "methods": [method_metrics(methods, method, evaluation.labels, cost) for method in methods],
            "where_dropout_acts": [subset_metrics(few, masks) for masks in subsets(list(evaluation.net.dropouts))],
        }
        print(markdown(found))
        if options.out:
            write(options.out, found, methods, evaluation.labels)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


def prepare(options: argparse.Namespace) -> UncertaintyEval:
    """The net and the faces that the command line names."""
    if options.seed < 0:
        raise ConfigurationError(f"The seed must not be negative, got {options.seed}.")
    if options.subset_images is not None and options.subset_images < 2:
        raise ConfigurationError(f"At least 2 images are needed for the subsets of masks, got {options.subset_images}.")
    faces = scored_faces(options.data, options.split, options.labels)
    if len(faces) < 2:
        raise SourceError(f"{options.data} holds one image that counts, but cross-fitting needs at least two.")
    net = load_emotion_net(options.weights, threads=options.threads)
    return UncertaintyEval(
        net=net,
        output=output_for(net.spec, options.labels),
        crops=faces.gray(net.crop_size),
        labels=faces.labels,
        seed=options.seed,
    )


def record(options: argparse.Namespace, evaluation: UncertaintyEval) -> JsonObject:
    """The settings of the measurement."""
    return {
        "weights": options.weights,
        "sha256": evaluation.net.spec.sha256,
        "data": {"file": options.data.name, "sha256": sha256_of(options.data), "split": options.split},
        "labels": options.labels,
        "output": evaluation.output,
        "images": len(evaluation.labels),
        "seed": evaluation.seed,
        "machine": machine_info(),
        "masks": {
            name: {"shape": list(shape), "rate": rate} for name, (shape, rate) in evaluation.net.dropouts.items()
        },
    }


def passes_by_method(evaluation: UncertaintyEval) -> dict[Method, Passes]:
    """Every T without and with temperature."""
    found: dict[Method, Passes] = {}
    for count in (0, *PASSES):
        progress(str(Method(count, False)))
        found[Method(count, False)] = evaluation.passes(count)
        found[Method(count, True)] = cross_fitted_passes(found[Method(count, False)], evaluation.labels)
    return found


def method_metrics(
    methods: Mapping[Method, Passes], method: Method, labels: Labels, cost: Mapping[int, float]
) -> JsonObject:
    """One row of the first table. ``temperature`` is the one fitted on all images, for the record; the metrics come
    from those of the halves."""
    fitted = fit_temperature(methods[Method(method.passes, False)], labels) if method.temperature else None
    return {
        "method": str(method),
        "passes": method.passes,
        "temperature": fitted,
        "cost": round(cost[method.passes] / cost[0], 2),
        **metrics(methods[method], labels),
    }


def metrics(passes: Passes, labels: Labels) -> JsonObject:
    """Calibration, and risk over coverage by each uncertainty that the passes give."""
    mean = passes.mean(0)
    coverage = {name: risk_coverage(mean, labels, u) for name, u in uncertainties(passes).items()}
    return reliability(mean, labels) | {"gain": gain(coverage["entropy"]), "coverage": coverage}


def uncertainties(passes: Passes) -> dict[str, NDArray[np.float64]]:
    """(N,) each: predictive entropy, and for several passes mutual information and 1 - top probability."""
    mean = passes.mean(0)
    found = {"entropy": entropy(mean)}
    if len(passes) > 1:
        found |= {"mutual_information": mutual_information(passes), "one_minus_top": 1 - mean.max(1)}
    return found


def gain(coverage: Mapping[str, float]) -> float:
    """The gain in accuracy from rejecting the most uncertain fifth."""
    return round(coverage[KEPT] - coverage["1.00"], 4)


def subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every subset but the empty one, small ones first."""
    return chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1))


def subset_metrics(evaluation: UncertaintyEval, masks: Sequence[str]) -> JsonObject:
    """Metrics of T = 20 with cross-fitted temperature, where dropout acts only at ``masks``."""
    progress(f"dropout at {' '.join(masks)}")
    passes, labels = cross_fitted_passes(evaluation.passes(CHOSEN, masks), evaluation.labels), evaluation.labels
    mean, information = passes.mean(0), mutual_information(passes)
    return {
        "masks": list(masks),
        **reliability(mean, labels),
        "gain": gain(risk_coverage(mean, labels, entropy(mean))),
        "mutual_information": round(float(information.mean()), 4),
        "error_auroc": round(error_auroc(information, mean.argmax(1) != labels), 4),
    }


def with_dropout_at(net: EmotionNetRunner, masks: Collection[str]) -> EmotionNetRunner:
    """The net with all other masks at 1: a rate of 0 keeps everything, and draws as many random numbers, so that
    ``masks`` are the same in every subset."""
    dropouts = {name: (shape, rate if name in masks else 0.0) for name, (shape, rate) in net.dropouts.items()}
    return replace(net, spec=replace(net.spec, dropouts=dropouts))


def cost_of_passes(net: EmotionNetRunner, face: NDArray[np.uint8]) -> dict[int, float]:
    """Seconds per crop (1, S, S), by T; 0 is one pass without dropout."""
    return {count: best_seconds(EmotionClassifier(net, passes=count), face) for count in (0, *PASSES)}


def best_seconds(classifier: EmotionClassifier, face: NDArray[np.uint8]) -> float:
    """The minimum over ``TIMINGS`` rounds, which other load on the machine disturbs least."""
    taken = []
    for _ in range(TIMINGS):
        start = time.perf_counter()
        classifier.passes_of(face)
        taken.append(time.perf_counter() - start)
    return min(taken)


def progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def markdown(found: JsonObject) -> str:
    """Both tables, with the notes needed to read them."""
    count, accuracy = found["images"], found["methods"][0]["accuracy"]
    few = found["subset_images"]
    masks = ", ".join(f"`{name}` {tuple(m['shape'])} at {m['rate']:g}" for name, m in found["masks"].items())
    return "\n".join(
        [
            f"`{found['weights']}`, output `{found['output']}`, {count:,} images of {found['data']['file']} "
            f"({found['data']['split']}), {found['labels']} labels. The standard error of an accuracy "
            "is "
            f"{(accuracy * (1 - accuracy) / count) ** 0.5:.3f}. Temperatures are cross-fitted. {COST_NOTE}",
            "",
            "| | accuracy | ECE | Brier | NLL | at 80 % coverage, by entropy | by mutual information "
            "| by top probability "
            "| gain | area under risk-coverage | cost |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
            *(method_row(row) for row in found["methods"]),
            "",
            f"By location of dropout, T = {CHOSEN} with temperature, {few:,} images; the masks are {masks}:",
            "",
            "| dropout at | accuracy | ECE | NLL | gain | mean mutual information | error detection (AUROC) |",
            "|---|---|---|---|---|---|---|",
            *(subset_row(row) for row in found["where_dropout_acts"]),
        ]
    )


def method_row(row: JsonObject) -> str:
    coverage = row["coverage"]
    kept = [f"{coverage[by][KEPT]:.3f}" if by in coverage else "–" for by in ("mutual_information", "one_minus_top")]
    return (
        f"| {row['method']} | {row['accuracy']:.3f} | {row['ece']:.3f} | {row['brier']:.3f} | {row['nll']:.3f} "
        f"| {coverage['entropy'][KEPT]:.3f} | {kept[0]} | {kept[1]} | {row['gain']:+.3f} "
        f"| {coverage['entropy']['aurc']:.3f} | {row['cost']:.1f} |"
    )


def subset_row(row: JsonObject) -> str:
    return (
        f"| {', '.join(row['masks'])} | {row['accuracy']:.3f} | {row['ece']:.3f} | {row['nll']:.3f} "
        f"| {row['gain']:+.3f} | {row['mutual_information']:.3f} | {row['error_auroc']:.3f} |"
    )


def check_output(folder: Path) -> None:
    """Make the folder, and check that plots can be drawn, before the minutes of measuring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"The folder {folder} cannot be made: {error.strerror or error}.") from error
    blank_figure()


def write(folder: Path, found: JsonObject, methods: Mapping[Method, Passes], labels: Labels) -> None:
    """Write ``uncertainty.json`` and both plots; raises ``SinkError``."""
    means = {str(method): methods[method].mean(0) for method in (SOFTMAX, PLAIN, FITTED)}
    curves = {f"{name}, by entropy": selective_risks(mean, labels, entropy(mean)) for name, mean in means.items()}
    disagreement = mutual_information(methods[FITTED])
    curves[f"{FITTED}, by mutual information"] = selective_risks(means[str(FITTED)], labels, disagreement)
    try:
        write_json(folder / "uncertainty.json", found)
        draw_risk_coverage(curves).savefig(folder / "risk_coverage.png", dpi=80)
        draw_reliability(means, labels).savefig(folder / "reliability.png", dpi=80)
    except OSError as error:
        raise SinkError(f"The results cannot be written to {folder}: {error.strerror or error}.") from error


def draw_risk_coverage(curves: Mapping[str, NDArray[np.float64]]) -> "Figure":
    """The error among the kept images over their share, one line for each (N,) of ``curves``."""
    figure = blank_figure()
    axes = figure.subplots()
    for (name, risks), shade in zip(curves.items(), SHADES, strict=True):
        axes.plot(np.arange(1, len(risks) + 1) / len(risks), risks, label=name, color=shade)
    axes.set(xlabel="coverage: share of images kept", ylabel="risk: error among the kept", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_reliability(means: Mapping[str, NDArray[np.float64]], labels: Labels) -> "Figure":
    """Accuracy over confidence in the ECE's bins; the area of a dot is the share of images in its bin."""
    figure = blank_figure()
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#dddddd", linewidth=1)
    for (name, mean), shade in zip(means.items(), SHADES, strict=False):
        bins = reliability_bins(mean, labels)
        across, up = [b.confidence for b in bins], [b.accuracy for b in bins]
        axes.plot(across, up, label=f"{name}, ECE {reliability(mean, labels)['ece']:.3f}", color=shade)
        axes.scatter(across, up, s=[300 * b.share for b in bins], color=shade)
    axes.set(xlabel="mean top probability", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def blank_figure() -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError("Plots need matplotlib: pip install 'emocolor-stream[train]'.") from error
    return Figure(figsize=(6, 4.5), layout="constrained")


if __name__ == "__main__":
    main()
