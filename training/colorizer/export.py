"""Turn a colorizer's finished run into weights that ship: an ONNX file, its card, and the facts of the run.

    python -m training.colorizer.export --run runs/film --name film --val val.tar --safest 0.62 0 --boldest 0.9 1.62
    python -m training.colorizer.export --name film --val val.tar --vgg vgg16.npz

The second form measures a net that ships again, and writes the figures into its card.

The graph takes gray (1, 1, H, W) in [0, 1], sides multiples of 32, the temperature of the annealed mean (1,) and the
rebalancing (1,), and gives ``ab`` (1, 2, H/4, W/4) and ``confidence`` (1, 1, H/4, W/4). Kernels are stored as
float16 and widened by the graph; the script refuses to export where that, or the runtime, moves a colour by more
than it may. ``training.colorizer.vividness`` measures what to choose for the two ends of vividness.
"""

import argparse
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from emocolor.chroma.conversion import luma_of
from emocolor.errors import ConfigurationError, EmocolorError
from engines.colorizer import load_colorizer
from engines.nets.annealed import Annealed
from engines.nets.emotion_net import count_parameters
from engines.nets.video_colorizer import VideoColorizer
from engines.spec import COLORIZER, Choice, read_colorizer_spec

from ..data.faces import sha256_of
from ..data.photos import central_crop, read_photos
from ..keep import BIN_WEIGHTS, keep_facts
from ..onnx_weights import name_and_halve
from ..records import write_json
from ..toml_recipe import recipe_from
from .evaluate import ColorizerEvalConfig, evaluate_colorizer
from .recipe import ColorizerRecipe, colorizer_of

VIVIDNESS = (0.0, 0.3, 0.5, 0.75, 1.0)
"""Where the card's figures are measured."""
HALF_TOLERANCE = 1.0
"""Largest change of a* or b* that float16 storage may make."""
CHECKED = Choice(temperature=0.45, rebalancing=0.5)


def export_onnx(net: Annealed, path: Path) -> None:
    """Write ``net`` as ONNX with dynamic H and W."""
    multiple = net.net.multiple
    with warnings.catch_warnings():
        # Of two things, both as they should be here: this exporter is the older one (the newer takes minutes for this
        # net), and tracing takes strided convolutions' padding for constant, which is the same for all even sides.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 1, 3 * multiple, 5 * multiple), torch.ones(1), torch.ones(1)),
            path,
            input_names=["gray", "temperature", "rebalancing"],
            output_names=["ab", "confidence"],
            dynamic_axes={"gray": {2: "H", 3: "W"}, "ab": {2: "h", 3: "w"}, "confidence": {2: "h", 3: "w"}},
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # evaluation, with batch norms left to themselves
            do_constant_folding=False,
            opset_version=18,
        )
    model = onnx.load(path)
    name_and_halve(model, set(net.net.state_dict()))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def net_of_run(run: Path) -> Annealed:
    """The net of a run's last checkpoint, in evaluation mode.

    Raises ``ConfigurationError`` where the run is not finished or trained a net that the program does not run.
    """
    if not (run / "final.json").exists():
        raise ConfigurationError(f"{run} has no final.json: the run is not finished. Resume it first.")
    settings = json.loads((run / "config.json").read_text())["settings"]
    settings.pop("limit")
    net = colorizer_of(recipe_from(ColorizerRecipe, settings, run / "config.json"))
    if not isinstance(net, VideoColorizer):
        raise ConfigurationError(f"{run} trained a net of the papers; the program runs 'video' alone.")
    net.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["net"])
    return Annealed(net, torch.tensor(json.loads((run / BIN_WEIGHTS).read_text())["weights"])).eval()


def export_run(
    run: Path, name: str, validation: list[Path], safest: Choice, boldest: Choice, *, vgg: Path | None = None
) -> dict[str, Any]:
    """Export the run's last checkpoint with its card, and keep the run's facts (``training.keep``).

    Raises ``ConfigurationError`` as :func:`net_of_run` does.
    """
    net = net_of_run(run)
    COLORIZER.mkdir(parents=True, exist_ok=True)
    weights = COLORIZER / f"{name}.onnx"
    export_onnx(net, weights)
    trainable, running = count_parameters(net.net)
    card: dict[str, Any] = {
        "weights": weights.name,
        "sha256": sha256_of(weights),
        "definition": "video",
        "multiple": net.net.multiple,
        "grid": net.bins.grid,
        "vividness": [asdict(safest), asdict(boldest)],
        "parameters": {"trainable": trainable, "running": running},
        "bytes": weights.stat().st_size,
        "training": json.loads((run / "config.json").read_text()),
        "metrics": {},
    }
    write_json(weights.with_suffix(".json"), card)
    card["parity"] = check_parity(net, name, validation)
    card["metrics"] = measured(name, validation, vgg)
    write_json(weights.with_suffix(".json"), card)
    keep_facts(run, f"colorizer/{name}", pictures=True)
    return card


def measure_again(name: str, validation: list[Path], vgg: Path | None) -> dict[str, Any]:
    """Put the figures of a net that ships into its card anew; raises ``ConfigurationError`` for an unknown name."""
    path = read_colorizer_spec(name).weights.with_suffix(".json")
    card: dict[str, Any] = json.loads(path.read_text()) | {"metrics": measured(name, validation, vgg)}
    write_json(path, card)
    return card


def measured(name: str, validation: list[Path], vgg: Path | None) -> dict[str, Any]:
    """The card's figures by vividness; without ``vgg`` there is no distance of features among them."""
    return {
        f"{vividness:g}": evaluate_colorizer(
            ColorizerEvalConfig(images=tuple(validation), weights=name, vividness=vividness, vgg=vgg)
        )
        for vividness in VIVIDNESS
    }


@torch.inference_mode()
def check_parity(net: Annealed, name: str, validation: list[Path]) -> dict[str, float]:
    """Largest difference of a* or b* on one photo between the exported net and the trained one."""
    gray = luma_of(central_crop(read_photos(validation).photo(0), 256))
    ours = load_colorizer(name).estimate_by(gray, CHECKED).ab
    picture = torch.from_numpy(gray)[None, None].float() / 255
    ab = net(picture, torch.tensor(CHECKED.temperature), torch.tensor(CHECKED.rebalancing))[0]
    found = {"ab": float(np.abs(ours - ab[0].movedim(0, 2).numpy()).max())}
    if found["ab"] > HALF_TOLERANCE:
        raise EmocolorError(f"The exported net differs from the trained one: {found}.")
    return found


def _choice(pair: list[float]) -> Choice:
    temperature, rebalancing = pair
    if temperature <= 0:
        raise ConfigurationError(f"A temperature must be above 0, got {temperature:g}.")
    return Choice(temperature=temperature, rebalancing=rebalancing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="finished run folder; without it the net that ships is measured again")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    parser.add_argument("--val", type=Path, nargs="+", required=True, help="photos to measure on, for the card")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG16's values, for the distance of features")
    for end in ("safest", "boldest"):
        parser.add_argument(
            f"--{end}", type=float, nargs=2, metavar=("TEMPERATURE", "REBALANCING"),
            help="how colours are chosen at that end of vividness; of a run",
        )  # fmt: skip
    arguments = parser.parse_args()
    run, name, photos, vgg = arguments.run, arguments.name, arguments.val, arguments.vgg
    if (run is None) != (arguments.safest is None) or (run is None) != (arguments.boldest is None):
        parser.error("--run, --safest and --boldest go together")
    try:
        if run is None:
            card = measure_again(name, photos, vgg)
        else:
            card = export_run(run, name, photos, _choice(arguments.safest), _choice(arguments.boldest), vgg=vgg)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
