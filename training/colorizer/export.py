"""Turn a colorizer's finished run into weights that ship: an ONNX file, its card, and the records of the run.

    python -m training.colorizer.export --run runs/film --name film --val val.tar --safest 0.62 0 --boldest 0.9 1.62
    python -m training.colorizer.export --name film --val val.tar --vgg vgg16.npz

The second form measures a net that ships again and updates the metrics in its card.

The graph takes gray (1, 1, H, W) in [0, 1], sides multiples of 32, the temperature of the annealed mean (1,) and the
rebalancing (1,), and outputs ``ab`` (1, 2, H/4, W/4) and ``confidence`` (1, 1, H/4, W/4). Kernels are stored as float16
and widened by the graph. Nothing is written to the package where float16 or the runtime changes a colour by more than
the tolerance. ``training.colorizer.vividness`` measures what to choose for the two ends of vividness.
"""

import argparse
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch

from emocolor.chroma.conversion import luma_of
from emocolor.errors import ConfigurationError, EmocolorError, EngineError
from engines.colorizer import load_colorizer
from engines.nets.annealed import Annealed
from engines.nets.emotion_net import count_parameters
from engines.nets.graphs import COLORIZERS
from engines.spec import COLORIZER_FOLDER, ColorChoice, read_colorizer_spec

from ..data.photos import center_crop, read_photos
from ..keep import BIN_WEIGHTS, RESULTS, keep_records
from ..onnx_export import name_and_halve, staged
from ..records import JsonObject, read_json, sha256_of, write_json
from ..run_folder import CONFIG, final_weights, finished_config
from ..toml_recipe import recipe_from
from .card import card_text
from .evaluate import ColorizerEvalConfig, evaluate_colorizer
from .recipe import ColorizerRecipe, make_colorizer

VIVIDNESS = (0.0, 0.3, 0.5, 0.75, 1.0)
"""Where the metrics of the card are measured."""
TOLERANCE = 1.0
"""Largest change of a* or b* that float16 storage and the runtime may make together."""
PARITY_CHOICE = ColorChoice(temperature=0.45, rebalancing=0.5)


def export_onnx(net: Annealed, path: Path) -> None:
    """Write ``net`` as ONNX with dynamic H and W."""
    multiple = net.net.multiple
    with warnings.catch_warnings():
        # The older exporter is deprecated, but the newer takes minutes for this net. Tracing takes the padding of
        # strided convolutions for constant, and it is: the same for all even sides.
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
    """The net of a finished run, in evaluation mode.

    Raises ``ConfigurationError`` where the run is not finished or trained a net that the program does not run.
    """
    settings = finished_config(run)["settings"]
    settings.pop("limit")
    recipe = recipe_from(ColorizerRecipe, settings, run / CONFIG)
    if recipe.net not in COLORIZERS:
        raise ConfigurationError(f"{run} trained a net of the papers; the program runs {', '.join(COLORIZERS)} alone.")
    if not recipe.has_default_layers:
        raise ConfigurationError(f"{run} trained other layers than those of the definition {recipe.net}.")
    net = make_colorizer(recipe)
    net.load_state_dict(final_weights(run))
    return Annealed(net, torch.tensor(read_json(run / BIN_WEIGHTS)["weights"])).eval()


def export_run(
    run: Path,
    name: str,
    validation: list[Path],
    ends: tuple[ColorChoice, ColorChoice],
    *,
    vgg: Path | None = None,
    package: Path = COLORIZER_FOLDER,
    results: Path = RESULTS,
) -> JsonObject:
    """Export a finished run with its card to ``package``, and keep its records below ``results``.

    ``ends`` are the choices at vividness 0 and 1. Everything is checked and measured before anything is written there.
    Raises ``ConfigurationError`` as :func:`net_of_run` does, and ``EngineError`` as :func:`check_parity`.
    """
    net = net_of_run(run)
    with staged(package) as folder:
        weights, card_file = folder / f"{name}.onnx", folder / f"{name}.json"
        export_onnx(net, weights)
        card = _card(run, net, weights, ends)
        write_json(card_file, card)
        card["parity"] = check_parity(net, weights, validation)
        card["metrics"] = measure_export(str(weights), name, validation, vgg)
        write_json(card_file, card)
        card_file.with_suffix(".md").write_text(card_text(name, card))
    keep_records(run, f"colorizer/{name}", plots=True, results=results)
    return card


def _card(run: Path, net: Annealed, weights: Path, ends: tuple[ColorChoice, ColorChoice]) -> JsonObject:
    """All that is known before anything is measured."""
    trainable, running = count_parameters(net.net)
    return {
        "weights": weights.name,
        "sha256": sha256_of(weights),
        "definition": read_json(run / CONFIG)["settings"]["net"],
        "multiple": net.net.multiple,
        "grid": net.bins.grid,
        "vividness": [asdict(choice) for choice in ends],
        "parameters": {"trainable": trainable, "running": running},
        "bytes": weights.stat().st_size,
        "training": read_json(run / CONFIG),
        "metrics": {},
    }


def measure_again(weights: str, validation: list[Path], vgg: Path | None) -> JsonObject:
    """Update the metrics in the card of an exported net; raises ``ConfigurationError`` for an unknown name."""
    spec = read_colorizer_spec(weights)
    path = spec.weights.with_suffix(".json")
    card = read_json(path) | {"metrics": measure_export(weights, spec.name, validation, vgg)}
    write_json(path, card)
    path.with_suffix(".md").write_text(card_text(spec.name, card))
    return card


def measure_export(weights: str, name: str, validation: list[Path], vgg: Path | None) -> JsonObject:
    """The card's metrics by vividness; without ``vgg`` there is no feature distance among them."""
    return {
        f"{vividness:g}": evaluate_colorizer(
            ColorizerEvalConfig(images=tuple(validation), weights=weights, vividness=vividness, vgg=vgg)
        )
        | {"weights": name}
        for vividness in VIVIDNESS
    }


@torch.inference_mode()
def check_parity(net: Annealed, weights: Path, validation: list[Path]) -> dict[str, float]:
    """Largest difference of a* or b* on one photo between the exported net and the trained one.

    Raises ``EngineError`` above ``TOLERANCE``.
    """
    gray = luma_of(center_crop(read_photos(validation).photo(0), 256))
    exported = load_colorizer(str(weights)).estimate_by(gray, PARITY_CHOICE).ab
    image = torch.from_numpy(gray)[None, None].float() / 255
    trained = net(image, torch.tensor(PARITY_CHOICE.temperature), torch.tensor(PARITY_CHOICE.rebalancing))[0]
    difference = float(np.abs(exported - trained[0].movedim(0, 2).numpy()).max())
    if difference > TOLERANCE:
        raise EngineError(
            f"The exported net differs from the trained one by up to {difference:.2g} in a* or b*, more than "
            f"{TOLERANCE:g}. Nothing was written."
        )
    return {"ab": difference}


def _choice(pair: list[float]) -> ColorChoice:
    temperature, rebalancing = pair
    if temperature <= 0:
        raise ConfigurationError(f"A temperature must be above 0, got {temperature:g}.")
    return ColorChoice(temperature=temperature, rebalancing=rebalancing)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="finished run folder; without it the net that ships is measured again")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    parser.add_argument("--val", type=Path, nargs="+", required=True, help="photos to measure on, for the card")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG16's values, for the feature distance")
    for end in ("safest", "boldest"):
        parser.add_argument(
            f"--{end}", type=float, nargs=2, metavar=("TEMPERATURE", "REBALANCING"),
            help="choice of colours at that end of vividness; with --run",
        )  # fmt: skip
    arguments = parser.parse_args(argv)
    run, name, photos, vgg = arguments.run, arguments.name, arguments.val, arguments.vgg
    if (run is None) != (arguments.safest is None) or (run is None) != (arguments.boldest is None):
        parser.error("--run, --safest and --boldest go together")
    try:
        if run is None:
            card = measure_again(name, photos, vgg)
        else:
            card = export_run(run, name, photos, (_choice(arguments.safest), _choice(arguments.boldest)), vgg=vgg)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
