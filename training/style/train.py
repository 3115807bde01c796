"""Train a style net on photos and paintings.

    python -m training.style --config configs/training/style_fast.toml --styles styles/ \
        --photos photos_0.tar photos_1.tar --val val.tar --vgg vgg16.npz --run runs/fast
    python -m training.style --config configs/training/style_s3.toml --style happy=painting.jpg ...

The net paints squares of photos. VGG16's features say how well what was painted keeps the photo's content and has
the painting's style (Johnson et al. 2016). A second view of each photo, moved by whole pixels and noisy, must be
painted as the first was: that is what holds still in a video. So must neighbouring frames of clips, along their
motion, where the recipe asks for it (``training.style.clip_pairs``).

A net of seven styles also learns mixtures, whose aim are the mixtures of Gram matrices; in those with the identity it
is the photo's own Gram matrices that take part. With a ``teacher``, a small net also learns to paint as a larger one
does (Hinton et al. 2015, "Distilling the knowledge in a neural network"); with the weights of content and style at 0
it learns from the teacher alone.

An epoch is ``draws`` photos. The run resumes after a kill at the last whole epoch, as all training here does.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError, EmocolorError, EngineError
from emocolor.palettes import nearest
from engines.nets.from_onnx import fill
from engines.nets.s3_transformer import S3Transformer
from engines.nets.style_net import IDENTITY, LAYOUTS, SETS, StyleNet
from engines.spec import read_style_spec, style_net_names

from ..data.faces import sha256_of
from ..data.photos import Photos, Rgb8, central_crop, random_crop, read_photos
from ..optimization import learning_rate, optimizer_of
from ..records import JsonObject, facts_of_machine, write_json
from ..run_folder import append_row, open_run, save_checkpoint
from ..toml_recipe import read_recipe
from .clip_pairs import ClipPairs, Motion, followed_difference, read_pairs
from .losses import Features, StyleLosses, mean_activations, mean_squares, total_variation
from .paintings import read_style_picture
from .plots import draw_curves, style_sheet
from .recipe import StyleImage, StyleImages, StyleRecipe
from .vgg import Layer, Vgg16

SMOKE_DRAWS = 8
MEASURED_PHOTOS = 8
"""Photos of the validation set that every epoch is measured on."""
SHOWN_PHOTOS = 6
ACTIVATION_PHOTOS = 32
"""Photos that VGG16's mean activations are taken from, and the side of their squares."""
ACTIVATION_SIZE = 128
MIXED_STYLES = 3
"""Most styles in a mixture."""


@dataclass(frozen=True)
class Aims:
    """What paintings ask of what is painted."""

    grams: dict[Layer, Tensor]
    """(7, C, C) by layer; zeros for emotions without a painting."""
    weights: Tensor
    """(7,): of each emotion's loss of style."""
    learnt: list[int]
    """The emotions that have a painting."""

    def mixed(self, mixture: Tensor, own: Mapping[Layer, Tensor] | None) -> dict[Layer, Tensor]:
        """Gram matrices (N, C, C) of mixtures (N, 8); ``own`` are the photos', None where no identity takes part."""
        styles = mixture[:, :IDENTITY]
        found = {layer: torch.einsum("ns,scd->ncd", styles, grams) for layer, grams in self.grams.items()}
        if own is None:
            return found
        part = mixture[:, IDENTITY, None, None]
        return {layer: grams + part * own[layer] for layer, grams in found.items()}

    def scale(self, mixture: Tensor) -> dict[Layer, Tensor]:
        """What the relative measure divides by, (N,) by layer: the styles' mean squares in these parts.

        The identity's part counts as the mean style: a dark photo's own features would be next to nothing.
        """
        parts = mixture[:, :IDENTITY].clone()
        parts[:, self.learnt] += mixture[:, IDENTITY:] / len(self.learnt)
        return {layer: parts @ squares for layer, squares in self._squares.items()}

    @cached_property
    def _squares(self) -> dict[Layer, Tensor]:
        return mean_squares(self.grams)

    def weight(self, mixture: Tensor) -> Tensor:
        """Of the loss of style of mixtures (N, 8): (N,). The identity weighs 1."""
        return mixture[:, :IDENTITY] @ self.weights + mixture[:, IDENTITY]


@dataclass(frozen=True)
class Views:
    """A batch: two views of the same photos, and how each is to be painted."""

    first: Tensor
    """sRGB (N, 3, S, S) in [0, 1]."""
    second: Tensor
    """The same moved, with noise."""
    move: tuple[int, int] | Motion
    """Rows and columns: ``second[y, x]`` shows what ``first[y + rows, x + columns]`` does; or, of clips, the motion."""
    mixture: Tensor
    """(N, 8)."""


def train(
    recipe: StyleRecipe,
    paintings: Path,
    sources: list[Path],
    validation: list[Path],
    vgg: Path | None,
    run: Path,
    *,
    clips: list[Path] | None = None,
    runs: Path = Path(),
    resume: bool = False,
) -> None:
    """Train into the run folder; ``runs`` is where a run lies that the recipe starts from.

    ``vgg`` is a file of VGG16's values, or its folder; None for torchvision's, fetched once.

    Raises ``ConfigurationError`` where the folder holds another run, the recipe's styles do not fit its net or the
    loss stops being a number, ``SourceError`` for unusable photos and paintings, ``EngineError`` for unusable values
    of VGG16, and ``SinkError`` where the folder cannot be written.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    styles = styles_for(recipe)
    files = {emotion: paintings / image.file for emotion, image in styles.items()}
    pictures = {emotion: read_style_picture(file, recipe.style_size) for emotion, file in files.items()}
    photos, held_out = read_photos(sources), read_photos(validation)
    pairs = pairs_for(recipe, clips)
    start = start_of(recipe, runs)
    record = {
        "settings": asdict(recipe),
        "data": {
            "train": photos.sha256,
            "validation": held_out.sha256,
            "styles": {emotion: sha256_of(file) for emotion, file in files.items()},
        }
        | ({"clips": pairs.sha256} if pairs else {}),
        "nets": {
            "start": sha256_of(start) if start else None,
            "teacher": sha256_of(checkpoint_of(runs / recipe.teacher)) if recipe.teacher else None,
        },
        "shipped_start": shipped_history(recipe.start),
        "images": {"train": len(photos), "held_out": len(held_out)},
        "machine": facts_of_machine() | ({"device": torch.cuda.get_device_name()} if device.type == "cuda" else {}),
    }
    loss_net = Vgg16(vgg, recipe.deepest).to(device)
    checkpoint = open_run(run, record, resume=resume)

    torch.manual_seed(recipe.seed)
    net = fresh_net(recipe)
    if start is not None:
        load_start(net, start)
    net = net.to(device)
    teacher = teacher_of(runs / recipe.teacher).to(device) if recipe.teacher else None
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
    few = min(ACTIVATION_PHOTOS, len(photos))
    squares = (batch_of([central_crop(photos.photo(i), ACTIVATION_SIZE)]).to(device) for i in range(few))
    activations = mean_activations(loss_net, squares)
    losses = StyleLosses(loss_net, activations, recipe.style_layers, recipe.content_layer)
    aims = aims_of(pictures, styles, losses, device)
    optimizer = optimizer_of(net, recipe)
    done = 0
    if checkpoint is not None:
        net.load_state_dict(checkpoint["raw"])
        average.load_state_dict(checkpoint["average"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        done = checkpoint["epoch"]

    kept: nn.Module = average.module if recipe.ema else net
    if recipe.compiled:
        for one in (net, loss_net, *([teacher] if teacher else [])):
            one.compile()
    batches_per_epoch = recipe.draws // recipe.batch
    for epoch in range(done + 1, recipe.epochs + 1):
        started = time.monotonic()
        net.train()
        totals: dict[str, float] = {}
        for number, views in enumerate(batches(photos, recipe, aims.learnt, epoch, pairs)):
            step = (epoch - 1) * batches_per_epoch + number
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, batches_per_epoch)
            parts = loss_parts(net, on_device(views, device), recipe, losses, aims, teacher)
            loss = total_loss(parts, recipe)
            if not torch.isfinite(loss):
                raise ConfigurationError(
                    f"The loss became {loss.item()} at step {step} (epoch {epoch}); {run} keeps the checkpoint of "
                    f"epoch {epoch - 1}. Lower learning_rate."
                )
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), recipe.gradient_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            average.update_parameters(net)
            for name, part in parts.items():
                totals[name] = totals.get(name, 0.0) + part.item() / batches_per_epoch
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
        row = {"epoch": epoch} | {f"train_{name}": total for name, total in totals.items()}
        row |= measure(kept, held_out, recipe, losses, aims)
        row["seconds"] = time.monotonic() - started
        append_row(run, row)
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    finish(run, kept, held_out, recipe, losses, aims)


def pairs_for(recipe: StyleRecipe, clips: list[Path] | None) -> ClipPairs | None:
    """The clips' pairs of frames, where the recipe learns from them."""
    if not recipe.clip_part:
        return None
    if not clips:
        raise ConfigurationError(f"The recipe learns from clips in {recipe.clip_part:g} of its batches: pass --clips.")
    return read_pairs(clips, recipe.crop)


def styles_for(recipe: StyleRecipe) -> dict[Emotion, StyleImage]:
    """The recipe's paintings; raises ``ConfigurationError`` where its net needs others."""
    given = recipe.styles.given()
    missing = [emotion for emotion in EMOTIONS if emotion not in given]
    if recipe.net == "s3" and not given:
        raise ConfigurationError("The net s3 learns one style: pass one, as --style happy=painting.jpg.")
    if recipe.net != "s3" and missing:
        raise ConfigurationError(f"The net {recipe.net} learns all seven styles; there is none for {missing[0]}.")
    return given


def fresh_net(recipe: StyleRecipe) -> nn.Module:
    """The net as a run starts with it."""
    return S3Transformer() if recipe.net == "s3" else StyleNet(LAYOUTS[recipe.net])


def start_of(recipe: StyleRecipe, runs: Path) -> Path | None:
    """The file that the recipe starts with: of a net that ships, or a run's checkpoint; None for a fresh net."""
    if recipe.start in style_net_names():
        return read_style_spec(recipe.start).weights
    return checkpoint_of(runs / recipe.start) if recipe.start else None


def shipped_history(start: str) -> list[JsonObject]:
    """The records of the runs that led to a net that ships, oldest first; none for what else a recipe starts from."""
    if start not in style_net_names():
        return []
    card = json.loads(read_style_spec(start).weights.with_suffix(".json").read_text())
    return [*card["started_from"], card["training"]]


def checkpoint_of(run: Path) -> Path:
    """The checkpoint of a finished run; raises ``ConfigurationError`` where there is none."""
    if not (run / "final.json").exists():
        raise ConfigurationError(f"{run}, which the recipe starts from, is no finished run.")
    return run / "checkpoint.pt"


def load_start(net: nn.Module, start: Path) -> None:
    """Give ``net`` what is in a checkpoint or an exported net; raises ``ConfigurationError`` where that is another."""
    try:
        if start.suffix == ".onnx":
            fill(net, start)
        else:
            net.load_state_dict(torch.load(start, weights_only=True)["net"])
    except (RuntimeError, EngineError) as error:
        raise ConfigurationError(f"{start} is of another net than the recipe's.") from error


def teacher_of(run: Path) -> nn.Module:
    """The net of a finished run, which learns no more."""
    from .candidates import net_of_run

    return net_of_run(run)[1].requires_grad_(False)


def painted_by(net: nn.Module, rgb: Tensor, mixture: Tensor) -> Tensor:
    """What a net of either kind paints: sRGB (N, 3, H, W), not clipped, float32."""
    painted: Tensor = net(rgb, mixture) if isinstance(net, StyleNet) else net(rgb)
    return painted.float()


def aims_of(
    pictures: Mapping[Emotion, Rgb8], styles: Mapping[Emotion, StyleImage], losses: StyleLosses, device: torch.device
) -> Aims:
    """What the paintings, sRGB (H, W, 3) uint8, ask for."""
    grams: dict[Layer, Tensor] = {}
    weights = torch.zeros(IDENTITY, device=device)
    with torch.inference_mode():
        for emotion, picture in pictures.items():
            place = EMOTIONS.index(emotion)
            weights[place] = styles[emotion].weight
            for layer, own in losses.grams(losses.features(batch_of([picture]).to(device))).items():
                grams.setdefault(layer, torch.zeros(IDENTITY, *own.shape[1:], device=device))[place] = own[0]
    # Cloned outside, since what inference mode makes cannot take part in gradients.
    return Aims(
        {layer: gram.clone() for layer, gram in grams.items()},
        weights.clone(),
        [EMOTIONS.index(emotion) for emotion in pictures],
    )


def loss_parts(
    net: nn.Module,
    views: Views,
    recipe: StyleRecipe,
    losses: StyleLosses,
    aims: Aims,
    teacher: nn.Module | None = None,
) -> dict[str, Tensor]:
    """Each loss of a batch, unweighted: ``content``, ``style`` (weighted by painting), ``variation``, ``temporal``,
    ``teacher``. Those that need VGG16's features are left out where the recipe gives them no weight."""
    both = recipe.temporal_weight > 0
    with torch.autocast(views.first.device.type, torch.bfloat16, enabled=recipe.bf16):
        if both:
            seen, mixture = torch.cat([views.first, views.second]), views.mixture.repeat(2, 1)
            painted, painted_second = painted_by(net, seen, mixture).chunk(2)
        else:
            painted = painted_second = painted_by(net, views.first, views.mixture)
        parts = feature_losses(painted, views, recipe, losses, aims) if recipe.sees_features else {}
        parts["variation"] = total_variation(painted)
        parts["temporal"] = view_difference(painted, painted_second, views.move) if both else torch.zeros(())
        if teacher is not None:
            with torch.no_grad():
                wanted = painted_by(teacher, views.first, views.mixture)
            parts["teacher"] = (painted - wanted).square().mean()
    return parts


def feature_losses(
    painted: Tensor, views: Views, recipe: StyleRecipe, losses: StyleLosses, aims: Aims
) -> dict[str, Tensor]:
    """``content`` and ``style`` of what was painted of the first views."""
    with torch.no_grad():
        photo = losses.features(views.first)
    features = losses.features(painted)
    with torch.autocast(views.first.device.type, enabled=False):
        own = losses.grams(photo) if bool((views.mixture[:, IDENTITY] > 0).any()) else None
        scale = aims.scale(views.mixture) if recipe.measure == "relative" else None
        style = losses.style(features, aims.mixed(views.mixture, own), scale)
        return {
            "content": content_loss(losses, features, photo, recipe),
            "style": (aims.weight(views.mixture) * style).mean(),
        }


def content_loss(losses: StyleLosses, painted: Features, photo: Features, recipe: StyleRecipe) -> Tensor:
    return (losses.content if recipe.measure == "relative" else losses.plain_content)(painted, photo)


def total_loss(parts: Mapping[str, Tensor], recipe: StyleRecipe) -> Tensor:
    """The losses with the recipe's weights."""
    weights: dict[str, float] = {name: getattr(recipe, f"{name}_weight") for name in parts}
    return torch.stack([weights[name] * part for name, part in parts.items()]).sum()


def view_difference(first: Tensor, second: Tensor, move: tuple[int, int] | Motion) -> Tensor:
    """Mean squared difference of (N, 3, S, S) where both show the same; ``move`` as in ``Views``."""
    if isinstance(move, Motion):
        return followed_difference(first, second, move)
    return (_overlap(first, move) - _overlap(second, (-move[0], -move[1]))).square().mean()


def _overlap(view: Tensor, move: tuple[int, int]) -> Tensor:
    rows, columns = move
    height, width = view.shape[2:]
    return view[
        :, :, max(0, rows) : height + min(0, rows), max(0, columns) : width + min(0, columns)
    ]  # fmt: skip


def batches(
    photos: Photos, recipe: StyleRecipe, learnt: list[int], epoch: int, pairs: ClipPairs | None = None
) -> Iterator[Views]:
    """One epoch. Its number is its seed; what comes out does not depend on threads."""
    generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
    random = np.random.default_rng([recipe.seed, epoch])
    chosen = torch.randint(len(photos), (recipe.draws,), generator=generator).tolist()

    def cut(place: int) -> NDArray[np.uint8]:
        own = np.random.default_rng([recipe.seed, epoch, place])
        return random_crop(photos.photo(chosen[place]), recipe.crop + recipe.shift, own)

    with ThreadPoolExecutor(2) as pool:
        count = recipe.draws // recipe.batch
        coming = [[pool.submit(cut, n * recipe.batch + i) for i in range(recipe.batch)] for n in range(min(3, count))]
        for number in range(count):
            squares = batch_of([one.result() for one in coming.pop(0)])
            if number + 3 < count:
                coming.append([pool.submit(cut, (number + 3) * recipe.batch + i) for i in range(recipe.batch)])
            if pairs is not None and random.random() < recipe.clip_part:
                yield two_frames(pairs, recipe, sample_mixtures(recipe, learnt, random), random)
            else:
                yield two_views(squares, recipe, sample_mixtures(recipe, learnt, random), random)


def two_frames(pairs: ClipPairs, recipe: StyleRecipe, mixture: Tensor, random: np.random.Generator) -> Views:
    """Squares of ``crop`` px of neighbouring frames of clips; the later ones get noise."""
    first, second, motion = pairs.squares(recipe.batch, recipe.crop, random)
    return Views(first, noisy(second, recipe, random), motion, mixture)


def two_views(squares: Tensor, recipe: StyleRecipe, mixture: Tensor, random: np.random.Generator) -> Views:
    """Two squares of ``crop`` px cut from each of (N, 3, S, S) somewhat larger ones; the second gets noise."""
    side = recipe.crop
    (top, left), (second_top, second_left) = random.integers(0, recipe.shift + 1, (2, 2)).tolist()
    first = squares[:, :, top : top + side, left : left + side]
    second = squares[:, :, second_top : second_top + side, second_left : second_left + side]
    return Views(first, noisy(second, recipe, random), (second_top - top, second_left - left), mixture)


def noisy(view: Tensor, recipe: StyleRecipe, random: np.random.Generator) -> Tensor:
    """(N, 3, S, S) with noise of the recipe's deviation at most, other in each picture."""
    deviation = torch.from_numpy(random.uniform(0, recipe.noise, (len(view), 1, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(random.standard_normal(view.shape, np.float32)) * deviation
    return (view + noise).clamp(0, 1)


def sample_mixtures(recipe: StyleRecipe, learnt: list[int], random: np.random.Generator) -> Tensor:
    """How a batch is to be painted, (N, 8): most by one style, some by a few, and some batches partly not at all."""
    mixture = np.zeros((recipe.batch, SETS), np.float32)
    for row in mixture:
        several = len(learnt) > 1 and random.random() < recipe.mixed_part
        count = random.integers(2, min(MIXED_STYLES, len(learnt)) + 1) if several else 1
        row[random.choice(learnt, count, replace=False)] = random.dirichlet(np.ones(count))
    if random.random() < recipe.partial_part:
        strength = random.uniform(0, 1, (recipe.batch, 1)).astype(np.float32)
        mixture *= strength
        mixture[:, IDENTITY:] = 1 - strength
    return torch.from_numpy(mixture)


@torch.inference_mode()
def measure(net: nn.Module, held_out: Photos, recipe: StyleRecipe, losses: StyleLosses, aims: Aims) -> dict[str, float]:
    """The losses on the first held-out photos, each in every style; ``temporal`` between views moved by (3, 1) px,
    the second with noise of half the recipe's deviation."""
    net.eval()
    side, device = recipe.crop, aims.weights.device
    rows, columns = min(3, recipe.shift), min(1, recipe.shift)
    noise = np.random.default_rng(0).standard_normal((1, 3, side, side), np.float32) * recipe.noise / 2
    totals = dict.fromkeys(("content", "style", "variation", "temporal"), 0.0)
    count = min(MEASURED_PHOTOS, len(held_out))
    whole = replace(recipe, temporal_weight=1.0, content_weight=1.0, style_weight=1.0)
    for index in range(count):
        square = batch_of([central_crop(held_out.photo(index), side + recipe.shift)])
        first = square[:, :, :side, :side]
        second = (square[:, :, rows : rows + side, columns : columns + side] + torch.from_numpy(noise)).clamp(0, 1)
        for style in aims.learnt:
            mixture = torch.zeros(1, SETS)
            mixture[0, style] = 1
            views = on_device(Views(first, second, (rows, columns), mixture), device)
            for name, part in loss_parts(net, views, whole, losses, aims).items():
                totals[name] += part.item() / count / len(aims.learnt)
    return totals


def finish(run: Path, net: nn.Module, held_out: Photos, recipe: StyleRecipe, losses: StyleLosses, aims: Aims) -> None:
    """Write ``final.json``, the curves and ``sheet.png``: held-out photos in every style."""
    count = min(MEASURED_PHOTOS, len(held_out))
    write_json(run / "final.json", {"photos": count, "held_out": measure(net, held_out, recipe, losses, aims)})
    draw_curves(run)
    sheet = sheet_of(net, held_out, aims.learnt)
    cv2.imwrite(str(run / "sheet.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def sheet_of(net: nn.Module, photos: Photos, learnt: list[int], size: int = 256) -> Rgb8:
    """A row a photo: as it is, then in every style."""
    from .candidates import painting_by

    net.eval()
    indices = np.linspace(0, len(photos) - 1, min(SHOWN_PHOTOS, len(photos))).astype(int)
    shown = [central_crop(photos.photo(int(index)), size) for index in indices]
    return style_sheet(shown, [np.eye(SETS, dtype=np.float32)[style] for style in learnt], painting_by(net))


def batch_of(pictures: list[Rgb8]) -> Tensor:
    """sRGB (H, W, 3) uint8 of one size as (N, 3, H, W) in [0, 1], channels last in memory."""
    return torch.from_numpy(np.stack(pictures)).movedim(3, 1).float() / 255


def on_device(views: Views, device: torch.device) -> Views:
    move = views.move.to(device) if isinstance(views.move, Motion) else views.move
    return Views(views.first.to(device), views.second.to(device), move, views.mixture.to(device))


def with_styles(recipe: StyleRecipe, given: list[str]) -> StyleRecipe:
    """The recipe with ``EMOTION=PATH`` put in; raises ``ConfigurationError`` for what is neither."""
    found: dict[str, Any] = {}
    for text in given:
        emotion, equals, file = text.partition("=")
        if emotion not in EMOTIONS or not equals or not file:
            raise ConfigurationError(f"--style takes EMOTION=PICTURE, not '{text}'{nearest(emotion, EMOTIONS)}")
        found[emotion] = replace(getattr(recipe.styles, emotion), file=str(Path(file).resolve()), title="", artist="")
    if recipe.net == "s3" and found:
        return replace(recipe, styles=StyleImages(**found))
    return replace(recipe, styles=replace(recipe.styles, **found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders and tar files to learn from")
    parser.add_argument("--val", type=Path, nargs="+", required=True, help="folders and tar files to measure on")
    parser.add_argument("--styles", type=Path, default=Path(), help="folder of the recipe's paintings")
    parser.add_argument(
        "--style", action="append", default=[], metavar="EMOTION=PICTURE", help="a painting in place of the recipe's"
    )
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG16's values (default: torchvision's, fetched)")
    parser.add_argument("--clips", type=Path, nargs="+", metavar="DIR_OR_FILE", help="clips to hold still on")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    parser.add_argument("--runs", type=Path, default=Path(), help="folder of the run that the recipe starts from")
    parser.add_argument("--config", type=Path, help="TOML laid over the defaults (configs/training/)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--smoke", action="store_true", help="two epochs of 8 photos, to try the script")
    arguments = parser.parse_args()
    try:
        recipe = with_styles(read_recipe(StyleRecipe, arguments.config), arguments.style)
        if arguments.smoke:
            recipe = replace(recipe, epochs=2, draws=SMOKE_DRAWS, batch=4)
        train(
            recipe, arguments.styles, arguments.photos, arguments.val, arguments.vgg, arguments.run,
            clips=arguments.clips, runs=arguments.runs, resume=arguments.resume,
        )  # fmt: skip
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(json.loads((arguments.run / "final.json").read_text())["held_out"]))


if __name__ == "__main__":
    main()
