"""What a training run of a colorizer is asked to do."""

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
class Film:
    """How much of the film look training sees."""

    part: float = 0.0
    """Part of the pictures that get the look; the others stay clean."""
    look: FilmLook = field(default_factory=FilmLook)


@dataclass(frozen=True, kw_only=True)
class ColorizerRecipe(Optimization):
    """One recipe; ``configs/training/colorizer_*.toml`` are laid over these defaults."""

    net: Literal["s1", "s2", "s4", "video"] = "video"
    width: float = 1.0
    """Channels as a multiple of the paper's (s1, s2, s4)."""
    prior: Prior = "lite0"
    """Of s4: the pretrained classifier whose embedding is fused in. Of video: whether its backbone starts from it."""
    loss: Loss = "classes"
    perceptual_part: float = 0.1
    """Weight of the perceptual term beside the error in RGB."""
    grid: int = 10
    """Side of an ab bin in CIELAB units."""
    sigma: float = 5.0
    """Of the Gaussian in soft targets and of that which smooths the bins' prior, in CIELAB units."""
    uniform_part: float = 0.5
    """Lambda: uniform distribution mixed into the prior before rare colours are weighted by its inverse."""
    crop: int = 128
    """Side of the squares learnt from, px; of the last epoch's where ``first_crop`` is set."""
    first_crop: int | None = None
    """Side of the first epoch's squares: from there they grow evenly to ``crop``, since what small pictures teach
    is cheap (progressive resizing)."""
    accumulate: int = 1
    """Batches whose gradients are added up before a step (S1)."""
    compiled: bool = False
    """Let torch compile the net and its loss, which takes a minute and makes each step faster, most of all S1's with
    VGG16's features. Sums are rounded in another order, so that a run is not the same in its last digits."""
    film: Film = field(default_factory=Film)

    def __post_init__(self) -> None:
        super().__post_init__()
        speaks: dict[str, tuple[str, ...]] = {
            "s1": ("rgb", "rgb_perceptual"),
            "s4": ("ab_l2", "ab_huber"),
            "video": ("classes", "rebalanced"),
        }
        speaks["s2"] = ("ab_l2", "ab_huber", "classes", "rebalanced")
        if self.loss not in speaks[self.net]:
            raise ConfigurationError(f"The net {self.net} learns by {', '.join(speaks[self.net])}, not {self.loss}.")
        for name, side in (("crop", self.crop), ("first_crop", self.first_crop)):
            if side is not None and (side < 32 or side % 32):
                raise ConfigurationError(f"{name} must be a multiple of 32, got {side}.")
        if self.accumulate < 1:
            raise ConfigurationError(f"accumulate must be at least 1, got {self.accumulate}.")
        if not 0 <= self.film.part <= 1:
            raise ConfigurationError(f"film.part must lie between 0 and 1, got {self.film.part}.")

    def crop_at(self, epoch: int) -> int:
        """Side of the squares of an epoch, counted from 1: a multiple of 32."""
        first = self.first_crop or self.crop
        part = (epoch - 1) / max(1, self.epochs - 1)
        return round((first + (self.crop - first) * part) / 32) * 32

    @property
    def bins(self) -> BinParameters:
        return BinParameters(grid=self.grid, uniform_part=self.uniform_part, sigma=self.sigma, temperature=1.0)


def colorizer_of(recipe: ColorizerRecipe) -> ColorizerNet:
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
