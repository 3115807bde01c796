"""Turn a finished run into weights that ship: an ONNX file and its card.

    python -m training.export --run runs/emotion_s0 --name emotion_s0

The ONNX graph is ``S0Net.monte_carlo``: trunk once per face, head once per mask, the dropout masks
being inputs. Parameters keep the names they have in torch, so that the same file loads back into
the torch net. Kernels are stored as float16 and widened by the graph; the script refuses to export
where that, or the runtime, moves a probability by more than it may.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from emocolor.emotion import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError
from engines.load import load
from engines.nets.s0 import DROPOUT_RATES, S0Net, count_parameters
from engines.spec import WEIGHTS
from training.card import write_card
from training.datasets import read_faces, sha256_of
from training.metrics import classification_metrics
from training.run_folder import write_json

HALF = ".half"
"""Ending of a stored float16 tensor's name."""
HALF_TOLERANCE = 5e-3
"""Largest change of a probability that float16 storage may make: far below what dropout itself does."""
ACCURACY_TOLERANCE = 1e-3
"""Largest difference between the accuracy of the shipped file and the one the run ended with."""
RUNTIME_TOLERANCE = 1e-4
"""Largest difference of a probability between torch and the CPU runtime on the same weights."""


def export_onnx(net: S0Net, path: Path) -> None:
    """Write ``monte_carlo`` of ``net`` as ONNX with dynamic N (faces) and T (passes)."""
    masks = tuple(torch.ones(2, *shape) for shape in net.mask_shapes)
    names = [f"mask_{i}" for i in range(len(masks))]
    passes, faces = torch.export.Dim("passes", min=1, max=1024), torch.export.Dim("faces", min=1, max=4096)
    program = torch.onnx.export(
        _MonteCarlo(net.eval()),
        (torch.zeros(3, 1, net.size, net.size), *masks),
        input_names=["faces", *names],
        output_names=["probabilities"],
        dynamic_shapes=({0: faces}, tuple({0: passes} for _ in masks)),
        dynamo=True,
        optimize=False,
        verbose=False,
        opset_version=18,
    )
    assert program is not None
    model = program.model_proto
    _name_and_halve(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


class _MonteCarlo(torch.nn.Module):
    """``S0Net.monte_carlo`` as a module of its own, as the exporter takes modules."""

    def __init__(self, net: S0Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, faces: torch.Tensor, *masks: torch.Tensor) -> torch.Tensor:
        return self.net.monte_carlo(faces, *masks)


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dictionary (float32) that an exported ONNX file holds, by torch's names."""
    names = set(S0Net().state_dict())
    stored = {t.name.removesuffix(HALF): numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    return {name: torch.from_numpy(stored[name].astype(np.float32)) for name in names & stored.keys()}


def _name_and_halve(model: onnx.ModelProto) -> None:
    """Give each parameter its torch name, and store kernels as float16 that the graph widens.

    What is small and sensitive, biases and batch norm, stays float32.
    """
    graph, names = model.graph, set(S0Net().state_dict())
    for tensor in list(graph.initializer):
        name = tensor.name.removeprefix("net.")
        if name not in names:
            continue
        _rename(graph, tensor.name, name)
        tensor.name = name
        if len(tensor.dims) > 1:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            graph.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(half, name + HALF))
            graph.node.insert(0, helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if value == old else value for value in node.input]
    for info in [value for value in graph.value_info if value.name == old]:
        graph.value_info.remove(info)


def export_run(run: Path, name: str, data: Path) -> dict[str, Any]:
    """Export the run's last checkpoint, check it against torch, measure it, and write the card."""
    record = json.loads((run / "config.json").read_text())
    if not (run / "final.json").exists():
        raise ConfigurationError(f"{run} has no final.json: the run is not finished. Resume it first.")
    state = torch.load(run / "checkpoint.pt", weights_only=True)["net"]
    net = S0Net().eval()
    net.load_state_dict(state)
    weights = WEIGHTS / f"{name}.onnx"
    export_onnx(net, weights)
    trainable, running = count_parameters(net)
    card = {
        "weights": weights.name,
        "sha256": sha256_of(weights),
        "crop_size": net.size,
        "dropouts": {
            f"mask_{i}": [list(s), r] for i, (s, r) in enumerate(zip(net.mask_shapes, DROPOUT_RATES, strict=True))
        },
        "parameters": {"trainable": trainable, "running": running},
        "training": record,
        "metrics": {},
    }
    write_json(WEIGHTS / f"{name}.json", card)

    held_out = read_faces(data, "public")
    crops = held_out.gray(net.size)
    runtime = load(name, threads=torch.get_num_threads())
    card["parity"] = check_parity(net, name, crops[:256])
    card["metrics"] = {
        "split": "public",
        "deterministic": classification_metrics(
            EmotionClassifier(runtime, passes=0).passes_of(crops)[0], held_out.labels
        ),
        "mc20": classification_metrics(EmotionClassifier(runtime, passes=20).passes_of(crops).mean(0), held_out.labels),
    }
    ended_with = json.loads((run / "final.json").read_text())["accuracy"]
    if abs(card["metrics"]["deterministic"]["accuracy"] - ended_with) > ACCURACY_TOLERANCE:
        raise EmocolorError(f"The exported net is not as accurate as the run ({ended_with}): {card['metrics']}.")
    write_json(WEIGHTS / f"{name}.json", card)
    write_card(name)
    return card


@torch.inference_mode()
def check_parity(net: S0Net, name: str, crops: np.ndarray) -> dict[str, float]:
    """Largest differences of a probability, over ``crops`` with 5 passes, between the exported net
    and torch with the same (float16) weights, and between those weights and the run's own."""
    classifier = EmotionClassifier(load(name), passes=5)
    ours = classifier.passes_of(crops)
    faces = torch.from_numpy(crops).unsqueeze(1).float() / 255
    masks = [torch.from_numpy(mask) for mask in classifier.masks.values()]
    halved = S0Net().eval()
    halved.load_state_dict(load_weights(WEIGHTS / f"{name}.onnx"), strict=False)
    from_half, from_run = halved.monte_carlo(faces, *masks).numpy(), net.monte_carlo(faces, *masks).numpy()
    found = {
        "runtime_vs_torch": float(np.abs(ours - from_half).max()),
        "float16_vs_float32": float(np.abs(from_half - from_run).max()),
    }
    if found["runtime_vs_torch"] > RUNTIME_TOLERANCE or found["float16_vs_float32"] > HALF_TOLERANCE:
        raise EmocolorError(f"The exported net differs from the trained one: {found}.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    parser.add_argument("--data", type=Path, required=True, help="npz with the public split, for the card")
    arguments = parser.parse_args()
    try:
        card = export_run(arguments.run, arguments.name, arguments.data)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
