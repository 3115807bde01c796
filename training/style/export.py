"""Turn a style net's finished run into weights that ship: an ONNX file, its card, and the records of the run.

    python -m training.style.export --run runs/style_fast --name fast --content val.tar --styles styles/ \
        --vgg vgg16.npz --clips clips/

The graph takes ``rgb``, sRGB (1, H, W, 3) uint8 with sides that are multiples of 4, and ``mixture`` (1, 8) float32, the
weights of the seven emotions' styles and of the identity, and outputs ``painted`` (1, H, W, 3) uint8. Kernels are
stored as float16 and widened by the graph. Nothing is written to the package where float16 or the runtime changes the
result by more than the tolerance. The card's metrics are those of ``training.evaluate style``, whose options this
script takes.
"""

import argparse
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import torch

from emocolor.arrays import RgbImage
from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError, EmocolorError, EngineError
from engines.nets.emotion_net import count_parameters
from engines.nets.graphs import Painter
from engines.nets.style_net import IDENTITY, SETS, StyleNet
from engines.spec import STYLE_FOLDER
from engines.style import load_style_transfer

from ..data.photos import center_crop, read_photos
from ..keep import RESULTS, keep_records
from ..onnx_export import name_and_halve, staged
from ..records import JsonObject, read_json, sha256_of, write_json
from ..run_folder import CONFIG
from .candidates import single_style
from .card import card_text
from .evaluate import StyleEvalConfig, add_measuring_options, evaluate_style
from .nets import net_of_run
from .recipe import StyleRecipe

TOLERANCE = 3.0
"""Largest change of a sample, of 255, that float16 storage, the runtime and rounding may make together."""


def export_onnx(net: StyleNet, path: Path) -> None:
    """Write ``net`` as ONNX with dynamic H and W."""
    mixture = torch.zeros(1, SETS)
    mixture[0, IDENTITY] = 1
    sizes = {1: "H", 2: "W"}
    with warnings.catch_warnings():
        # The older exporter is deprecated, but OpenVINO compiles its graph much faster. Tracing takes the number of
        # channels for constant, and it is.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Painter(net).eval(),  # the whole module: the exporter restores the mode of the outermost one
            (torch.zeros(1, 12 * net.multiple, 20 * net.multiple, 3, dtype=torch.uint8), mixture),
            path,
            input_names=["rgb", "mixture"],
            output_names=["painted"],
            dynamic_axes={"rgb": sizes, "painted": sizes},
            dynamo=False,
            do_constant_folding=False,
            opset_version=18,
        )
    model = onnx.load(path)
    name_and_halve(model, set(net.state_dict()))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def export_run(
    run: Path, name: str, config: StyleEvalConfig, *, package: Path = STYLE_FOLDER, results: Path = RESULTS
) -> JsonObject:
    """Export a finished run with its card to ``package``, and keep its records below ``results``.

    The net is measured as ``config`` says, with the recipe's size of paintings and style weight, before anything is
    written there. Raises ``ConfigurationError`` where the run is not finished, trained S3's net, which has one style
    alone, or started from a run that does not lie next to it.
    """
    recipe, net = net_of_run(run)
    if not isinstance(net, StyleNet):
        raise ConfigurationError(f"{run} trained S3's net of one style; the program runs nets of seven.")
    with staged(package) as folder:
        weights, card_file = folder / f"{name}.onnx", folder / f"{name}.json"
        export_onnx(net, weights)
        card = _card(run, recipe, net, weights)
        write_json(card_file, card)
        photo = center_crop(read_photos(config.content).photo(0), config.size)
        card["parity"] = check_parity(net, str(weights), photo)
        card["metrics"] = evaluate_style(
            replace(
                config,
                weights=str(weights),
                style_size=recipe.style_size,
                style_weight=recipe.style_weight / recipe.content_weight,
            )
        )
        write_json(card_file, card)
        card_file.with_suffix(".md").write_text(card_text(name, card))
    keep_records(run, f"style/{name}", plots=True, results=results)
    return card


def _card(run: Path, recipe: StyleRecipe, net: StyleNet, weights: Path) -> JsonObject:
    """All that is known before anything is measured."""
    trainable, running = count_parameters(net)
    return {
        "weights": weights.name,
        "sha256": sha256_of(weights),
        "definition": recipe.net,
        "multiple": net.multiple,
        "styles": {emotion: asdict(image) for emotion, image in recipe.styles.given().items()},
        "parameters": {"trainable": trainable, "running": running},
        "bytes": weights.stat().st_size,
        "training": {key: value for key, value in _config(run).items() if key != "shipped_start"},
        "started_from": _earlier_runs(run, recipe.start),
        "metrics": {},
    }


def _earlier_runs(run: Path, start: str) -> list[JsonObject]:
    """The records of the runs that this one started from, oldest first."""
    if shipped := _config(run).get("shipped_start"):
        return list(shipped)
    if not start:
        return []
    earlier = run.parent / start
    config = _config(earlier)
    return [*_earlier_runs(earlier, config["settings"]["start"]), config]


def _config(run: Path) -> JsonObject:
    if not (run / CONFIG).exists():
        raise ConfigurationError(f"{run}, from which the run started, has no {CONFIG}. Put it next to the run.")
    return read_json(run / CONFIG)


@torch.inference_mode()
def check_parity(net: StyleNet, exported: str, photo: RgbImage) -> dict[str, float]:
    """Largest difference of a sample, of 255, between the exported file and the trained net, in any style.

    ``photo`` is sRGB (H, W, 3) uint8, sides multiples of 4. Up to half a code is the rounding of the exported net.
    Raises ``EngineError`` above ``TOLERANCE``.
    """
    style_transfer = load_style_transfer(exported, device="cpu")
    image = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    largest = 0.0
    for emotion in EMOTIONS:
        trained = net(image, torch.from_numpy(single_style(emotion))[None])[0].movedim(0, 2).clamp(0, 1).numpy() * 255
        largest = max(largest, float(np.abs(style_transfer.paint(photo, single_style(emotion)) - trained).max()))
    if largest > TOLERANCE:
        raise EngineError(
            f"The exported net differs from the trained one by up to {largest:.1f} of 255, more than {TOLERANCE:g}. "
            "Nothing was written."
        )
    return {"samples": round(largest, 3)}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    add_measuring_options(parser)
    given = vars(parser.parse_args(argv))
    run, name = given.pop("run"), given.pop("name")
    try:
        card = export_run(run, name, StyleEvalConfig(**given))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
