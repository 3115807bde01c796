"""What a training run of a style net is asked to do."""

from dataclasses import dataclass, field, fields
from typing import Literal

from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError

from ..optimization import Optimization
from .losses import CONTENT_LAYER, STYLE_LAYERS, Measure
from .vgg import LAYERS, Layer


@dataclass(frozen=True, kw_only=True)
class StyleImage:
    """What one emotion looks like."""

    file: str = ""
    """A picture in the folder given to the script, or a path; empty for an emotion that is not learnt."""
    weight: float = 1.0
    """Multiplies the loss of style: below 1 for a style that shall stay mild."""
    title: str = ""
    artist: str = ""
    why: str = ""
    """What it has of its emotion."""


@dataclass(frozen=True, kw_only=True)
class StyleImages:
    """One picture an emotion."""

    angry: StyleImage = field(default_factory=StyleImage)
    disgust: StyleImage = field(default_factory=StyleImage)
    fear: StyleImage = field(default_factory=StyleImage)
    happy: StyleImage = field(default_factory=StyleImage)
    sad: StyleImage = field(default_factory=StyleImage)
    surprise: StyleImage = field(default_factory=StyleImage)
    neutral: StyleImage = field(default_factory=StyleImage)

    def given(self) -> dict[Emotion, StyleImage]:
        """Those that have a file, in the emotions' order."""
        return {emotion: image for emotion in EMOTIONS if (image := getattr(self, emotion)).file}


@dataclass(frozen=True, kw_only=True)
class StyleRecipe(Optimization):
    """One recipe; ``configs/training/style_*.toml`` are laid over these defaults."""

    net: Literal["s3", "full", "fast"] = "fast"
    """S3's net, which learns one style, or a layout of ``engines.nets.style_net``, which learns all seven."""
    start: str = ""
    """A net that ships, or a finished run's folder, below the one given to the script as ``--runs``, whose values this
    run starts with; empty for a fresh net."""
    teacher: str = ""
    """A finished run's folder, likewise, whose net paints what this one is to paint; empty for none."""
    styles: StyleImages = field(default_factory=StyleImages)
    style_size: int = 320
    """Short side that style pictures are scaled to, px: how large strokes are in what the net paints."""
    style_layers: tuple[Layer, ...] = STYLE_LAYERS
    content_layer: Layer = CONTENT_LAYER
    measure: Measure = "relative"
    """Of style and content: over that of the style picture and of the photo, or the plain mean squares of S3."""
    content_weight: float = 1.0
    style_weight: float = 5.0
    variation_weight: float = 0.0
    temporal_weight: float = 0.0
    """Of the mean squared difference between what is painted of two views of a photo, at the same points."""
    clip_part: float = 0.0
    """Part of the batches whose two views are neighbouring frames of clips."""
    teacher_weight: float = 0.0
    """Of the mean squared difference from what the teacher paints, in parts of white."""
    shift: int = 8
    """Largest shift between the two views, px each way. Whole pixels, so that nothing is resampled."""
    noise: float = 0.03
    """Largest standard deviation of the noise that the second view gets, of a range of 1."""
    mixed_part: float = 0.2
    """Part of the photos that learn a mixture of styles."""
    partial_part: float = 0.2
    """Part of the batches whose styles are mixed with the identity."""
    gradient_norm: float = 10.0
    """Longer gradients are shortened to this. Gram matrices are of the second degree and their distance of the fourth,
    so that one glaring picture would throw the net far off."""
    crop: int = 128
    """Side of the squares learnt from, px."""
    draws: int = 600
    """Photos an epoch, drawn anew in each."""
    compiled: bool = False
    """Let torch compile the nets, which takes a minute or two and makes each step faster. Sums are rounded in
    another order, so that a run is not the same in its last digits."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.styles.given()
        if self.net == "s3" and len(given) > 1:
            raise ConfigurationError(f"The net s3 learns one style, not {len(given)}.")
        for layer in (*self.style_layers, self.content_layer):
            if layer not in LAYERS:
                raise ConfigurationError(f"'{layer}' is no layer of VGG16 here; there are {', '.join(LAYERS)}.")
        if self.crop < 36 or self.crop % 4:
            raise ConfigurationError(f"crop must be a multiple of 4, at least 36, got {self.crop}.")
        if not 0 <= self.shift <= self.crop // 2:
            raise ConfigurationError(f"shift must lie between 0 and half of crop, got {self.shift}.")
        for name in ("mixed_part", "partial_part", "clip_part"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name} must lie between 0 and 1, got {getattr(self, name)}.")
        for name in (f.name for f in fields(self) if f.name.endswith("_weight") or f.name == "noise"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name} must not be negative, got {getattr(self, name)}.")
        if self.clip_part and not self.temporal_weight:
            raise ConfigurationError("clip_part needs a temporal_weight: clips are what a net learns to hold still on.")
        if bool(self.teacher) != (self.teacher_weight > 0):
            raise ConfigurationError("teacher and teacher_weight go together: set both, or neither.")
        if self.gradient_norm <= 0:
            raise ConfigurationError(f"gradient_norm must be above 0, got {self.gradient_norm}.")
        if self.draws < self.batch:
            raise ConfigurationError(f"draws ({self.draws}) must be at least batch ({self.batch}).")

    @property
    def sees_features(self) -> bool:
        """Whether VGG16 judges what is painted in training, and not a teacher alone."""
        return self.content_weight > 0 or self.style_weight > 0

    @property
    def deepest(self) -> Layer:
        """The last layer of VGG16 that counts."""
        return max((*self.style_layers, self.content_layer), key=LAYERS.index)
