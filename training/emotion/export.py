"""Turn a finished run into weights that ship: an ONNX file, its card, and the facts of the run.

    python -m training.emotion.export --run runs/ours --name ours --data fer2013.npz --calibrate

The ONNX graph is ``EmotionNet.monte_carlo``: trunk once per face, head once per mask, the dropout masks
being inputs, and one output of probabilities for each label set. Parameters keep the names they have in
torch, so that the same file loads back into the torch net. Kernels are stored as float16 and widened by
the graph; the script refuses to export where that, or the runtime, moves a probability by more than it
may. ``--calibrate`` fits the temperature of each output on the public test images, with 20 passes, and
writes it into the graph; the card says what calibration is when the halves of those images are fitted on
each other.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from emocolor.emotion import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError
from engines.emotion import load
from engines.nets.catalog import emotion_net
from engines.nets.emotion_net import EmotionNet, count_parameters
from engines.nets.from_onnx import load_weights
from engines.nets.graphs import MonteCarlo
from engines.spec import EMOTION

from ..card import write_card
from ..data.faces import FaceSet, crowd_majority, read_faces, sha256_of
from ..keep import keep_facts
from ..onnx_weights import name_and_halve
from ..records import write_json
from .calibration import cross_fitted, entropy, fit_temperature, reliability, risk_coverage
from .metrics import classification_metrics
from .scoring import output_for, passes_of_all

PASSES = 20
HALF_TOLERANCE = 1e-2
"""Largest change of a probability that float16 storage may make: far below what dropout itself does."""
ACCURACY_TOLERANCE = 1e-3
"""Largest difference between the accuracy of the shipped file and the one the run ended with."""
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


def export_run(run: Path, name: str, data: Path, *, calibrate: bool, answer: str | None = None) -> dict[str, Any]:
    """Export the run's last checkpoint with its card, and keep the run's facts (``training.keep``)."""
    if not (run / "final.json").exists():
        raise ConfigurationError(f"{run} has no final.json: the run is not finished. Resume it first.")
    record = json.loads((run / "config.json").read_text())
    net = net_of_run(run)
    ended_with = json.loads((run / "final.json").read_text())["held_out"]
    card = export_net(net, name, data, record, calibrate=calibrate, answer=answer)
    for label_set in net.label_sets:
        found = card["metrics"][label_set]["deterministic"]["accuracy"]
        if abs(found - ended_with[label_set]["accuracy"]) > ACCURACY_TOLERANCE:
            raise EmocolorError(f"The exported net is not as accurate as the run: {found} against {ended_with}.")
    keep_facts(run, f"emotion/{name}", pictures=True)
    return card


def net_of_run(run: Path) -> EmotionNet:
    """The net of a run's last checkpoint, in evaluation mode."""
    settings = json.loads((run / "config.json").read_text())["settings"]
    label_sets = ("fer2013", "ferplus") if settings["labels"] == "both" else (settings["labels"],)
    net = emotion_net(settings["net"], label_sets)
    net.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["net"])
    return net.eval()


def export_net(
    net: EmotionNet, name: str, data: Path, record: dict[str, Any], *, calibrate: bool, answer: str | None = None
) -> dict[str, Any]:
    """Write ``NAME.onnx`` and its card, after checking the file against torch and measuring it."""
    weights = EMOTION / f"{name}.onnx"
    trainable, running = count_parameters(net)
    dropouts = zip(net.mask_shapes, net.dropout_rates, strict=True)
    card: dict[str, Any] = {
        "weights": weights.name,
        "sha256": "",
        "definition": record["settings"].get("net", "s0"),
        "label_sets": list(net.label_sets),
        "answer": answer or net.label_sets[0],
        "crop_size": net.size,
        "dropouts": {n: [list(shape), rate] for n, (shape, rate) in zip(mask_names(net), dropouts, strict=True)},
        "parameters": {"trainable": trainable, "running": running},
        "temperatures": dict.fromkeys(net.label_sets, 1.0),
        "training": record,
        "metrics": {},
    }
    if card["answer"] not in net.label_sets:
        raise ConfigurationError(f"--answer must be one of {', '.join(net.label_sets)}, got {answer}.")
    held_out = read_faces(data, "public")
    _write(net, card)
    if calibrate:
        card["temperatures"] = {
            label_set: fit_temperature(passes, labels)
            for label_set, (passes, labels) in passes_by_label_set(name, held_out, PASSES).items()
        }
        _write(net, card)
    card["parity"] = check_parity(net, name, held_out.gray(net.size)[:256], card["temperatures"])
    single = passes_by_label_set(name, held_out, 0)
    card["metrics"] = {"split": "public"} | {
        label_set: {
            "deterministic": classification_metrics(single[label_set][0][0], labels),
            "mc20": classification_metrics(passes.mean(0), labels),
            "mc20_cross_fitted": reliability(mean := cross_fitted(passes, labels), labels)
            | {"coverage": risk_coverage(mean, labels, entropy(mean))},
        }
        for label_set, (passes, labels) in passes_by_label_set(name, held_out, PASSES).items()
    }
    write_json(EMOTION / f"{name}.json", card)
    write_card(name)
    return card


def _write(net: EmotionNet, card: dict[str, Any]) -> None:
    weights = EMOTION / card["weights"]
    export_onnx(net, weights, card["temperatures"])
    card["sha256"] = sha256_of(weights)
    write_json(weights.with_suffix(".json"), card)


def passes_by_label_set(
    name: str, faces: FaceSet, passes: int
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Passes (T, n, 7) and labels (n,) of each output on the images that have a label of its kind.

    A net with one output is asked for both kinds of labels where the data has both.
    """
    net = load(name, threads=torch.get_num_threads())
    classifier = EmotionClassifier(net, passes=passes)
    crops = faces.gray(net.crop_size)
    found = {"fer2013": (passes_of_all(classifier, crops, output_for(net.spec, "fer2013")), faces.labels)}
    if faces.votes is not None:
        labels, counts = crowd_majority(faces)
        found["ferplus"] = (passes_of_all(classifier, crops[counts], output_for(net.spec, "ferplus")), labels[counts])
    return found


@torch.inference_mode()
def check_parity(
    net: EmotionNet, name: str, crops: NDArray[np.uint8], temperatures: Mapping[str, float]
) -> dict[str, float]:
    """Largest differences of a probability, over ``crops`` with 5 passes, between the exported net
    and torch with the same (float16) weights, and between those weights and the run's own."""
    classifier = EmotionClassifier(load(name), passes=5)
    faces = torch.from_numpy(crops).unsqueeze(1).float() / 255
    masks = [torch.from_numpy(mask) for mask in classifier.masks.values()]
    halved = type(net)(net.label_sets).eval()
    halved.load_state_dict(load_weights(EMOTION / f"{name}.onnx"), strict=False)
    ours = [classifier.passes_of(crops, output) for output in net.label_sets]
    from_half, from_run = (MonteCarlo(n, temperatures)(faces, *masks) for n in (halved, net))
    found = {
        "runtime_vs_torch": max(float(np.abs(a - b.numpy()).max()) for a, b in zip(ours, from_half, strict=True)),
        "float16_vs_float32": max(float((a - b).abs().max()) for a, b in zip(from_half, from_run, strict=True)),
    }
    if found["runtime_vs_torch"] > RUNTIME_TOLERANCE or found["float16_vs_float32"] > HALF_TOLERANCE:
        raise EmocolorError(f"The exported net differs from the trained one: {found}.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    parser.add_argument("--data", type=Path, required=True, help="npz with the public split, for the card")
    parser.add_argument("--calibrate", action="store_true", help="fit temperatures on the public split")
    parser.add_argument("--answer", help="the output that the program uses (default: the first)")
    arguments = parser.parse_args()
    try:
        card = export_run(
            arguments.run, arguments.name, arguments.data, calibrate=arguments.calibrate, answer=arguments.answer
        )
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
