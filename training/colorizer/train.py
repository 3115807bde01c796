"""Train a colorizer on photos turned gray.

    python -m training.colorizer --config configs/training/colorizer_video.toml \
        --photos photos_0.tar photos_1.tar --val val.tar --run runs/colorizer

An epoch shows one square of every photo, cut anew each time. What the net learns by is the recipe's
``loss``: S1's on RGB, S2's on classes of ab, S2's and S4's on ab. Photos that are gray already are left out.
The run resumes after a kill at the last whole epoch, as that of the emotion classifiers does.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emocolor.chroma.conversion import luma_of, with_chroma
from emocolor.errors import ConfigurationError, EmocolorError
from engines.nets.annealed import annealed_mean
from engines.nets.cielab import rgb_to_lab
from engines.nets.colorizer import ColorizerNet
from engines.nets.s4_colorizer import S4Colorizer
from engines.nets.video_colorizer import VideoColorizer

from ..data.film_look import film_look, gray_of
from ..data.photos import Photos, central_crop, drop_gray, random_crop, read_photos
from ..depthwise import speed_up_depthwise
from ..keep import BIN_WEIGHTS
from ..optimization import learning_rate, optimizer_of
from ..records import facts_of_machine, write_json
from ..run_folder import append_row, open_run, save_checkpoint
from ..toml_recipe import read_recipe
from .ab_targets import bin_prior, rebalancing_weights, soft_targets
from .losses import ab_huber_loss, ab_l2_loss, class_loss, perceptual_loss, rgb_loss
from .metrics import ColorizerScores
from .plots import draw_curves, draw_features, draw_triptychs
from .recipe import ColorizerRecipe, colorizer_of
from .recolorers import Recolorer

SMOKE_PHOTOS = 24
MEASURED_PHOTOS = 100
"""Photos of the validation set that every epoch is measured on; the end takes all."""
MEASURED_SIZE = 256
TEMPERATURES = (1.0, 0.7, 0.45, 0.38, 0.2)
"""Of the annealed mean, at which nets with bins are measured in the end."""
EPOCH_TEMPERATURE = 0.38
PRIOR_PHOTOS = 1000
"""Photos that the prior over bins is counted on."""

LossOf = Callable[[Tensor, Tensor], Tensor]
"""(answer, sRGB (N, 3, H, W) in [0, 1]) to the loss."""


def train(
    recipe: ColorizerRecipe,
    sources: list[Path],
    validation: list[Path],
    run: Path,
    *,
    vgg: Path | None = None,
    resume: bool = False,
    limit: int | None = None,
) -> None:
    """Train into the run folder; ``limit`` takes only the first photos, to try the script out.

    Raises ``ConfigurationError`` where the folder holds another run or the loss stops being a number,
    ``SourceError`` for unusable photos and ``SinkError`` where the folder cannot be written.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    photos, dropped = drop_gray(_first(read_photos(sources), limit))
    held_out = _first(read_photos(validation), limit)
    record = {
        "settings": asdict(recipe) | {"limit": limit},
        "data": {"train": photos.sha256, "validation": held_out.sha256},
        "images": {"train": len(photos), "gray_dropped": dropped, "held_out": len(held_out)},
        "machine": facts_of_machine() | ({"device": torch.cuda.get_device_name()} if device.type == "cuda" else {}),
    }
    checkpoint = open_run(run, record, resume=resume)

    torch.manual_seed(recipe.seed)
    net = fresh_net(recipe).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
    if device.type == "cpu":
        speed_up_depthwise(net)
    weights = bin_weights(recipe, net, photos)
    if weights is not None:
        write_json(run / BIN_WEIGHTS, {"weights": weights.tolist()})
    loss_of = make_loss(recipe, net, weights, vgg, device)
    optimizer = optimizer_of(net, recipe)
    done = 0
    if checkpoint is not None:
        net.load_state_dict(checkpoint["raw"])
        average.load_state_dict(checkpoint["average"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        done = checkpoint["epoch"]

    kept: ColorizerNet = average.module if recipe.ema else net  # type: ignore[assignment]
    answer_to: Callable[[Tensor], Tensor] = net
    if recipe.compiled:  # for learning alone: what looks at layers from outside sees nothing of a compiled net
        answer_to, loss_of = torch.compile(net), torch.compile(loss_of)
    batches_per_epoch = math.ceil(len(photos) / recipe.batch)
    for epoch in range(done + 1, recipe.epochs + 1):
        started = time.monotonic()
        net.train()
        total = 0.0
        for number, (rgb, gray) in enumerate(batches(photos, recipe, epoch)):
            step = (epoch - 1) * batches_per_epoch + number
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, batches_per_epoch)
            rgb, gray = rgb.to(device), gray.to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):
                answer = answer_to(gray)
            loss = loss_of(answer, rgb)
            if not torch.isfinite(loss):
                raise ConfigurationError(
                    f"The loss became {loss.item()} at step {step} (epoch {epoch}); {run} keeps the checkpoint of "
                    f"epoch {epoch - 1}. Lower learning_rate."
                )
            (loss / recipe.accumulate).backward()
            if (number + 1) % recipe.accumulate == 0 or number + 1 == batches_per_epoch:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                average.update_parameters(net)
            total += loss.item() * len(rgb)
        save_checkpoint(
            run,
            {
                "net": kept.state_dict(),
                "raw": net.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "epoch": epoch,
            },
        )
        found = measure(recolorer_of(kept, EPOCH_TEMPERATURE), _first(held_out, MEASURED_PHOTOS))
        row = {"epoch": epoch, "train_loss": total / len(photos)}
        row |= {key: found[key] for key in ("ab_error", "colorfulness", "psnr")}
        row["seconds"] = time.monotonic() - started
        append_row(run, row)
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    finish(run, kept, held_out)


def fresh_net(recipe: ColorizerRecipe) -> ColorizerNet:
    """The net as a run starts with it."""
    net = colorizer_of(recipe)
    if isinstance(net, S4Colorizer | VideoColorizer) and recipe.prior != "none":
        net.start_from_imagenet()
    return net


def bin_weights(recipe: ColorizerRecipe, net: ColorizerNet, photos: Photos) -> Tensor | None:
    """What a pixel of each bin counts, (Q,) float32: by how rare its colour is; None for nets without bins."""
    if net.bins is None:
        return None
    if recipe.loss != "rebalanced":
        return torch.ones(len(net.bins))
    counted = (central_crop(photos.photo(i), recipe.crop) for i in range(min(len(photos), PRIOR_PHOTOS)))
    return torch.from_numpy(rebalancing_weights(bin_prior(counted, net.bins), net.bins, recipe.bins)).float()


def make_loss(
    recipe: ColorizerRecipe, net: ColorizerNet, weights: Tensor | None, vgg: Path | None, device: torch.device
) -> LossOf:
    """The recipe's loss as a function of the net's answer and the true colours; ``weights`` of :func:`bin_weights`."""
    match recipe.loss:
        case "rgb":
            return rgb_loss
        case "rgb_perceptual":
            from ..style.vgg import Vgg16

            if vgg is None:
                raise ConfigurationError('loss = "rgb_perceptual" needs the values of VGG16: pass --vgg.')
            loss_net, part = Vgg16(vgg, "relu1_2").to(device), recipe.perceptual_part

            def features(rgb: Tensor) -> dict[str, Tensor]:
                with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):
                    return {layer: found.float() for layer, found in loss_net(rgb).items()}

            return lambda answer, rgb: rgb_loss(answer, rgb) + part * perceptual_loss(features, answer, rgb)
        case "ab_l2":
            return lambda answer, rgb: ab_l2_loss(answer, ab_at(answer, rgb))
        case "ab_huber":
            return lambda answer, rgb: ab_huber_loss(answer, ab_at(answer, rgb))
    bins, sigma = net.bins, recipe.sigma
    assert bins is not None, recipe.loss
    assert weights is not None
    weights = weights.to(device)
    return lambda answer, rgb: class_loss(answer, soft_targets(ab_at(answer, rgb), bins, sigma=sigma), weights)


def ab_at(answer: Tensor, rgb: Tensor) -> Tensor:
    """True ab at the answer's resolution: (N, 2, h, w), means over the pixels that each point covers."""
    ab = rgb_to_lab(rgb)[:, 1:]
    factor = rgb.shape[2] // answer.shape[2]
    return torch.nn.functional.avg_pool2d(ab, factor) if factor > 1 else ab


def batches(photos: Photos, recipe: ColorizerRecipe, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: sRGB (N, 3, S, S) and gray (N, 1, S, S), float32 in [0, 1]. The epoch's number is its seed.

    Photos are decoded a few batches ahead by threads; what comes out does not depend on them.
    """
    generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
    order = torch.randperm(len(photos), generator=generator).tolist()

    side = recipe.crop_at(epoch)

    def cut(index: int) -> NDArray[np.uint8]:
        random = np.random.default_rng([recipe.seed, epoch, index])
        return random_crop(photos.photo(index), side, random)

    with ThreadPoolExecutor(2) as pool:
        groups = [order[i : i + recipe.batch] for i in range(0, len(order), recipe.batch)]
        coming = [[pool.submit(cut, i) for i in group] for group in groups[:3]]
        for position in range(len(groups)):
            squares = np.stack([one.result() for one in coming.pop(0)])
            if position + 3 < len(groups):
                coming.append([pool.submit(cut, i) for i in groups[position + 3]])
            rgb = torch.from_numpy(squares).movedim(3, 1).float() / 255
            gray, look = gray_of(rgb), recipe.film.look
            chosen = torch.rand(len(gray), generator=generator) < recipe.film.part
            if chosen.any():
                gray[chosen] = film_look(gray_of(rgb[chosen], look, generator), look, generator)
            yield rgb, gray


def recolorer_of(net: ColorizerNet, temperature: float) -> Recolorer:
    """A net as a function of gray pictures of any size; ``temperature`` is that of the annealed mean."""

    @torch.inference_mode()
    def recolor(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
        net.eval()
        height, width = gray.shape
        padding = (-height % net.multiple, -width % net.multiple)
        padded = np.pad(gray, [(0, part) for part in padding], mode="edge")
        device = next(net.parameters()).device
        answer = net(torch.from_numpy(padded)[None, None].to(device).float() / 255)
        if net.answer == "rgb":
            rgb = answer[0, :, :height, :width].movedim(0, 2).mul(255).round().byte()
            return np.asarray(rgb.cpu().numpy())
        ab = answer if net.bins is None else annealed_mean(answer, net.bins, temperature=temperature)[0]
        if any(padding):
            ab = torch.nn.functional.interpolate(ab, size=padded.shape, mode="bilinear")[:, :, :height, :width]
        return with_chroma(gray, ab[0].movedim(0, 2).float().cpu().numpy())

    return recolor


def measure(recolor: Recolorer, photos: Photos, size: int = MEASURED_SIZE) -> dict[str, float]:
    """The figures of ``training.colorizer.metrics`` over the middle squares of all photos."""
    scores = ColorizerScores()
    for index in range(len(photos)):
        truth = central_crop(photos.photo(index), size)
        scores.add(recolor(luma_of(truth)), truth)
    return scores.figures()


def finish(run: Path, net: ColorizerNet, held_out: Photos) -> None:
    """Write ``final.json`` (nets with bins: at every temperature), the curves, triptychs and feature maps."""
    temperatures = TEMPERATURES if net.bins is not None else (1.0,)
    figures = {f"{t:g}": measure(recolorer_of(net, t), held_out) for t in temperatures}
    write_json(run / "final.json", {"photos": len(held_out), "by_temperature": figures})
    draw_curves(run)
    draw_triptychs(run, recolorer_of(net, EPOCH_TEMPERATURE), held_out)
    draw_features(run, net, held_out)


def _first(photos: Photos, limit: int | None) -> Photos:
    return Photos(photos.packed[:limit])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders and tar files to learn from")
    parser.add_argument("--val", type=Path, nargs="+", required=True, help="folders and tar files to measure on")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    parser.add_argument("--config", type=Path, help="TOML laid over the defaults (configs/training/)")
    parser.add_argument("--vgg", type=Path, help="npz of VGG16's values, for the perceptual loss")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--smoke", action="store_true", help="two epochs on 24 photos, to try the script")
    arguments = parser.parse_args()
    try:
        recipe = read_recipe(ColorizerRecipe, arguments.config)
        if arguments.smoke:
            recipe = replace(recipe, epochs=2, batch=min(recipe.batch, 8))
        limit = SMOKE_PHOTOS if arguments.smoke else None
        train(
            recipe, arguments.photos, arguments.val, arguments.run,
            vgg=arguments.vgg, resume=arguments.resume, limit=limit,
        )  # fmt: skip
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(json.loads((arguments.run / "final.json").read_text())["by_temperature"]))


if __name__ == "__main__":
    main()
