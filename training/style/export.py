"""Turn a style net's finished run into weights that ship: an ONNX file, its card, and the facts of the run.

    python -m training.style.export --run runs/style_fast --name fast --content val.tar --styles styles/ \
        --vgg vgg16.npz --clips clips/

The graph takes ``rgb``, sRGB (1, H, W, 3) uint8 with sides that are multiples of 4, and ``mixture`` (1, 8) float32, the
parts of the seven emotions' styles and of the identity, and gives ``painted`` (1, H, W, 3) uint8. Kernels are stored
as float16 and widened by the graph; the script refuses to export where that, or the runtime, moves the picture by
more than it may. The figures of the card are those of ``training.evaluate style``, whose options this script takes.
"""

import argparse
import json
import shutil
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError, EmocolorError, EngineError
from engines.nets.emotion_net import count_parameters
from engines.nets.graphs import Painter
from engines.nets.style_net import IDENTITY, SETS, StyleNet
from engines.spec import STYLE
from engines.style import load_style_transfer

from ..data.faces import sha256_of
from ..data.photos import Rgb8, central_crop, read_photos
from ..keep import keep_facts
from ..onnx_weights import name_and_halve
from ..records import JsonObject, write_json
from .candidates import net_of_run, only
from .evaluate import StyleEvalConfig, add_measuring_options, evaluate_style
from .recipe import StyleRecipe

TOLERANCE = 3.0
"""Largest change of a sample, of 255, that float16 storage, the runtime and rounding may make together."""


def export_onnx(net: StyleNet, path: Path) -> None:
    """Write ``net`` as ONNX with dynamic H and W."""
    mixture = torch.zeros(1, SETS)
    mixture[0, IDENTITY] = 1
    sizes = {1: "H", 2: "W"}
    with warnings.catch_warnings():
        # Of two things, both as they should be here: this exporter is the older one, whose graph OpenVINO compiles at
        # once, and tracing takes the number of channels for constant, which it is.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Painter(net).eval(),  # as a whole: the exporter gives parts back in the mode of the whole
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


def export_run(run: Path, name: str, question: StyleEvalConfig) -> JsonObject:
    """Export the run's last checkpoint with its card, and keep the run's facts (``training.keep``).

    The card is measured as ``question`` says, with the recipe's size of paintings and weight of style; only then does
    anything ship. Raises ``ConfigurationError`` where the run is not finished, trained S3's net, which paints one style
    alone, or started from a run that does not lie beside it.
    """
    recipe, net = net_of_run(run)
    if not isinstance(net, StyleNet):
        raise ConfigurationError(f"{run} trained S3's net of one style; the program runs nets of seven.")
    weight = recipe.style_weight / recipe.content_weight
    with TemporaryDirectory() as folder:
        weights, card_file = Path(folder) / f"{name}.onnx", Path(folder) / f"{name}.json"
        export_onnx(net, weights)
        card = _card(run, recipe, net, weights)
        write_json(card_file, card)
        photo = central_crop(read_photos(question.content).photo(0), question.size)
        card["parity"] = check_parity(net, str(weights), photo)
        card["metrics"] = evaluate_style(
            replace(question, weights=str(weights), style_size=recipe.style_size, style_weight=weight)
        )
        write_json(card_file, card)
        STYLE.mkdir(parents=True, exist_ok=True)
        for file in (weights, card_file):
            shutil.copyfile(file, STYLE / file.name)
    keep_facts(run, f"style/{name}", pictures=True)
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
        "started_from": _before(run, recipe.start),
        "metrics": {},
    }


def _before(run: Path, start: str) -> list[JsonObject]:
    """The records of the runs that led to one, oldest first."""
    if shipped := _config(run).get("shipped_start"):
        return list(shipped)
    if not start:
        return []
    before = run.parent / start
    config = _config(before)
    return [*_before(before, config["settings"]["start"]), config]


def _config(run: Path) -> JsonObject:
    try:
        config: JsonObject = json.loads((run / "config.json").read_text())
    except OSError as error:
        raise ConfigurationError(f"{run}, which the run started from, cannot be read: {error.strerror}.") from error
    return config


@torch.inference_mode()
def check_parity(net: StyleNet, exported: str, photo: Rgb8) -> dict[str, float]:
    """Largest difference of a sample, of 255, between the exported file and the trained net, in any style.

    ``photo`` is sRGB (H, W, 3) uint8, sides multiples of 4. The exported net rounds, so half a code is its own. Raises
    ``EngineError`` above ``TOLERANCE``.
    """
    style_transfer = load_style_transfer(exported, device="cpu")
    picture = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    largest = 0.0
    for emotion in EMOTIONS:
        trained = net(picture, torch.from_numpy(only(emotion))[None])[0].movedim(0, 2).clamp(0, 1).numpy() * 255
        largest = max(largest, float(np.abs(style_transfer.paint(photo, only(emotion)) - trained).max()))
    if largest > TOLERANCE:
        raise EngineError(f"The exported net differs from the trained one by up to {largest:.1f} of 255.")
    return {"samples": round(largest, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="name of the net that ships")
    add_measuring_options(parser)
    given = vars(parser.parse_args())
    run, name = given.pop("run"), given.pop("name")
    try:
        card = export_run(run, name, StyleEvalConfig(**given))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps({"sha256": card["sha256"], "parity": card["parity"], "metrics": card["metrics"]}))


if __name__ == "__main__":
    main()
