"""What a training run is asked to do: a dataclass, filled from TOML."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from emocolor.errors import ConfigurationError
from training.augmentation import Augmentation

Labels = Literal["fer2013", "ferplus", "both"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One training recipe; ``configs/training/*.toml`` are laid over these defaults."""

    net: str = "s0"
    """Definition in ``engines.nets.catalog``."""
    start: str = "random"
    """First weights: ``random``, ``imagenet`` for a net with that backbone, or those of a net by name or path."""
    labels: Labels = "fer2013"
    """FER2013's classes, FER+ votes as soft targets, or both, each with an output of its own."""
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
    label_smoothing: float = 0.0
    """Taken from the labelled class and spread over all; FER+ votes are soft by themselves."""
    mixup: float = 0.0
    """Alpha of the Beta distribution from which pairs of faces are mixed (Zhang et al. 2018); 0 for none."""
    ema: float = 0.0
    """Decay per step of the averaged weights that are measured and exported; 0 keeps the raw ones."""
    teachers: tuple[str, ...] = ()
    """Nets by name or path whose mean answer is learnt beside the labels (Hinton et al. 2015)."""
    teacher_part: float = 0.5
    """Weight of the teachers' answer against that of the labels."""
    teacher_temperature: float = 2.0
    drop_copies: bool = True
    """Leave out training images that equal a public-test image."""
    drop_faceless: bool = False
    """Leave out training images without a face, by FER+ votes, or without contrast."""
    drop_disputed: bool = False
    """Leave out training images whose label none of the ten FER+ voters gave."""
    split: tuple[float, ...] = ()
    """Random parts for training, choosing and testing, where the file's own ``usage`` is not wanted."""
    balance_to: int = 0
    """Bring every class to this many images by rotated copies (S3); 0 leaves the classes as they are."""
    balance_degrees: float = 15.0
    balance_before_split: bool = False
    """Balance as S3 did it, before the random split, so that copies of one image lie in several parts:
    figures on the held-out parts are then too good."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    bf16: bool = True
    """Compute in bfloat16 where autocast holds it safe; weights stay float32."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ConfigurationError(f"epochs ({self.epochs}) must be at least 1 and batch ({self.batch}) at least 2.")
        for name, kind in get_type_hints(Settings).items():
            if (choices := get_args(kind)) and isinstance(choices[0], str) and getattr(self, name) not in choices:
                raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}.")
        if self.weight_decay and self.optimizer != "adamw":
            raise ConfigurationError('weight_decay needs optimizer = "adamw".')
        if self.balance_before_split and not (self.split and self.balance_to):
            raise ConfigurationError("balance_before_split needs split and balance_to.")
        if self.split and (len(self.split) != 3 or abs(sum(self.split) - 1) > 1e-6):
            raise ConfigurationError(f"split must be three parts that add up to 1, got {list(self.split)}.")

    @property
    def label_sets(self) -> tuple[str, ...]:
        """What the net's outputs speak."""
        return ("fer2013", "ferplus") if self.labels == "both" else (self.labels,)


def read_settings(path: Path | None) -> Settings:
    """Settings from a TOML file; an unknown key is an error."""
    if path is None:
        return Settings()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    return settings_from(table, path)


def settings_from(table: dict[str, Any], path: Path) -> Settings:
    """Settings from TOML's values; ``path`` is named where one is wrong."""
    inner = table.get("augmentation", {})
    table = {name: value for name, value in table.items() if name != "augmentation"}
    _refuse_unknown(path, table, Settings)
    _refuse_unknown(path, inner, Augmentation)
    _refuse_wrong_types(path, table, Settings)
    _refuse_wrong_types(path, inner, Augmentation)
    lists = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
    return Settings(**(table | lists), augmentation=Augmentation(**inner))


def _refuse_unknown(path: Path, table: dict[str, Any], kind: type) -> None:
    known = [f.name for f in fields(kind)]
    if unknown := sorted(table.keys() - set(known)):
        raise ConfigurationError(f"{path}: unknown key {', '.join(unknown)}. Known: {', '.join(known)}.")


def _refuse_wrong_types(path: Path, table: dict[str, Any], kind: type) -> None:
    """A whole number may stand where a decimal is wanted; nothing else is converted."""
    hints = get_type_hints(kind)
    for key, value in table.items():
        wanted = {float: (float, int), tuple[str, ...]: list, tuple[float, ...]: list}.get(hints[key], hints[key])
        if isinstance(wanted, type | tuple) and (
            not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)
        ):
            raise ConfigurationError(f"{path}: {key} cannot be {value!r}.")
