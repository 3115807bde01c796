"""Turn an emotion classifier's finished run into weights that ship: an ONNX file, its card, and the run's records.

    python -m training.emotion.export --run runs/ours --name ours --data fer2013.npz --calibrate

The ONNX graph is ``engines.nets.graphs.MonteCarlo``: the trunk runs once per face and the head once per dropout mask;
masks are inputs, and each label set has an output of probabilities. Parameters keep their names in torch, so the same
file loads back into the torch net. Kernels are stored as float16 and widened by the graph. Nothing is written to the
package where float16 or the runtime changes a probability by more than the tolerance. ``--calibrate`` fits the
temperature of each output on the public test images, with 20 passes, and stores it in the graph; the card reports
calibration with cross-fitted temperatures.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from emocolor.classifier import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError, EngineError
from engines.emotion import load_emotion_net
from engines.nets.catalog import emotion_net
from engines.nets.emotion_net import EmotionNet, count_parameters
from engines.nets.from_onnx import load_weights
from engines.nets.graphs import MonteCarlo
from engines.spec import EMOTION_FOLDER

from ..data.faces import FaceSet, ferplus_majority, read_faces
from ..keep import RESULTS, keep_records
from ..onnx_export import name_and_halve, staged
from ..records import JsonObject, read_json, sha256_of, write_json
from ..run_folder import FINAL, final_weights, finished_config
from .calibration import cross_fitted, entropy, fit_temperature, reliability, risk_coverage
from .card import card_text
from .metrics import classification_metrics
from .scoring import output_for, passes_of_all

PASSES = 20
HALF_TOLERANCE = 1e-2
"""Largest change of a probability by float16 storage: far below that of dropout itself."""
ACCURACY_TOLERANCE = 1e-3
"""Largest difference between the accuracy of the exported file and that of the finished run."""
RUNTIME_TOLERANCE = 1e-4
"""Largest difference of a probability between torch and the CPU runtime on the same weights."""


def export_onnx(net: EmotionNet, path: Path, temperatures: Mapping[str, float] | None = None) -> None:
    """Write the Monte Carlo passes of ``net`` as ONNX with dynamic N (faces) and T (passes)."""
    masks = tuple(torch.ones(2, *shape) for shape in net.mask_shapes)
    passes, faces = torch.export.Dim("passes", min=1, max=1024), torch.export.Dim("faces", min=1, max=4096)
    program = torch.onnx.export(
        MonteCarlo(net, temperatures or dict.fromkeys(net.label_sets, 1.0)).eval(),
        (torch.zeros(3, net.channels, net.size, net.size), *masks),
        input_names=["faces", *mask_names(net)],
        output_names=list(net.label_sets),
        dynamic_shapes=({0: faces}, tuple({0: passes} for _ in masks)),
        dynamo=True,
        optimize=False,
        verbose=False,
        opset_version=18,
    )
    assert program is not None
    model = program.model_proto
    name_and_halve(model, set(net.state_dict()))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def mask_names(net: EmotionNet) -> list[str]:
    """Names of the mask inputs in order."""
    return [f"mask_{i}" for i in range(len(net.mask_shapes))]


def net_of_run(run: Path) -> EmotionNet:
    """The net of a finished run, in evaluation mode; raises ``ConfigurationError`` where it is not finished."""
    settings = finished_config(run)["settings"]
    label_sets = ("fer2013", "ferplus") if settings["labels"] == "both" else (settings["labels"],)
    net = emotion_net(settings["net"], label_sets)
    net.load_state_dict(final_weights(run))
    return net.eval()


def export_run(
    run: Path,
    name: str,
    data: Path,
    *,
    calibrate: bool,
    output: str | None = None,
    package: Path = EMOTION_FOLDER,
    results: Path = RESULTS,
) -> JsonObject:
    """Export a finished run with its card to ``package``, and keep its records below ``results``.

    ``output`` is the one that the program uses, by default the first. Everything is checked and measured before
    anything is written there. Raises ``ConfigurationError`` where the run is not finished or the program cannot run its
    net, and ``EngineError`` where the exported net differs from the trained one.
    """
    net = net_of_run(run)
    _check_runnable(run, net, output)
    held_out = read_faces(data, "public")
    with staged(package) as folder:
        weights = folder / f"{name}.onnx"
        card = _card(run, net, weights, output or net.label_sets[0])
        _write(net, weights, card)
        if calibrate:
            card["temperatures"] = {
                label_set: fit_temperature(passes, labels)
                for label_set, (passes, labels) in passes_by_label_set(weights, held_out, PASSES).items()
                if label_set in net.label_sets  # the other labels are read from the same output
            }
            _write(net, weights, card)
        card["parity"] = check_parity(net, weights, held_out.gray(net.size)[:256], card["temperatures"])
        card["metrics"] = measure_export(weights, held_out)
        check_accuracy(run, net.label_sets, card["metrics"])
        write_json(weights.with_suffix(".json"), card)
        weights.with_suffix(".md").write_text(card_text(name, card))
    keep_records(run, f"emotion/{name}", plots=True, results=results)
    return card


def _check_runnable(run: Path, net: EmotionNet, output: str | None) -> None:
    if net.channels != 1:
        raise ConfigurationError(f"{run} trained a net with {net.channels} channels; the program runs gray nets alone.")
    if output is not None and output not in net.label_sets:
        raise ConfigurationError(f"The net has no output '{output}'. It has {', '.join(net.label_sets)}.")


def _card(run: Path, net: EmotionNet, weights: Path, output: str) -> JsonObject:
    """All that is known before anything is measured."""
    record = finished_config(run)
    trainable, running = count_parameters(net)
    dropouts = zip(net.mask_shapes, net.dropout_rates, strict=True)
    return {
        "weights": weights.name,
        "sha256": "",
        "definition": record["settings"].get("net", "s0"),
        "label_sets": list(net.label_sets),
        "output": output,
        "crop_size": net.size,
        "dropouts": {n: [list(shape), rate] for n, (shape, rate) in zip(mask_names(net), dropouts, strict=True)},
        "parameters": {"trainable": trainable, "running": running},
        "temperatures": dict.fromkeys(net.label_sets, 1.0),
        "training": record,
        "metrics": {},
    }


def _write(net: EmotionNet, weights: Path, card: JsonObject) -> None:
    export_onnx(net, weights, card["temperatures"])
    card["sha256"] = sha256_of(weights)
    write_json(weights.with_suffix(".json"), card)


def measure_export(weights: Path, faces: FaceSet) -> JsonObject:
    """The card's metrics, by label set: one pass, T = 20, and T = 20 with cross-fitted temperatures."""
    single, sampled = passes_by_label_set(weights, faces, 0), passes_by_label_set(weights, faces, PASSES)
    metrics: JsonObject = {"split": "public"}
    for label_set, (passes, labels) in sampled.items():
        fitted = cross_fitted(passes, labels)
        metrics[label_set] = {
            "deterministic": classification_metrics(single[label_set][0][0], labels),
            "mc20": classification_metrics(passes.mean(0), labels),
            "mc20_cross_fitted": reliability(fitted, labels)
            | {"coverage": risk_coverage(fitted, labels, entropy(fitted))},
        }
    return metrics


def check_accuracy(run: Path, label_sets: Sequence[str], metrics: JsonObject) -> None:
    """Raise ``EngineError`` where ``metrics`` of the exported net (:func:`measure_export`) are not those of its run."""
    trained = read_json(run / FINAL)["held_out"]
    for label_set in label_sets:
        found, wanted = metrics[label_set]["deterministic"]["accuracy"], trained[label_set]["accuracy"]
        if abs(found - wanted) > ACCURACY_TOLERANCE:
            raise EngineError(
                f"The exported net has an accuracy of {found} on {label_set} labels, the run {wanted}. Nothing was "
                "written. Pass the data that the run was trained on."
            )


def passes_by_label_set(
    weights: Path, faces: FaceSet, passes: int
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Passes (T, n, 7) and labels (n,) of each output on the images that have a label of its kind.

    A net with one output is scored by both kinds of labels where the data has both.
    """
    net = load_emotion_net(str(weights), threads=torch.get_num_threads())
    classifier = EmotionClassifier(net, passes=passes)
    crops = faces.gray(net.crop_size)
    found = {"fer2013": (passes_of_all(classifier, crops, output_for(net.spec, "fer2013")), faces.labels)}
    if faces.votes is not None:
        labels, counts = ferplus_majority(faces)
        found["ferplus"] = (passes_of_all(classifier, crops[counts], output_for(net.spec, "ferplus")), labels[counts])
    return found


@torch.inference_mode()
def check_parity(
    net: EmotionNet, weights: Path, crops: NDArray[np.uint8], temperatures: Mapping[str, float]
) -> dict[str, float]:
    """Largest differences of a probability, over ``crops`` with 5 passes, between the exported net and torch with the
    same (float16) weights, and between those weights and the run's own. Raises ``EngineError`` above the tolerances."""
    classifier = EmotionClassifier(load_emotion_net(str(weights)), passes=5)
    faces = torch.from_numpy(crops).unsqueeze(1).float() / 255
    masks = [torch.from_numpy(mask) for mask in classifier.masks.values()]
    halved = type(net)(net.label_sets).eval()
    halved.load_state_dict(load_weights(weights), strict=False)
    exported = [classifier.passes_of(crops, output) for output in net.label_sets]
    from_half, from_run = (MonteCarlo(n, temperatures)(faces, *masks) for n in (halved, net))
    found = {
        "runtime_vs_torch": max(float(np.abs(a - b.numpy()).max()) for a, b in zip(exported, from_half, strict=True)),
        "float16_vs_float32": max(float((a - b).abs().max()) for a, b in zip(from_half, from_run, strict=True)),
    }
    if found["runtime_vs_torch"] > RUNTIME_TOLERANCE or found["float16_vs_float32"] > HALF_TOLERANCE:
        raise EngineError(f"The exported net differs from the trained one: {found}. Nothing was written.")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    parser.add_argument("--data", type=Path, required=True, help="npz with the public split, for the card")
    parser.add_argument("--calibrate", action="store_true", help="fit temperatures on the public split")
    parser.add_argument("--output", help="the output that the program uses (default: the first)")
    arguments = parser.parse_args(argv)
    try:
        card = export_run(
            arguments.run, arguments.name, arguments.data, calibrate=arguments.calibrate, output=arguments.output
        )
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
