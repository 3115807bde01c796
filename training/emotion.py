"""Train an emotion classifier on face images: the recipe of S0, section 5.0.1 to 5.0.3.

    python -m training.emotion --data fer2013.npz --run runs/emotion_s0

Cross-entropy, Adam, a cosine from 1e-3 over 40 epochs, batch 32; random rotation within 15
degrees, shifts and zoom within 15 %, horizontal flips; no augmentation where it is measured.
Where the paper's ``ImageDataGenerator`` has defaults they hold here too: the axes zoom
independently, what a shift uncovers repeats the edge.

Decided here: training images that equal a public-test image pixel by pixel are left out
(``drop_copies``), which the paper does not mention; the last epoch is kept, so nothing is
chosen on test images. The run resumes after a kill at the last whole epoch with the result an
uninterrupted run has, on the same machine.
"""

import argparse
import math
import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from emocolor.errors import ConfigurationError, EmocolorError
from engines.nets.s0 import S0Net
from training.datasets import FaceSet, drop_copies, read_faces, sha256_of
from training.metrics import classification_metrics
from training.run_folder import append_row, facts_of_machine, open_run, save_checkpoint, write_json


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One training recipe; ``configs/training/*.toml`` are laid over these defaults."""

    epochs: int = 40
    batch: int = 32
    learning_rate: float = 1e-3
    """Where the cosine starts; it ends at zero."""
    rotation_degrees: float = 15.0
    shift: float = 0.15
    """Largest shift along each axis, as a part of the side."""
    zoom: float = 0.15
    flip: bool = True
    drop_copies: bool = True
    """Leave out training images that equal a public-test image."""
    bf16: bool = True
    """Compute in bfloat16 where autocast holds it safe; weights stay float32."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ConfigurationError(f"epochs ({self.epochs}) must be at least 1 and batch ({self.batch}) at least 2.")


def read_settings(path: Path | None) -> Settings:
    """Settings from a TOML file; an unknown key is an error."""
    if path is None:
        return Settings()
    table = tomllib.loads(path.read_text())
    unknown = table.keys() - {f.name for f in fields(Settings)}
    if unknown:
        known = ", ".join(f.name for f in fields(Settings))
        raise ConfigurationError(f"{path}: unknown key {', '.join(sorted(unknown))}. Known: {known}.")
    return Settings(**table)


def augment(faces: Tensor, settings: Settings, generator: torch.Generator) -> Tensor:
    """Rotate, shift, zoom and flip each face at random.

    ``faces`` is (N, 1, S, S) float in [0, 1], and so is the result; the edge is repeated where
    the picture ends.
    """
    count = faces.shape[0]

    def uniform(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle = uniform(math.radians(settings.rotation_degrees))
    scale_x, scale_y = 1 + uniform(settings.zoom), 1 + uniform(settings.zoom)
    if settings.flip:
        scale_x = scale_x * (torch.randint(0, 2, (count,), generator=generator) * 2 - 1)
    # affine_grid works in [-1, 1], so a shift by a part of the side is twice that part.
    shift_x, shift_y = uniform(2 * settings.shift), uniform(2 * settings.shift)
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack(
        [
            torch.stack([cos * scale_x, -sin * scale_y, shift_x], 1),
            torch.stack([sin * scale_x, cos * scale_y, shift_y], 1),
        ],
        1,
    ).to(faces.device)
    grid = functional.affine_grid(matrix, list(faces.shape), align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def batches(data: FaceSet, settings: Settings, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, augmented batches of one epoch: faces (N, 1, S, S) in [0, 1] and labels (N,)."""
    images = torch.from_numpy(data.gray(S0Net.size))
    labels = torch.from_numpy(data.labels)
    order = torch.randperm(len(labels), generator=generator)
    for chosen in order.split(settings.batch):
        if len(chosen) > 1:  # batch norm needs two
            yield augment(images[chosen].unsqueeze(1).float() / 255, settings, generator), labels[chosen]


@torch.inference_mode()
def predict(net: S0Net, data: FaceSet, device: torch.device) -> np.ndarray:
    """Softmax probabilities (N, 7) float32, dropout off, no augmentation."""
    net.eval()
    images = torch.from_numpy(data.gray(S0Net.size)).unsqueeze(1)
    parts = [net(part.to(device).float() / 255).softmax(1).cpu() for part in images.split(256)]
    return torch.cat(parts).numpy()


def train(settings: Settings, data: Path, run: Path, *, resume: bool = False, limit: int | None = None) -> None:
    """Train into the run folder; ``limit`` takes only the first images, to try the script out."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    held_out, training = read_faces(data, "public"), read_faces(data, "train")
    dropped = 0
    if settings.drop_copies:
        training, dropped = drop_copies(training, held_out)
    if limit is not None:
        training = training.subset(np.arange(len(training)) < limit)
        held_out = held_out.subset(np.arange(len(held_out)) < limit)
    record = {
        "settings": asdict(settings) | {"limit": limit},
        "data": {"file": data.name, "sha256": sha256_of(data)},
        "images": {"train": len(training), "copies_dropped": dropped, "public": len(held_out)},
        "machine": facts_of_machine(),
    }
    checkpoint = open_run(run, record, resume=resume)

    torch.manual_seed(settings.seed)
    net = S0Net().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(net.parameters(), lr=settings.learning_rate, eps=1e-7)
    done = 0
    if checkpoint is not None:
        net.load_state_dict(checkpoint["net"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        done = checkpoint["epoch"]

    steps_per_epoch = math.ceil(len(training) / settings.batch)
    step = done * steps_per_epoch
    for epoch in range(done + 1, settings.epochs + 1):
        started = time.monotonic()
        # Each epoch draws from its own seed, so a resumed run sees what an unbroken one would.
        generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
        torch.manual_seed(settings.seed * 100_003 + epoch)
        net.train()
        total_loss = 0.0
        for faces, labels in batches(training, settings, generator):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * cosine(step / (settings.epochs * steps_per_epoch))
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.bf16):
                logits = net(faces.to(device, memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits.float(), labels.to(device))
            if not torch.isfinite(loss):
                raise ConfigurationError(
                    f"The loss became {loss.item()} at step {step} (epoch {epoch}); {run} keeps the checkpoint of "
                    f"epoch {epoch - 1}. Lower learning_rate."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(labels)
            step += 1
        metrics = classification_metrics(predict(net, held_out, device), held_out.labels)
        save_checkpoint(run, {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch})
        row = {
            "epoch": epoch,
            "train_loss": total_loss / len(training),
            "public_accuracy": metrics["accuracy"],
            "public_macro_f1": metrics["macro_f1"],
            "seconds": time.monotonic() - started,
        }
        append_row(run, row)
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    write_json(run / "final.json", classification_metrics(predict(net, held_out, device), held_out.labels))


def cosine(progress: float) -> float:
    """Half a cosine: 1 at progress 0, 0 at progress 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz with images, labels, usage")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    parser.add_argument("--config", type=Path, help="TOML laid over the defaults (configs/training/)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--smoke", action="store_true", help="two epochs on 256 images, to try the script")
    arguments = parser.parse_args()
    try:
        settings = read_settings(arguments.config)
        if arguments.smoke:
            settings = replace(settings, epochs=2)
        train(settings, arguments.data, arguments.run, resume=arguments.resume, limit=256 if arguments.smoke else None)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
