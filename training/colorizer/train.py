"""Train a colorizer on photos turned gray.

    python -m training.colorizer --config configs/training/colorizer_video.toml \
        --photos photos_0.tar photos_1.tar --val val.tar --run runs/colorizer

An epoch shows one random crop of every photo. The recipe's ``loss`` is S1's on RGB, S2's on classes of ab, or S2's and
S4's on ab. Photos that are gray already are left out.

A checkpoint is written every few minutes. After a kill, the same command with ``--resume`` goes on from there with the
result of an unbroken run; it also starts a run that does not exist yet. ``--finish`` ends a run early.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emocolor.arrays import GrayImage, RgbImage
from emocolor.chroma.conversion import with_chroma
from emocolor.errors import ConfigurationError, EmocolorError
from engines.nets.annealed import Annealed, annealed_mean
from engines.nets.cielab import rgb_to_lab
from engines.nets.colorizer import ColorizerNet
from engines.spec import read_colorizer_spec

from ..data.photos import Photos, center_crop, drop_gray, read_photos
from ..depthwise import speed_up_depthwise
from ..keep import BIN_WEIGHTS
from ..optimization import TrainingState, check_finite, pick_device
from ..progress import Progress
from ..records import read_json, sha256_of, write_json
from ..run_folder import (
    BEST,
    FINAL,
    Panel,
    draw_curves,
    final_epoch,
    final_weights,
    log_epoch,
    open_run,
    read_epochs,
    save_checkpoint,
    training_machine,
)
from ..toml_recipe import read_recipe
from .ab_targets import bin_prior, rebalancing_weights, soft_targets
from .batches import batches
from .evaluate import measure_recolorer
from .frontier import measure_frontiers
from .losses import ab_huber_loss, ab_l2_loss, class_loss, perceptual_loss, rgb_loss
from .plots import draw_features, draw_triptychs
from .recipe import ColorizerRecipe, initialize, make_colorizer
from .recolorers import Recolorer

SMOKE_PHOTOS = 24
EPOCH_PHOTOS = 100
"""Photos of the validation set that are measured after every epoch; the end takes all."""
SAVE_EVERY_S = 180.0
"""Time between two checkpoints."""
MEASURED_SIZE = 256
TEMPERATURES = (1.0, 0.7, 0.45, 0.38, 0.2)
"""Of the annealed mean, at which nets with bins are measured at the end."""
EPOCH_TEMPERATURE = 0.38
PRIOR_PHOTOS = 3000
"""Photos on which the prior over bins is counted, spread over all: in their order the first are of one source."""
CURVES = (
    Panel("training loss", {"train_loss": ""}),
    Panel("ab error, held-out photos", {"ab_error": ""}),
    Panel("colourfulness, held-out photos", {"colorfulness": ""}),
)
FRONTIER_CURVES = (
    Panel("training loss", {"train_loss": ""}),
    Panel("ab error at colourfulness", {"ab_at_25": "25", "ab_at_30": "30", "ab_at_35": "35"}),
    Panel("mean of the three", {"frontier": "clean", "film_frontier": "film look"}),
)

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""(output of the net, sRGB (N, 3, H, W) in [0, 1]) to the loss."""


def train(
    recipe: ColorizerRecipe,
    sources: list[Path],
    validation: list[Path],
    run: Path,
    *,
    vgg: Path | None = None,
    resume: bool = False,
    finish_now: bool = False,
    save_every_s: float = SAVE_EVERY_S,
    limit: int | None = None,
) -> None:
    """Train into the run folder; ``limit`` takes only the first photos, to try the script.

    ``finish_now`` ends a run with the weights that it has. Raises ``ConfigurationError`` where the folder holds another
    run, ``DivergedError`` where the loss becomes infinite or NaN, ``SourceError`` for unusable photos and ``SinkError``
    where the folder cannot be written.
    """
    device = pick_device()
    photos, dropped = drop_gray(read_photos(sources).first(limit))
    held_out = read_photos(validation).first(limit)
    record = {
        "settings": asdict(recipe) | {"limit": limit},
        "data": {"train": photos.sha256, "validation": held_out.sha256},
        "images": {"train": len(photos), "gray_dropped": dropped, "held_out": len(held_out)},
        "machine": training_machine(device),
    }
    if recipe.start:
        record["nets"] = {recipe.start: sha256_of(read_colorizer_spec(recipe.start).weights)}
    checkpoint = open_run(run, record, resume=resume or finish_now)

    torch.manual_seed(recipe.seed)
    net = make_colorizer(recipe)
    weights = bin_weights(recipe, net, photos)
    initialize(net, recipe, weights)
    net = net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainingState(net, recipe)
    if device.type == "cpu" and recipe.bf16:
        speed_up_depthwise(net)
    if weights is not None:
        write_json(run / BIN_WEIGHTS, {"weights": weights.tolist()})
    loss_of = make_loss(recipe, net, weights, vgg, device)
    state.restore(checkpoint)
    progress = Progress.of(checkpoint)
    saved = time.monotonic()

    forward: Callable[[Tensor], Tensor] = net
    if recipe.compiled:  # in the loop alone: forward hooks, as for the feature maps, do not run in a compiled net
        forward, loss_of = torch.compile(net), torch.compile(loss_of)
    steps_per_epoch = math.ceil(len(photos) / recipe.batch)
    for epoch in range(progress.epoch, 1 if finish_now else recipe.epochs + 1):
        net.train()
        for number, rgb, gray in batches(photos, recipe, epoch, progress.batches):
            step = (epoch - 1) * steps_per_epoch + number
            state.set_learning_rate(step, steps_per_epoch)
            torch.manual_seed(recipe.batch_seed(epoch, number))
            rgb, gray = rgb.to(device), gray.to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):
                output = forward(gray)
            loss = loss_of(output, rgb)
            check_finite(loss, step=step, epoch=epoch, run=run)
            (loss / recipe.accumulate).backward()
            progress.add(loss.item(), len(rgb))
            if (number + 1) % recipe.accumulate and number + 1 < steps_per_epoch:
                continue
            state.optimizer.step()
            state.optimizer.zero_grad(set_to_none=True)
            state.average.update_parameters(net)
            if time.monotonic() - saved >= save_every_s:
                save_checkpoint(run, state.checkpoint(epoch - 1) | progress.record())
                print(progress.line(steps_per_epoch), flush=True)
                saved = time.monotonic()
        row = {"epoch": epoch, "train_loss": progress.mean_loss} | measure(recipe, state.eval_net, weights, held_out)
        if recipe.keep == "best" and is_best(run, row):
            save_checkpoint(run, {"net": state.eval_net.state_dict(), "epoch": epoch}, BEST)
        log_epoch(run, row | {"seconds": progress.elapsed})
        progress.next_epoch()
        save_checkpoint(run, state.checkpoint(epoch) | progress.record())
    finish(run, state.eval_net, held_out)


def measure(recipe: ColorizerRecipe, net: ColorizerNet, weights: Tensor | None, held_out: Photos) -> dict[str, float]:
    """The columns of an epoch: at one temperature, or where the best epoch is kept, the frontiers on clean and filmed
    photos."""
    if recipe.keep == "best":
        assert weights is not None
        annealed = Annealed(net, weights).to(next(net.parameters()).device).eval()
        return measure_frontiers(annealed, held_out, recipe.film.degradations)
    recolor = trained_recolorer(net, EPOCH_TEMPERATURE)
    found = measure_recolorer(recolor, held_out.spread(EPOCH_PHOTOS), MEASURED_SIZE)
    return {key: found[key] for key in ("ab_error", "colorfulness", "psnr")}


def is_best(run: Path, row: Mapping[str, float]) -> bool:
    """Whether no earlier epoch of the run has a lower frontier."""
    earlier = [float(one["frontier"]) for one in read_epochs(run) if int(one["epoch"]) < row["epoch"]]
    return row["frontier"] < min(earlier, default=math.inf)


def bin_weights(recipe: ColorizerRecipe, net: ColorizerNet, photos: Photos) -> Tensor | None:
    """Loss weight of each bin, (Q,) float32: higher for rare colours; None for nets without bins."""
    if net.bins is None:
        return None
    if recipe.loss != "rebalanced":
        return torch.ones(len(net.bins))
    counted = (center_crop(photos.photo(i), recipe.crop) for i in photos.evenly(PRIOR_PHOTOS))
    return torch.from_numpy(rebalancing_weights(bin_prior(counted, net.bins), net.bins, recipe.bins)).float()


def make_loss(
    recipe: ColorizerRecipe, net: ColorizerNet, weights: Tensor | None, vgg: Path | None, device: torch.device
) -> LossFunction:
    """The recipe's loss; ``weights`` are those of :func:`bin_weights`."""
    match recipe.loss:
        case "rgb":
            return rgb_loss
        case "rgb_perceptual":
            from ..vgg import Vgg16

            if vgg is None:
                raise ConfigurationError('loss = "rgb_perceptual" needs the values of VGG16: pass --vgg.')
            loss_net, weight = Vgg16(vgg, "relu1_2").to(device), recipe.perceptual_part

            def features(rgb: Tensor) -> dict[str, Tensor]:
                with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):
                    return {layer: found.float() for layer, found in loss_net(rgb).items()}

            return lambda output, rgb: rgb_loss(output, rgb) + weight * perceptual_loss(features, output, rgb)
        case "ab_l2":
            return lambda output, rgb: ab_l2_loss(output, ab_at(output, rgb))
        case "ab_huber":
            return lambda output, rgb: ab_huber_loss(output, ab_at(output, rgb))
    bins, sigma = net.bins, recipe.sigma
    assert bins is not None, recipe.loss
    assert weights is not None
    weights = weights.to(device)
    return lambda output, rgb: class_loss(output, soft_targets(ab_at(output, rgb), bins, sigma=sigma), weights)


def ab_at(output: Tensor, rgb: Tensor) -> Tensor:
    """True ab at the resolution of the net's output: (N, 2, h, w), means over the pixels of each point."""
    ab = rgb_to_lab(rgb)[:, 1:]
    factor = rgb.shape[2] // output.shape[2]
    return torch.nn.functional.avg_pool2d(ab, factor) if factor > 1 else ab


def trained_recolorer(net: ColorizerNet, temperature: float) -> Recolorer:
    """A net as a function of gray images of any size; ``temperature`` is that of the annealed mean."""

    @torch.inference_mode()
    def recolor(gray: GrayImage) -> RgbImage:
        net.eval()
        height, width = gray.shape
        padding = (-height % net.multiple, -width % net.multiple)
        padded = np.pad(gray, [(0, part) for part in padding], mode="edge")
        device = next(net.parameters()).device
        output = net(torch.from_numpy(padded)[None, None].to(device).float() / 255)
        if net.output_form == "rgb":
            rgb = output[0, :, :height, :width].movedim(0, 2).mul(255).round().byte()
            return np.asarray(rgb.cpu().numpy())
        ab = output if net.bins is None else annealed_mean(output, net.bins, temperature=temperature)[0]
        if any(padding):
            ab = torch.nn.functional.interpolate(ab, size=padded.shape, mode="bilinear")[:, :, :height, :width]
        return with_chroma(gray, ab[0].movedim(0, 2).float().cpu().numpy())

    return recolor


def finish(run: Path, net: ColorizerNet, held_out: Photos) -> None:
    """Write ``final.json`` (nets with bins: at every temperature), the curves, triptychs and feature maps.

    They are those of the best epoch where the run keeps it. Raises ``ConfigurationError`` where there is no epoch.
    """
    if not read_epochs(run):
        raise ConfigurationError(f"{run} cannot be finished: no epoch has been trained. Resume it first.")
    net.load_state_dict(final_weights(run))
    temperatures = TEMPERATURES if net.bins is not None else (1.0,)
    metrics = {f"{t:g}": measure_recolorer(trained_recolorer(net, t), held_out, MEASURED_SIZE) for t in temperatures}
    write_json(run / FINAL, {"photos": len(held_out), "epoch": final_epoch(run), "by_temperature": metrics})
    draw_curves(run, FRONTIER_CURVES if (run / BEST).exists() else CURVES)
    draw_triptychs(run, trained_recolorer(net, EPOCH_TEMPERATURE), held_out)
    draw_features(run, net, held_out)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders and tar files to train on")
    parser.add_argument("--val", type=Path, nargs="+", required=True, help="folders and tar files to measure on")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    parser.add_argument("--config", type=Path, help="TOML file that overrides the defaults (configs/training/)")
    parser.add_argument("--vgg", type=Path, help="npz of VGG16's values, for the perceptual loss")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--finish", action="store_true", help="end the run in the folder with the weights that it has")
    parser.add_argument("--save-every", type=float, default=SAVE_EVERY_S, metavar="SECONDS", help="between checkpoints")
    parser.add_argument("--smoke", action="store_true", help=f"two epochs on {SMOKE_PHOTOS} photos, to try the script")
    arguments = parser.parse_args(argv)
    try:
        recipe = read_recipe(ColorizerRecipe, arguments.config)
        if arguments.smoke:
            recipe = replace(recipe, epochs=2, batch=min(recipe.batch, 8))
        limit = SMOKE_PHOTOS if arguments.smoke else None
        train(
            recipe, arguments.photos, arguments.val, arguments.run,
            vgg=arguments.vgg, resume=arguments.resume, finish_now=arguments.finish,
            save_every_s=arguments.save_every, limit=limit,
        )  # fmt: skip
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(read_json(arguments.run / FINAL)["by_temperature"]))


if __name__ == "__main__":
    main()
