"""Train a style net on photos and paintings.

    python -m training.style --config configs/training/style_fast.toml --styles styles/ \
        --photos photos_0.tar photos_1.tar --val val.tar --vgg vgg16.npz --run runs/fast
    python -m training.style --config configs/training/style_s3_relu2_2.toml --style happy=painting.jpg \
        --photos photos.tar --val val.tar --run runs/s3_happy

The net stylizes crops of photos. The losses compare VGG16's features with the photo's for content, and with the
painting's for style (Johnson et al. 2016). For temporal consistency, a second view of each photo, shifted by whole
pixels and noisy, has to be stylized as the first; so have neighbouring frames of clips, along their optical flow, where
the recipe asks for it (``training.style.clip_pairs``).

A net of seven styles is trained on mixtures too, whose targets are mixtures of Gram matrices; the identity contributes
the photo's own Gram matrices. With a ``teacher``, a small net also learns to reproduce the output of a larger one
(Hinton et al. 2015, "Distilling the knowledge in a neural network"); with content and style weights of 0 it learns from
the teacher alone.

An epoch is ``draws`` photos. After a kill the run resumes at the last whole epoch, like all training here.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from emocolor.arrays import RgbImage
from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError, EmocolorError, nearest
from engines.nets.style_net import SETS

from ..data.photos import Photos, center_crop, read_photos, write_image
from ..optimization import TrainingState, check_finite, pick_device
from ..records import JsonObject, read_json, sha256_of, write_json
from ..run_folder import FINAL, Panel, draw_curves, log_epoch, open_run, save_checkpoint, training_machine
from ..toml_recipe import read_recipe
from ..vgg import Vgg16
from .batches import Views, batches
from .clip_pairs import ClipPairs, read_pairs
from .contact_sheet import style_sheet
from .losses import StyleLosses, mean_activations
from .nets import (
    as_batch,
    finished_checkpoint,
    load_start,
    net_of_run,
    new_net,
    required_styles,
    shipped_history,
    start_weights,
    stylize_function,
)
from .objective import StyleTargets, loss_terms, style_targets, total_loss
from .paintings import read_painting
from .recipe import StyleImages, StyleRecipe

SMOKE_DRAWS = 8
MEASURED_PHOTOS = 8
"""Photos of the validation set that are measured after every epoch."""
SHEET_PHOTOS = 6
SHEET_SCALE = 2
"""Side of the photos of the sheet, in sides of the training crops."""
ACTIVATION_PHOTOS = 32
"""Photos over which VGG16's activations are averaged."""
ACTIVATION_SIZE = 128
CURVES = tuple(
    Panel(label, {name: "held-out photos", f"train_{name}": "training"}, log=True)
    for name, label in (
        ("content", "content loss"),
        ("style", "style loss"),
        ("temporal", "difference of two views"),
    )
)


@dataclass(frozen=True, kw_only=True)
class StyleData:
    """The files of a run; what they hold is read by :func:`train`."""

    paintings: Path
    """Folder of the recipe's paintings."""
    photos: Sequence[Path]
    validation: Sequence[Path]
    vgg: Path | None = None
    """A file of VGG16's values, or its folder; None for torchvision's, downloaded once."""
    clips: Sequence[Path] = ()
    """Of the temporal loss, where the recipe has ``clip_part``."""
    runs: Path = Path()
    """Folder of the runs that the recipe builds on: its start and its teacher."""


def train(recipe: StyleRecipe, data: StyleData, run: Path, *, resume: bool = False) -> None:
    """Train into the run folder.

    Raises ``ConfigurationError`` where the folder holds another run or the recipe's styles do not fit its net,
    ``DivergedError`` where the loss becomes infinite or NaN, ``SourceError`` for unusable photos, clips and paintings,
    ``EngineError`` for unusable values of VGG16, and ``SinkError`` where the folder cannot be written.
    """
    device = pick_device()
    styles = required_styles(recipe)
    paintings = {e: read_painting(data.paintings / image.file, recipe.style_size) for e, image in styles.items()}
    photos, held_out = read_photos(data.photos), read_photos(data.validation)
    pairs = _clip_pairs(recipe, data.clips)
    start = start_weights(recipe, data.runs)
    record = _record(recipe, data, photos, held_out, pairs) | {"machine": training_machine(device)}
    vgg = Vgg16(data.vgg, recipe.deepest).to(device)
    checkpoint = open_run(run, record, resume=resume)

    torch.manual_seed(recipe.seed)
    net = new_net(recipe)
    if start is not None:
        load_start(net, start)
    net = net.to(device)
    teacher = net_of_run(data.runs / recipe.teacher)[1].requires_grad_(False).to(device) if recipe.teacher else None
    state = TrainingState(net, recipe)
    done = state.restore(checkpoint)
    squares = (center_crop(photos.photo(i), ACTIVATION_SIZE) for i in range(min(ACTIVATION_PHOTOS, len(photos))))
    activations = mean_activations(vgg, (as_batch([square]).to(device) for square in squares))
    losses = StyleLosses(vgg, activations, recipe.style_layers, recipe.content_layer)
    targets = style_targets(paintings, styles, losses, device)
    if recipe.compiled:
        for module in (net, vgg, *([teacher] if teacher else [])):
            module.compile()

    steps_per_epoch = recipe.draws // recipe.batch
    for epoch in range(done + 1, recipe.epochs + 1):
        started = time.monotonic()
        net.train()
        totals: dict[str, float] = {}
        for number, views in enumerate(batches(photos, recipe, targets.styles, epoch, pairs)):
            step = (epoch - 1) * steps_per_epoch + number
            state.set_learning_rate(step, steps_per_epoch)
            terms = loss_terms(net, views.to(device), recipe, losses, targets, teacher)
            loss = total_loss(terms, recipe)
            check_finite(loss, step=step, epoch=epoch, run=run)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), recipe.gradient_norm)
            state.optimizer.step()
            state.optimizer.zero_grad(set_to_none=True)
            state.average.update_parameters(net)
            for name, term in terms.items():
                totals[name] = totals.get(name, 0.0) + term.item() / steps_per_epoch
        save_checkpoint(run, state.checkpoint(epoch))
        row = {"epoch": epoch} | {f"train_{name}": total for name, total in totals.items()}
        row |= measure(state.eval_net, held_out, recipe, losses, targets)
        log_epoch(run, row | {"seconds": time.monotonic() - started})
    finish(run, state.eval_net, held_out, recipe, losses, targets)


def _clip_pairs(recipe: StyleRecipe, clips: Sequence[Path]) -> ClipPairs | None:
    """The pairs of frames of the clips, where the recipe trains on them."""
    if not recipe.clip_part:
        return None
    if not clips:
        raise ConfigurationError(f"The recipe takes clips in {recipe.clip_part:g} of its batches: pass --clips.")
    return read_pairs(clips, recipe.crop)


def _record(
    recipe: StyleRecipe, data: StyleData, photos: Photos, held_out: Photos, pairs: ClipPairs | None
) -> JsonObject:
    """``config.json`` without the machine."""
    start = start_weights(recipe, data.runs)
    return {
        "settings": asdict(recipe),
        "data": {
            "train": photos.sha256,
            "validation": held_out.sha256,
            "styles": {e: sha256_of(data.paintings / image.file) for e, image in recipe.styles.given().items()},
        }
        | ({"clips": pairs.sha256} if pairs else {}),
        "nets": {
            "start": sha256_of(start) if start else None,
            "teacher": sha256_of(finished_checkpoint(data.runs / recipe.teacher)) if recipe.teacher else None,
        },
        "shipped_start": shipped_history(recipe.start),
        "images": {"train": len(photos), "held_out": len(held_out)},
    }


@torch.inference_mode()
def measure(
    net: nn.Module, held_out: Photos, recipe: StyleRecipe, losses: StyleLosses, targets: StyleTargets
) -> dict[str, float]:
    """The losses on the first held-out photos, each in every style.

    ``temporal`` is that of views shifted by (3, 1) px, the second with noise of half the recipe's deviation.
    """
    net.eval()
    side, device = recipe.crop, targets.weights.device
    rows, columns = min(3, recipe.shift), min(1, recipe.shift)
    noise = np.random.default_rng(0).standard_normal((1, 3, side, side), np.float32) * recipe.noise / 2
    totals = dict.fromkeys(("content", "style", "variation", "temporal"), 0.0)
    count = min(MEASURED_PHOTOS, len(held_out))
    all_terms = replace(recipe, temporal_weight=1.0, content_weight=1.0, style_weight=1.0)
    for index in range(count):
        square = as_batch([center_crop(held_out.photo(index), side + recipe.shift)])
        first = square[:, :, :side, :side]
        second = (square[:, :, rows : rows + side, columns : columns + side] + torch.from_numpy(noise)).clamp(0, 1)
        for style in targets.styles:
            mixture = torch.zeros(1, SETS)
            mixture[0, style] = 1
            views = Views(first, second, (rows, columns), mixture).to(device)
            for name, term in loss_terms(net, views, all_terms, losses, targets).items():
                totals[name] += term.item() / count / len(targets.styles)
    return totals


def finish(
    run: Path, net: nn.Module, held_out: Photos, recipe: StyleRecipe, losses: StyleLosses, targets: StyleTargets
) -> None:
    """Write ``final.json``, the curves and ``sheet.png``: held-out photos in every style."""
    count = min(MEASURED_PHOTOS, len(held_out))
    write_json(run / FINAL, {"photos": count, "held_out": measure(net, held_out, recipe, losses, targets)})
    draw_curves(run, CURVES)
    write_image(run / "sheet.png", _sheet(net.eval(), held_out, targets.styles, SHEET_SCALE * recipe.crop))


def _sheet(net: nn.Module, photos: Photos, styles: list[int], size: int) -> RgbImage:
    squares = [center_crop(photos.photo(index), size) for index in photos.evenly(SHEET_PHOTOS)]
    return style_sheet(squares, [np.eye(SETS, dtype=np.float32)[style] for style in styles], stylize_function(net))


def with_styles(recipe: StyleRecipe, given: list[str]) -> StyleRecipe:
    """The recipe with paintings given as ``EMOTION=PATH``; raises ``ConfigurationError`` for anything else."""
    found: dict[Emotion, Any] = {}
    for text in given:
        emotion, equals, file = text.partition("=")
        if emotion not in EMOTIONS or not equals or not file:
            raise ConfigurationError(f"--style takes EMOTION=PATH, not '{text}'{nearest(emotion, EMOTIONS)}")
        found[emotion] = replace(getattr(recipe.styles, emotion), file=str(Path(file).resolve()), title="", artist="")
    if recipe.net == "s3" and found:
        return replace(recipe, styles=StyleImages(**found))
    return replace(recipe, styles=replace(recipe.styles, **found))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders and tar files to train on")
    parser.add_argument("--val", type=Path, nargs="+", required=True, help="folders and tar files to measure on")
    parser.add_argument("--styles", type=Path, default=Path(), help="folder of the recipe's paintings")
    parser.add_argument(
        "--style", action="append", default=[], metavar="EMOTION=PATH", help="a painting in place of the recipe's"
    )
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG16's values (default: torchvision's, downloaded)")
    parser.add_argument(
        "--clips", type=Path, nargs="+", default=[], metavar="DIR_OR_FILE", help="for the temporal loss"
    )
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    parser.add_argument("--runs", type=Path, default=Path(), help="folder of the runs that the recipe builds on")
    parser.add_argument("--config", type=Path, help="TOML file that overrides the defaults (configs/training/)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--smoke", action="store_true", help=f"two epochs of {SMOKE_DRAWS} photos, to try the script")
    arguments = parser.parse_args(argv)
    data = StyleData(
        paintings=arguments.styles, photos=arguments.photos, validation=arguments.val, vgg=arguments.vgg,
        clips=arguments.clips, runs=arguments.runs,
    )  # fmt: skip
    try:
        recipe = with_styles(read_recipe(StyleRecipe, arguments.config), arguments.style)
        if arguments.smoke:
            recipe = replace(recipe, epochs=2, draws=SMOKE_DRAWS, batch=4)
        train(recipe, data, arguments.run, resume=arguments.resume)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(read_json(arguments.run / FINAL)["held_out"]))


if __name__ == "__main__":
    main()
