"""The recipe of a colorizer's training run."""

from dataclasses import dataclass, field
from typing import Literal

from emocolor.errors import ConfigurationError
from engines.nets.ab_bins import AbBins
from engines.nets.colorizer import ColorizerNet
from engines.nets.s1_colorizer import S1Colorizer
from engines.nets.s2_colorizer import S2Colorizer
from engines.nets.s4_colorizer import Prior, S4Colorizer
from engines.nets.video_colorizer import VideoColorizer

from ..data.film_look import FilmLook
from ..optimization import Optimization
from .ab_targets import BinParameters

Loss = Literal["rgb", "rgb_perceptual", "ab_l2", "ab_huber", "classes", "rebalanced"]


@dataclass(frozen=True, kw_only=True)
class FilmSettings:
    """How much of the film look the net sees in training."""

    part: float = 0.0
    """Share of the images that get the film look; the others stay clean."""
    degradations: FilmLook = field(default_factory=FilmLook)


@dataclass(frozen=True, kw_only=True)
class ColorizerRecipe(Optimization):
    """All settings of a run; ``configs/training/colorizer_*.toml`` override these defaults."""

    net: Literal["s1", "s2", "s4", "video"] = "video"
    width: float = 1.0
    """Channels as a multiple of the paper's (s1, s2, s4)."""
    prior: Prior = "lite0"
    """Of s4: the pretrained classifier whose embedding is fused in. Of video: its backbone's pretrained weights."""
    loss: Loss = "classes"
    perceptual_part: float = 0.1
    """Weight of the perceptual term beside the error in RGB."""
    grid: int = 10
    """Side of an ab bin in CIELAB units."""
    sigma: float = 5.0
    """Of the Gaussian of soft targets and of the one that smooths the bins' prior, in CIELAB units."""
    uniform_part: float = 0.5
    """Lambda: weight of the uniform distribution mixed into the prior before its inverse becomes the loss weights."""
    crop: int = 128
    """Side of the training crops, px; in the last epoch where ``first_crop`` is set."""
    first_crop: int | None = None
    """Side of the crops of the first epoch, from which they grow linearly to ``crop``: small images are cheap
    (progressive resizing)."""
    accumulate: int = 1
    """Gradient accumulation: batches per step (S1)."""
    compiled: bool = False
    """Compile the net and its loss with ``torch.compile``, which takes a minute and makes each step faster, most of all
    S1's with VGG16's features. Sums are taken in another order, so a run is not reproduced to the last digit."""
    film: FilmSettings = field(default_factory=FilmSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        losses: dict[str, tuple[str, ...]] = {
            "s1": ("rgb", "rgb_perceptual"),
            "s4": ("ab_l2", "ab_huber"),
            "video": ("classes", "rebalanced"),
        }
        losses["s2"] = losses["s4"] + losses["video"]
        if self.loss not in losses[self.net]:
            raise ConfigurationError(
                f"The net {self.net} takes the loss {', '.join(losses[self.net])}, not {self.loss}."
            )
        for name, side in (("crop", self.crop), ("first_crop", self.first_crop)):
            if side is not None and (side < 32 or side % 32):
                raise ConfigurationError(f"{name} must be a multiple of 32, got {side}.")
        if self.accumulate < 1:
            raise ConfigurationError(f"accumulate must be at least 1, got {self.accumulate}.")
        if not 0 <= self.film.part <= 1:
            raise ConfigurationError(f"film.part must lie between 0 and 1, got {self.film.part}.")

    def crop_at(self, epoch: int) -> int:
        """Side of the crops of an epoch, counted from 1: a multiple of 32."""
        first = self.first_crop or self.crop
        progress = (epoch - 1) / max(1, self.epochs - 1)
        return round((first + (self.crop - first) * progress) / 32) * 32

    @property
    def bins(self) -> BinParameters:
        return BinParameters(grid=self.grid, uniform_part=self.uniform_part, sigma=self.sigma, temperature=1.0)


def make_colorizer(recipe: ColorizerRecipe) -> ColorizerNet:
    """The untrained net of a recipe, without pretrained weights."""
    match recipe.net:
        case "s1":
            return S1Colorizer(width=recipe.width)
        case "s2":
            by_classes = recipe.loss in ("classes", "rebalanced")
            return S2Colorizer(AbBins(recipe.grid) if by_classes else None, width=recipe.width)
        case "s4":
            return S4Colorizer(recipe.prior, width=recipe.width)
        case "video":
            return VideoColorizer(recipe.grid)
