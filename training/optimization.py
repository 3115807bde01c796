"""How a net is fitted, whatever it learns: what every recipe can say of it, the optimizer, the learning rate."""

import math
from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

import torch
from torch import nn

from emocolor.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """The part of a recipe that all nets share."""

    epochs: int = 40
    batch: int = 32
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    """Half a cosine from the learning rate down to zero, or no change."""
    warmup_epochs: float = 0.0
    """The learning rate climbs in a line from zero over this long."""
    weight_decay: float = 0.0
    """On kernels only, decoupled from the gradient; needs adamw."""
    ema: float = 0.0
    """Decay per step of the averaged weights that are measured and exported; 0 keeps the raw ones."""
    bf16: bool = True
    """Compute in bfloat16 where autocast holds it safe; weights stay float32."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ConfigurationError(f"epochs ({self.epochs}) must be at least 1 and batch ({self.batch}) at least 2.")
        for name, kind in get_type_hints(type(self)).items():
            if (choices := get_args(kind)) and isinstance(choices[0], str) and getattr(self, name) not in choices:
                raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}.")
        if self.weight_decay and self.optimizer != "adamw":
            raise ConfigurationError('weight_decay needs optimizer = "adamw".')


def optimizer_of(net: nn.Module, recipe: Optimization) -> torch.optim.Optimizer:
    """Adam as Keras has it, or AdamW that decays kernels alone; frozen parameters are left out."""
    learning = [p for p in net.parameters() if p.requires_grad]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(learning, lr=recipe.learning_rate, eps=1e-7)
    kernels = [p for p in learning if p.ndim > 1]
    others = [p for p in learning if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )


def learning_rate(recipe: Optimization, step: int, steps_per_epoch: int) -> float:
    """A line up over the warm-up, then half a cosine down to zero at the end of the last epoch, or no change."""
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return recipe.learning_rate * cosine((step - warmup) / (recipe.epochs * steps_per_epoch - warmup))


def cosine(progress: float) -> float:
    """Half a cosine: 1 at progress 0, 0 at progress 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))
