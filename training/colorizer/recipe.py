"""The recipe of a colorizer's training run, and the net that it starts with."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from emocolor.errors import ConfigurationError
from engines.nets.ab_bins import AbBins
from engines.nets.colorizer import ColorizerNet
from engines.nets.context_colorizer import HEAD_WIDTH, ContextColorizer
from engines.nets.efficientnet_lite import Variant
from engines.nets.s1_colorizer import S1Colorizer
from engines.nets.s2_colorizer import S2Colorizer
from engines.nets.s4_colorizer import Prior, S4Colorizer
from engines.nets.video_colorizer import VideoColorizer
from engines.spec import read_colorizer_spec

from ..data.film_look import FilmLook
from ..data.photos import MAX_ZOOM
from ..optimization import Optimization
from .ab_targets import BinParameters

Loss = Literal["rgb", "rgb_perceptual", "ab_l2", "ab_huber", "classes", "rebalanced"]


@dataclass(frozen=True, kw_only=True)
class FilmSettings:
    """How much of the film look the net sees in training."""

    part: float = 0.0
    """Share of the images that get the film look; the others stay clean."""
    letterbox: float = 0.0
    """Share of all images that get black bars on two sides."""
    degradations: FilmLook = field(default_factory=FilmLook)


@dataclass(frozen=True, kw_only=True)
class ColorizerRecipe(Optimization):
    """All settings of a run; ``configs/training/colorizer_*.toml`` override these defaults."""

    net: Literal["s1", "s2", "s4", "video", "context"] = "video"
    width: float = 1.0
    """Channels as a multiple of the paper's (s1, s2, s4)."""
    prior: Prior = "lite0"
    """Of s4: the pretrained classifier whose embedding is fused in. Of video and context: whether the backbone starts
    from its pretrained weights."""
    start: str = ""
    """Of video and context: a net that ships, by its name or ONNX file, to go on from; tensors that it lacks start
    afresh."""
    backbone: Variant = "lite0"
    """Of context."""
    widths: tuple[int, int, int] = (96, 128, 192)
    """Of context: the decoder's channels at a quarter, an eighth and a sixteenth of the side."""
    blocks: int = 2
    """Of context: attention blocks."""
    dropout: float = 0.0
    """Of context: share of the deepest features' channels that are dropped."""
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
    max_zoom: float = MAX_ZOOM
    """A photo's short side is at most this many times the side of a crop taken from it."""
    keep: Literal["last", "best"] = "last"
    """The weights to evaluate and export at the end: the last epoch's, or those of the epoch with the lowest mean ab
    error over three levels of colourfulness (``frontier.py``)."""
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
        losses["context"] = losses["video"]
        if self.loss not in losses[self.net]:
            raise ConfigurationError(
                f"The net {self.net} takes the loss {', '.join(losses[self.net])}, not {self.loss}."
            )
        for name, side in (("crop", self.crop), ("first_crop", self.first_crop)):
            if side is not None and (side < 32 or side % 32):
                raise ConfigurationError(f"{name} must be a multiple of 32, got {side}.")
        if self.accumulate < 1:
            raise ConfigurationError(f"accumulate must be at least 1, got {self.accumulate}.")
        shares = {"film.part": self.film.part, "film.letterbox": self.film.letterbox, "dropout": self.dropout}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ConfigurationError(f"{name} must lie between 0 and 1, got {share}.")
        if self.max_zoom < 1:
            raise ConfigurationError(f"max_zoom must be at least 1, got {self.max_zoom}.")
        if self.widths[-1] % HEAD_WIDTH:
            raise ConfigurationError(f"The last of widths must be a multiple of {HEAD_WIDTH}, got {self.widths[-1]}.")
        if self.start and self.net not in ("video", "context"):
            raise ConfigurationError(f"start belongs to the nets video and context, not to {self.net}.")
        if self.keep == "best" and not self.has_bins:
            raise ConfigurationError(f'keep = "best" needs a loss on classes of colour, not {self.loss}.')

    def crop_at(self, epoch: int) -> int:
        """Side of the crops of an epoch, counted from 1: a multiple of 32."""
        first = self.first_crop or self.crop
        progress = (epoch - 1) / max(1, self.epochs - 1)
        return round((first + (self.crop - first) * progress) / 32) * 32

    @property
    def has_bins(self) -> bool:
        """Whether the net's output is a distribution over bins of ab."""
        return self.loss in ("classes", "rebalanced")

    @property
    def has_default_layers(self) -> bool:
        """Whether backbone, widths and blocks are the defaults, the only ones that the program makes."""
        return all(getattr(self, name) == getattr(type(self), name) for name in ("backbone", "widths", "blocks"))

    @property
    def bins(self) -> BinParameters:
        return BinParameters(grid=self.grid, uniform_part=self.uniform_part, sigma=self.sigma, temperature=1.0)


def make_colorizer(recipe: ColorizerRecipe) -> ColorizerNet:
    """The untrained net of a recipe, without pretrained weights."""
    match recipe.net:
        case "s1":
            return S1Colorizer(width=recipe.width)
        case "s2":
            return S2Colorizer(AbBins(recipe.grid) if recipe.has_bins else None, width=recipe.width)
        case "s4":
            return S4Colorizer(recipe.prior, width=recipe.width)
        case "video":
            return VideoColorizer(recipe.grid)
        case "context":
            return ContextColorizer(recipe.grid, recipe.backbone, recipe.widths, recipe.blocks, recipe.dropout)


def initialize(net: ColorizerNet, recipe: ColorizerRecipe, weights: Tensor | None) -> None:
    """Give ``net`` the weights that its recipe starts from; without any, those that torch drew stay.

    ``weights`` (Q,) are those of the bins in the loss. Raises ``ConfigurationError`` where the recipe's net to start
    from does not fit, and ``MissingDependencyError`` without the package of the pretrained backbone.
    """
    if recipe.start and isinstance(net, VideoColorizer | ContextColorizer):
        assert weights is not None
        _go_on_from(net, recipe.start, weights)
    elif isinstance(net, S4Colorizer | VideoColorizer | ContextColorizer) and recipe.prior != "none":
        net.start_from_imagenet()


@torch.no_grad()
def _go_on_from(net: VideoColorizer | ContextColorizer, start: str, weights: Tensor) -> None:
    """Load all tensors that the net ``start`` has.

    A net that was trained with weights for its bins outputs distributions times these weights. Where the weights now
    differ, the last bias makes up for it, so that the colours are the same.
    """
    from engines.nets.from_onnx import load_weights  # needs onnx

    spec = read_colorizer_spec(start)
    found, own = load_weights(spec.weights), net.state_dict()
    shared = {name: value for name, value in found.items() if name in own}
    different = sorted(name for name, value in shared.items() if value.shape != own[name].shape)
    if different or "log_weights" not in found or not shared.keys() >= {"head.weight", "head.bias"}:
        raise ConfigurationError(f"A run cannot start from {start}: {', '.join(different) or 'its head'} does not fit.")
    net.load_state_dict(shared, strict=False)
    assert net.head.bias is not None
    net.head.bias += weights.log() - found["log_weights"].flatten()
