"""What a training run of an emotion classifier is asked to do."""

from dataclasses import dataclass, field
from typing import Literal

from emocolor.errors import ConfigurationError

from ..optimization import Optimization
from .augmentation import Augmentation

Labels = Literal["fer2013", "ferplus", "both"]


@dataclass(frozen=True, kw_only=True)
class Settings(Optimization):
    """One training recipe; ``configs/training/*.toml`` are laid over these defaults."""

    net: str = "s0"
    """Definition in ``engines.nets.catalog``."""
    start: str = "random"
    """First weights: ``random``, ``imagenet`` for a net with that backbone, or those of a net by name or path."""
    labels: Labels = "fer2013"
    """FER2013's classes, FER+ votes as soft targets, or both, each with an output of its own."""
    label_smoothing: float = 0.0
    """Taken from the labelled class and spread over all; FER+ votes are soft by themselves."""
    mixup: float = 0.0
    """Alpha of the Beta distribution from which pairs of faces are mixed (Zhang et al. 2018); 0 for none."""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.balance_before_split and not (self.split and self.balance_to):
            raise ConfigurationError("balance_before_split needs split and balance_to.")
        if self.split and (len(self.split) != 3 or abs(sum(self.split) - 1) > 1e-6):
            raise ConfigurationError(f"split must be three parts that add up to 1, got {list(self.split)}.")

    @property
    def label_sets(self) -> tuple[str, ...]:
        """What the net's outputs speak."""
        return ("fer2013", "ferplus") if self.labels == "both" else (self.labels,)
