"""Turn a colorizer's finished run into weights that ship: an ONNX file, its card, and the facts of the run.

    python -m training.export_colorizer --run runs/film --name film --val val.tar

The graph takes gray (1, 1, H, W) in [0, 1], sides multiples of 32, and the temperature of the annealed mean
(1,), and gives ``ab`` (1, 2, H/4, W/4) and ``confidence`` (1, 1, H/4, W/4). Kernels are stored as float16 and
widened by the graph; the script refuses to export where that, or the runtime, moves a colour by more than
it may.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from emocolor.chroma import luma_of
from emocolor.errors import ConfigurationError, EmocolorError
from engines.colorist import load_colorist
from engines.nets.colorizer import Colorizer
from engines.nets.emotion_net import count_parameters
from engines.nets.video_colorizer import VideoColorizer
from engines.spec import COLORIZER
from training.ab_targets import annealed_mean
from training.colorizer_recipe import ColorizerRecipe, colorizer_of
from training.datasets import sha256_of
from training.evaluate_colorizer import ColorizerQuestion, evaluate_colorizer
from training.onnx_weights import name_and_halve
from training.photos import central_crop, read_photos
from training.records import write_json
from training.toml_recipe import recipe_from

RESULTS = Path(__file__).parent / "results" / "colorizer"
FACTS = ("config.json", "epochs.csv", "final.json", "curves.png")
TEMPERATURES = (1.0, 0.2)
"""Of the annealed mean, at vividness 0 and 1."""
VIVIDNESS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where the card's figures are measured."""
HALF_TOLERANCE = 1.0
"""Largest change of a* or b* that float16 storage may make."""
CHECKED_TEMPERATURE = 0.45


class Annealed(torch.nn.Module):
    """A colorizer with bins, answering with one colour a point and how sure it is."""

    def __init__(self, net: Colorizer) -> None:
        super().__init__()
        self.net = net

    def forward(self, gray: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        bins = self.net.bins
        assert bins is not None
        return annealed_mean(self.net(gray), bins, temperature=temperature)


def export_onnx(net: Colorizer, path: Path) -> None:
    """Write ``net`` as ONNX with dynamic H and W."""
    rows, columns = (torch.export.Dim(name, min=1, max=128) for name in ("rows", "columns"))
    program = torch.onnx.export(
        Annealed(net).eval(),
        (torch.zeros(1, 1, 3 * net.multiple, 5 * net.multiple), torch.ones(1)),
        input_names=["gray", "temperature"],
        output_names=["ab", "confidence"],
        dynamic_shapes=({2: net.multiple * rows, 3: net.multiple * columns}, None),
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


def net_of_run(run: Path) -> Colorizer:
    """The net of a run's last checkpoint, in evaluation mode."""
    settings = json.loads((run / "config.json").read_text())["settings"]
    settings.pop("limit")
    net = colorizer_of(recipe_from(ColorizerRecipe, settings, run / "config.json"))
    net.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["net"])
    return net.eval()


def export_run(run: Path, name: str, validation: list[Path]) -> dict[str, Any]:
    """Export the run's last checkpoint with its card, and copy the run's facts to ``RESULTS``."""
    if not (run / "final.json").exists():
        raise ConfigurationError(f"{run} has no final.json: the run is not finished. Resume it first.")
    net = net_of_run(run)
    if not isinstance(net, VideoColorizer):
        raise ConfigurationError(f"{run} trained a net of the papers; the program runs 'video' alone.")
    COLORIZER.mkdir(parents=True, exist_ok=True)
    weights = COLORIZER / f"{name}.onnx"
    export_onnx(net, weights)
    trainable, running = count_parameters(net)
    card: dict[str, Any] = {
        "weights": weights.name,
        "sha256": sha256_of(weights),
        "definition": "video",
        "multiple": net.multiple,
        "temperatures": list(TEMPERATURES),
        "parameters": {"trainable": trainable, "running": running},
        "bytes": weights.stat().st_size,
        "training": json.loads((run / "config.json").read_text()),
        "metrics": {},
    }
    write_json(weights.with_suffix(".json"), card)
    card["parity"] = check_parity(net, name, validation)
    card["metrics"] = {
        f"{vividness:g}": evaluate_colorizer(
            ColorizerQuestion(images=tuple(validation), weights=name, vividness=vividness)
        )
        for vividness in VIVIDNESS
    }
    write_json(weights.with_suffix(".json"), card)
    keep_facts(run, name)
    return card


def keep_facts(run: Path, name: str) -> None:
    """Copy what a run leaves, but for its checkpoint and the pictures that show photos, to ``RESULTS / name``."""
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    for fact in FACTS:
        shutil.copy(run / fact, folder / fact)


@torch.inference_mode()
def check_parity(net: Colorizer, name: str, validation: list[Path]) -> dict[str, float]:
    """Largest difference of a* or b* on one photo between the exported net and the trained one."""
    gray = luma_of(central_crop(read_photos(validation).photo(0), 256))
    colorist = load_colorist(name)
    ours = colorist.at_temperature(gray, CHECKED_TEMPERATURE).ab
    picture = torch.from_numpy(gray)[None, None].float() / 255
    assert net.bins is not None
    ab = annealed_mean(net(picture), net.bins, temperature=CHECKED_TEMPERATURE)[0][0].movedim(0, 2).numpy()
    found = {"ab": float(np.abs(ours - ab).max())}
    if found["ab"] > HALF_TOLERANCE:
        raise EmocolorError(f"The exported net differs from the trained one: {found}.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    parser.add_argument("--val", type=Path, nargs="+", required=True, help="photos to measure on, for the card")
    arguments = parser.parse_args()
    try:
        card = export_run(arguments.run, arguments.name, arguments.val)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
