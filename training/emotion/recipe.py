"""The recipe of an emotion classifier's training run."""

from dataclasses import dataclass, field
from typing import Literal

from emocolor.errors import ConfigurationError

from ..optimization import Optimization
from .augmentation import Augmentation

Labels = Literal["fer2013", "ferplus", "both"]


@dataclass(frozen=True, kw_only=True)
class EmotionRecipe(Optimization):
    """All settings of a run; ``configs/training/emotion_*.toml`` override these defaults, which are S0's."""

    net: str = "s0"
    """Definition in ``engines.nets.catalog``."""
    start: str = "random"
    """Initial weights: ``random``, ``imagenet`` for a net with that backbone, or those of a net by name or path."""
    labels: Labels = "fer2013"
    """FER2013's classes, FER+ votes as soft targets, or both, each with its own output of the net."""
    label_smoothing: float = 0.0
    """Of FER2013's labels; FER+ votes are soft already."""
    mixup: float = 0.0
    """Alpha of mixup's Beta distribution (Zhang et al. 2018); 0 for none."""
    teachers: tuple[str, ...] = ()
    """Nets by name or path whose mean output is distilled (Hinton et al. 2015)."""
    teacher_part: float = 0.5
    """Weight of the distillation loss; that of the labels has the rest."""
    teacher_temperature: float = 2.0
    drop_copies: bool = True
    """Leave out training images that are pixel-identical to a public-test image."""
    drop_faceless: bool = False
    """Leave out training images without a face, by FER+ votes, or without contrast."""
    drop_disputed: bool = False
    """Leave out training images whose label none of the ten FER+ voters chose."""
    split: tuple[float, ...] = ()
    """Shares of a random split for training, validation and test, instead of the file's own ``usage``."""
    balance_to: int = 0
    """Images per class after balancing by rotated copies (S3); 0 for no balancing."""
    balance_degrees: float = 15.0
    balance_before_split: bool = False
    """Balance before the random split, as S3 did it. Copies of one image are then in several parts, so metrics on the
    held-out parts are too good."""
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.balance_before_split and not (self.split and self.balance_to):
            raise ConfigurationError("balance_before_split needs split and balance_to.")
        if self.split and (len(self.split) != 3 or abs(sum(self.split) - 1) > 1e-6):
            raise ConfigurationError(f"split must be three shares that add up to 1, got {list(self.split)}.")

    @property
    def label_sets(self) -> tuple[str, ...]:
        """The net's outputs, each named for its labels."""
        return ("fer2013", "ferplus") if self.labels == "both" else (self.labels,)
