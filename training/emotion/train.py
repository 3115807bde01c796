"""Train an emotion classifier on face images.

    python -m training.emotion --config configs/training/emotion_s0.toml --data fer2013.npz --run runs/s0

The defaults are S0's recipe (section 5.0.1 to 5.0.3): cross-entropy, Adam, cosine decay from 1e-3 over 40 epochs, batch
32, its augmentation in training and none in evaluation. ``configs/training`` has the recipes of S3 and of the nets that
ship.

Training images that are pixel-identical to a public-test image are left out (``drop_copies``), which neither paper
mentions. The weights of the last epoch are kept, so none is chosen on test images. After a kill the run resumes at the
last whole epoch, with the result of an uninterrupted run on the same machine.
"""

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError, EmocolorError
from engines.nets.catalog import emotion_net
from engines.nets.emotion_net import EmotionNet
from engines.nets.from_onnx import load_net
from engines.nets.lite_emotion import LiteEmotionNet
from engines.spec import read_emotion_spec

from ..data.faces import FaceSet, ferplus_majority
from ..depthwise import speed_up_depthwise
from ..optimization import TrainingState, check_finite, pick_device
from ..records import read_json, sha256_of, write_json
from ..run_folder import FINAL, Panel, draw_curves, log_epoch, open_run, save_checkpoint, training_machine
from ..toml_recipe import read_recipe
from .batches import Batch, EmotionData, as_input, batches, load_data
from .metrics import classification_metrics
from .recipe import EmotionRecipe

SMOKE_IMAGES = 256
CURVES = (
    Panel("training loss", {"train_loss": ""}),
    Panel("accuracy, held-out images", {"fer2013_accuracy": "FER2013 labels", "ferplus_accuracy": "FER+ labels"}),
)


def train(recipe: EmotionRecipe, path: Path, run: Path, *, resume: bool = False, limit: int | None = None) -> None:
    """Train on an npz of faces into the run folder; ``limit`` takes only the first images, to try the script.

    Raises ``ConfigurationError`` where the folder holds another run, ``DivergedError`` where the loss becomes infinite
    or NaN, ``SourceError`` for unusable data and ``SinkError`` where the folder cannot be written.
    """
    device = pick_device()
    data = load_data(recipe, path, limit)
    record = {
        "settings": asdict(recipe) | {"limit": limit},
        "data": {"file": path.name, "sha256": sha256_of(path)},
        "nets": {name: read_emotion_spec(name).sha256 for name in nets_used(recipe)},
        "images": data.counts,
        "machine": training_machine(device),
    }
    checkpoint = open_run(run, record, resume=resume)

    torch.manual_seed(recipe.seed)
    net = new_net(recipe).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainingState(net, recipe)
    if device.type == "cpu":
        speed_up_depthwise(net)
    teachers = [load_net(name).to(device) for name in recipe.teachers]
    done = state.restore(checkpoint)

    steps_per_epoch = math.ceil(len(data.train) / recipe.batch)
    step = done * steps_per_epoch
    for epoch in range(done + 1, recipe.epochs + 1):
        started = time.monotonic()
        generator = torch.Generator().manual_seed(recipe.epoch_seed(epoch))
        torch.manual_seed(recipe.epoch_seed(epoch))  # of dropout
        net.train()
        total_loss = 0.0
        for batch in batches(data, net, recipe, generator):
            batch = batch.to(device)
            state.set_learning_rate(step, steps_per_epoch)
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):
                logits = net(batch.faces).float()
                loss = label_loss(logits, batch)
                if teachers:
                    distilled = distillation_loss(logits, teachers, batch.faces, recipe.teacher_temperature)
                    loss = (1 - recipe.teacher_part) * loss + recipe.teacher_part * distilled
            check_finite(loss, step=step, epoch=epoch, run=run)
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            state.optimizer.step()
            state.average.update_parameters(net)
            total_loss += loss.item() * len(batch.faces)
            step += 1
        save_checkpoint(run, state.checkpoint(epoch))
        found = measure(predict(state.eval_net, data.held_out.images), data.held_out, recipe.label_sets)
        row = {"epoch": epoch, "train_loss": total_loss / len(data.train)}
        row |= {f"{name}_accuracy": metrics["accuracy"] for name, metrics in found.items()}
        row |= {f"{name}_macro_f1": metrics["macro_f1"] for name, metrics in found.items()}
        log_epoch(run, row | {"seconds": time.monotonic() - started})
    finish(run, state.eval_net, data)


def nets_used(recipe: EmotionRecipe) -> list[str]:
    """The trained nets that a run builds on: the one it starts from, and its teachers."""
    start = [] if recipe.start in ("random", "imagenet") else [recipe.start]
    return start + list(recipe.teachers)


def new_net(recipe: EmotionRecipe) -> EmotionNet:
    """The net at the start of a run, with pretrained weights where the recipe has them."""
    net = emotion_net(recipe.net, recipe.label_sets)
    if recipe.start == "imagenet":
        if not isinstance(net, LiteEmotionNet):
            raise ConfigurationError(f"There are no ImageNet weights for the net '{recipe.net}'.")
        net.start_from_imagenet()
    elif recipe.start != "random":
        earlier = load_net(recipe.start)
        if (type(earlier), earlier.label_sets) != (type(net), net.label_sets):
            raise ConfigurationError(
                f"'{recipe.start}' is another kind of net than '{recipe.net}' with labels '{recipe.labels}'."
            )
        net = earlier
    return net


def finish(run: Path, net: EmotionNet, data: EmotionData) -> None:
    """Write ``final.json``, ``curves.png`` and ``confusion.png``."""
    parts = {"held_out": data.held_out} | ({"test": data.test} if data.test else {})
    write_json(
        run / FINAL,
        {name: measure(predict(net, part.images), part, net.label_sets) for name, part in parts.items()},
    )
    draw_curves(run, CURVES)
    draw_confusion(run)


def draw_confusion(run: Path) -> None:
    """``confusion.png`` from ``final.json``: predictions for each labelled emotion, in percent."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    final = read_json(run / FINAL)
    measured = final["test"] if "test" in final else final["held_out"]
    figure, panels = plt.subplots(1, len(measured), figsize=(4.6 * len(measured), 4.2), layout="constrained")
    for axes, (name, found) in zip(np.atleast_1d(panels), measured.items(), strict=True):
        counts = np.array(found["confusion"], float)
        shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(shares):
            color = "white" if share > 55 else "black"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=8, color=color)
        axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=45, ha="right")
        axes.set_yticks(range(len(EMOTIONS)), EMOTIONS)
        axes.set(xlabel="prediction", ylabel="label", title=f"{name} labels, accuracy {found['accuracy']:.3f}")
    figure.savefig(run / "confusion.png", dpi=80)
    plt.close(figure)


def label_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy, the mean over all pairs of image and label set that have a label."""
    each = -(batch.targets * logits.log_softmax(2)).sum(2)
    return (each * batch.known).sum() / batch.known.sum().clamp(min=1)


def distillation_loss(logits: Tensor, teachers: list[EmotionNet], faces: Tensor, temperature: float) -> Tensor:
    """KL divergence from the teachers' mean output at ``temperature``, times its square (Hinton et al. 2015)."""
    with torch.no_grad():
        target = torch.stack([(teacher(faces).float() / temperature).softmax(2) for teacher in teachers]).mean(0)
    student = (logits / temperature).log_softmax(2)
    return functional.kl_div(student, target, reduction="none").sum(2).mean() * temperature**2


@torch.inference_mode()
def predict(net: EmotionNet, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Softmax probabilities (N, label sets, 7), dropout off, no augmentation."""
    net.eval()
    device = next(net.parameters()).device
    parts = [net(as_input(images[i : i + 256], net).to(device)) for i in range(0, len(images), 256)]
    return torch.cat(parts).softmax(2).cpu().numpy()


def measure(probabilities: NDArray[np.float32], faces: FaceSet, label_sets: tuple[str, ...]) -> dict[str, Any]:
    """Metrics by FER2013's labels, and by FER+ where there are votes, each of the output trained on it.

    A net with one output is measured by both.
    """

    def output_for(name: str) -> NDArray[np.float32]:
        return probabilities[:, label_sets.index(name) if name in label_sets else 0]

    found = {"fer2013": classification_metrics(output_for("fer2013"), faces.labels)}
    if faces.votes is not None:
        labels, counts = ferplus_majority(faces)
        found["ferplus"] = classification_metrics(output_for("ferplus")[counts], labels[counts])
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz with images, labels, usage")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    parser.add_argument("--config", type=Path, help="TOML file that overrides the defaults (configs/training/)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--smoke", action="store_true", help=f"two epochs on {SMOKE_IMAGES} images, to try the script")
    arguments = parser.parse_args(argv)
    try:
        recipe = read_recipe(EmotionRecipe, arguments.config)
        if arguments.smoke:
            recipe = replace(recipe, epochs=2, balance_to=min(recipe.balance_to, SMOKE_IMAGES // 7))
        limit = SMOKE_IMAGES if arguments.smoke else None
        train(recipe, arguments.data, arguments.run, resume=arguments.resume, limit=limit)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
