"""Train an emotion classifier on face images.

    python -m training.emotion --config configs/training/emotion_s0.toml --data fer2013.npz --run runs/s0

The defaults are S0's recipe (section 5.0.1 to 5.0.3): cross-entropy, Adam, a cosine from 1e-3 over 40
epochs, batch 32, its augmentation, and none where it is measured. ``configs/training`` has the
recipes of S3 and of the nets that ship.

Decided here: training images that equal a public-test image pixel by pixel are left out
(``drop_copies``), which neither paper mentions; the last epoch is kept, so nothing is chosen on test
images. The run resumes after a kill at the last whole epoch with the result an uninterrupted run has,
on the same machine.
"""

import argparse
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emocolor.errors import ConfigurationError, EmocolorError
from engines.nets.catalog import emotion_net
from engines.nets.emotion_net import EmotionNet
from engines.nets.from_onnx import load_net
from engines.nets.lite_emotion import LiteEmotionNet
from engines.spec import read_spec

from ..data.faces import FaceSet, crowd_majority, sha256_of
from ..depthwise import speed_up_depthwise
from ..optimization import learning_rate, optimizer_of
from ..records import facts_of_machine, write_json
from ..run_folder import append_row, open_run, save_checkpoint
from ..toml_recipe import read_recipe
from .batches import Batch, Faces, as_input, batches, gather
from .metrics import classification_metrics
from .plots import draw_confusion, draw_curves
from .recipe import Settings

SMOKE_IMAGES = 256


def train(settings: Settings, data: Path, run: Path, *, resume: bool = False, limit: int | None = None) -> None:
    """Train into the run folder; ``limit`` takes only the first images, to try the script out.

    Raises ``ConfigurationError`` where the folder holds another run or the loss stops being a number,
    ``SourceError`` for unusable data and ``SinkError`` where the folder cannot be written.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    faces = gather(settings, data, limit)
    record = {
        "settings": asdict(settings) | {"limit": limit},
        "data": {"file": data.name, "sha256": sha256_of(data)},
        "nets": {name: read_spec(name).sha256 for name in nets_used(settings)},
        "images": faces.counts,
        "machine": facts_of_machine() | _device_facts(),
    }
    checkpoint = open_run(run, record, resume=resume)

    torch.manual_seed(settings.seed)
    net = fresh_net(settings).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(settings.ema), use_buffers=True)
    if device.type == "cpu":
        speed_up_depthwise(net)
    teachers = [load_net(name).to(device) for name in settings.teachers]
    optimizer = optimizer_of(net, settings)
    done = 0
    if checkpoint is not None:
        net.load_state_dict(checkpoint["raw"])
        average.load_state_dict(checkpoint["average"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        done = checkpoint["epoch"]

    kept: EmotionNet = average.module if settings.ema else net  # type: ignore[assignment]
    steps_per_epoch = math.ceil(len(faces.train) / settings.batch)
    step = done * steps_per_epoch
    for epoch in range(done + 1, settings.epochs + 1):
        started = time.monotonic()
        # Each epoch draws from its own seed, so a resumed run sees what an unbroken one would.
        generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
        torch.manual_seed(settings.seed * 100_003 + epoch)
        net.train()
        total_loss = 0.0
        for batch in batches(faces, net, settings, generator):
            batch = batch.to(device)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, step, steps_per_epoch)
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.bf16):
                logits = net(batch.faces).float()
                loss = loss_of(logits, batch)
                if teachers:
                    learnt = teacher_loss(logits, teachers, batch.faces, settings.teacher_temperature)
                    loss = (1 - settings.teacher_part) * loss + settings.teacher_part * learnt
            if not torch.isfinite(loss):
                raise ConfigurationError(
                    f"The loss became {loss.item()} at step {step} (epoch {epoch}); {run} keeps the checkpoint of "
                    f"epoch {epoch - 1}. Lower learning_rate."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            average.update_parameters(net)
            total_loss += loss.item() * len(batch.faces)
            step += 1
        measured = measure(predict(kept, faces.held_out.images), faces.held_out, settings.label_sets)
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
        row = {"epoch": epoch, "train_loss": total_loss / len(faces.train)}
        row |= {f"{name}_accuracy": found["accuracy"] for name, found in measured.items()}
        row |= {f"{name}_macro_f1": found["macro_f1"] for name, found in measured.items()}
        row["seconds"] = time.monotonic() - started
        append_row(run, row)
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    finish(run, kept, faces)


def nets_used(settings: Settings) -> list[str]:
    """The trained nets that a run needs: the one it starts from, and its teachers."""
    start = [] if settings.start in ("random", "imagenet") else [settings.start]
    return start + list(settings.teachers)


def fresh_net(settings: Settings) -> EmotionNet:
    """The net as a run starts with it."""
    net = emotion_net(settings.net, settings.label_sets)
    if settings.start == "imagenet":
        if not isinstance(net, LiteEmotionNet):
            raise ConfigurationError(f"There are no ImageNet weights for the net '{settings.net}'.")
        net.start_from_imagenet()
    elif settings.start != "random":
        earlier = load_net(settings.start)
        if (type(earlier), earlier.label_sets) != (type(net), net.label_sets):
            raise ConfigurationError(
                f"'{settings.start}' is another kind of net than '{settings.net}' with labels '{settings.labels}'."
            )
        net = earlier
    return net


def _device_facts() -> dict[str, Any]:
    if torch.cuda.is_available():
        return {"device": torch.cuda.get_device_name()}
    return {"threads": torch.get_num_threads()}


def finish(run: Path, net: EmotionNet, faces: Faces) -> None:
    """Write ``final.json``, ``curves.png`` and ``confusion.png``."""
    parts = {"held_out": faces.held_out} | ({"test": faces.test} if faces.test else {})
    write_json(
        run / "final.json",
        {name: measure(predict(net, part.images), part, net.label_sets) for name, part in parts.items()},
    )
    draw_curves(run)
    draw_confusion(run)


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy against the targets: mean over all pairs of image and label set that have a label."""
    each = -(batch.targets * logits.log_softmax(2)).sum(2)
    return (each * batch.known).sum() / batch.known.sum().clamp(min=1)


def teacher_loss(logits: Tensor, teachers: list[EmotionNet], faces: Tensor, temperature: float) -> Tensor:
    """Divergence from the teachers' mean answer, both softened by ``temperature`` and scaled by its square."""
    with torch.no_grad():
        answer = torch.stack([(teacher(faces).float() / temperature).softmax(2) for teacher in teachers]).mean(0)
    student = (logits / temperature).log_softmax(2)
    return functional.kl_div(student, answer, reduction="none").sum(2).mean() * temperature**2


@torch.inference_mode()
def predict(net: EmotionNet, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Softmax probabilities (N, label sets, 7), dropout off, no augmentation."""
    net.eval()
    device = next(net.parameters()).device
    parts = [net(as_input(images[i : i + 256], net).to(device)) for i in range(0, len(images), 256)]
    return torch.cat(parts).softmax(2).cpu().numpy()


def measure(probabilities: NDArray[np.float32], faces: FaceSet, label_sets: tuple[str, ...]) -> dict[str, Any]:
    """Metrics by FER2013's labels, and by FER+ where there are votes, each from the output trained for it.

    A net with one output is measured by both with that one.
    """

    def output_for(name: str) -> NDArray[np.float32]:
        return probabilities[:, label_sets.index(name) if name in label_sets else 0]

    found = {"fer2013": classification_metrics(output_for("fer2013"), faces.labels)}
    if faces.votes is not None:
        labels, counts = crowd_majority(faces)
        found["ferplus"] = classification_metrics(output_for("ferplus")[counts], labels[counts])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz with images, labels, usage")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    parser.add_argument("--config", type=Path, help="TOML laid over the defaults (configs/training/)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--smoke", action="store_true", help="two epochs on 256 images, to try the script")
    arguments = parser.parse_args()
    try:
        settings = read_recipe(Settings, arguments.config)
        if arguments.smoke:
            settings = replace(settings, epochs=2, balance_to=min(settings.balance_to, SMOKE_IMAGES // 7))
        limit = SMOKE_IMAGES if arguments.smoke else None
        train(settings, arguments.data, arguments.run, resume=arguments.resume, limit=limit)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
