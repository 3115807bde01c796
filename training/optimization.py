"""How any net is fitted: the part of a recipe that all nets share, optimizer, learning rate, and the state of a run."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, get_args, get_type_hints

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emocolor.errors import ConfigurationError, EmocolorError

Net = TypeVar("Net", bound=nn.Module)


class DivergedError(EmocolorError):
    """The loss of a run became infinite or NaN."""

    exit_code = 8


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """The part of a recipe that all nets share."""

    epochs: int = 40
    batch: int = 32
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    """Cosine decay from the learning rate to zero, or no change."""
    warmup_epochs: float = 0.0
    """Length of the linear warm-up from zero."""
    weight_decay: float = 0.0
    """On kernels only, decoupled from the gradient; needs adamw."""
    ema: float = 0.0
    """Decay per step of the moving average of the weights, which is evaluated and exported; 0 for the raw weights."""
    bf16: bool = True
    """Compute in bfloat16 where autocast considers it safe; weights stay float32."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ConfigurationError(f"epochs ({self.epochs}) must be at least 1 and batch ({self.batch}) at least 2.")
        for name, kind in get_type_hints(type(self)).items():
            if (choices := get_args(kind)) and isinstance(choices[0], str) and getattr(self, name) not in choices:
                raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}.")
        if self.weight_decay and self.optimizer != "adamw":
            raise ConfigurationError('weight_decay needs optimizer = "adamw".')

    def epoch_seed(self, epoch: int) -> int:
        """Each epoch has its own seed, so that a resumed run draws what an unbroken one would."""
        return self.seed * 100_003 + epoch

    def batch_seed(self, epoch: int, number: int) -> int:
        """Likewise each batch of an epoch, counted from 0: a run may be resumed between any two."""
        return int(np.random.SeedSequence([self.seed, epoch, number]).generate_state(1)[0])


class TrainingState(Generic[Net]):
    """What changes during a run: the net, the moving average of its weights, and the optimizer."""

    def __init__(self, net: Net, recipe: Optimization) -> None:
        self.net = net
        self.average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        self.optimizer = make_optimizer(net, recipe)
        self._recipe = recipe

    @property
    def eval_net(self) -> Net:
        """The net to evaluate and export: the moving average where the recipe has one."""
        net: Net = self.average.module if self._recipe.ema else self.net  # type: ignore[assignment]
        return net

    def set_learning_rate(self, step: int, steps_per_epoch: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self._recipe, step, steps_per_epoch)

    def checkpoint(self, epoch: int) -> dict[str, Any]:
        """All that is needed to go on after ``epoch``; ``net`` holds the weights of :attr:`eval_net`."""
        return {
            "net": self.eval_net.state_dict(),
            "raw": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": epoch,
        }

    def restore(self, checkpoint: dict[str, Any] | None) -> int:
        """Take over a checkpoint, if there is one; returns the epochs done."""
        if checkpoint is None:
            return 0
        self.net.load_state_dict(checkpoint["raw"])
        self.average.load_state_dict(checkpoint["average"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        return int(checkpoint["epoch"])


def check_finite(loss: Tensor, *, step: int, epoch: int, run: Path) -> None:
    """Raise ``DivergedError`` where the loss is infinite or NaN, before it reaches the weights."""
    if not torch.isfinite(loss):
        raise DivergedError(
            f"The loss became {loss.item()} at step {step} (epoch {epoch}); {run} keeps the checkpoint of "
            f"epoch {epoch - 1}. Lower learning_rate."
        )


def make_optimizer(net: nn.Module, recipe: Optimization) -> torch.optim.Optimizer:
    """Adam with the epsilon of Keras, or AdamW with decay of kernels only; frozen parameters are left out."""
    trainable = [p for p in net.parameters() if p.requires_grad]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(trainable, lr=recipe.learning_rate, eps=1e-7)
    kernels = [p for p in trainable if p.ndim > 1]
    others = [p for p in trainable if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )


def learning_rate(recipe: Optimization, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up, then cosine decay to zero at the end of the last epoch, or no change."""
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return recipe.learning_rate * cosine((step - warmup) / (recipe.epochs * steps_per_epoch - warmup))


def cosine(progress: float) -> float:
    """Half a period: 1 at progress 0, 0 at progress 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def pick_device() -> torch.device:
    """The GPU where torch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
