"""The recipe of a style net's training run."""

from dataclasses import dataclass, field, fields
from typing import Literal

from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError

from ..optimization import Optimization
from ..vgg import LAYERS, Layer
from .losses import CONTENT_LAYER, STYLE_LAYERS, Measure


@dataclass(frozen=True, kw_only=True)
class StyleImage:
    """The painting of one emotion."""

    file: str = ""
    """Its name in the folder given to the script, or a path; empty for an emotion without a style."""
    weight: float = 1.0
    """Factor of the style loss: below 1 for a mild style."""
    title: str = ""
    artist: str = ""
    why: str = ""
    """What connects it with the emotion."""


@dataclass(frozen=True, kw_only=True)
class StyleImages:
    """One painting for each emotion."""

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
    """All settings of a run; ``configs/training/style_*.toml`` override these defaults."""

    net: Literal["s3", "full", "fast"] = "fast"
    """S3's net, which has one style, or a layout of ``engines.nets.style_net``, which has all seven."""
    start: str = ""
    """Initial weights: a net that ships, or a finished run, by its name below the folder given to the script as
    ``--runs``; empty for a fresh net."""
    teacher: str = ""
    """A finished run, likewise, whose net is the teacher; empty for none."""
    styles: StyleImages = field(default_factory=StyleImages)
    style_size: int = 320
    """Short side that paintings are scaled to, px: it determines the size of the strokes."""
    style_layers: tuple[Layer, ...] = STYLE_LAYERS
    content_layer: Layer = CONTENT_LAYER
    measure: Measure = "relative"
    """Of style and content: relative to those of the painting and of the photo, or the mean squares of S3."""
    content_weight: float = 1.0
    style_weight: float = 5.0
    variation_weight: float = 0.0
    temporal_weight: float = 0.0
    """Of the mean squared difference between the results for two views of a photo, at the same points."""
    clip_part: float = 0.0
    """Share of the batches whose two views are neighbouring frames of clips."""
    teacher_weight: float = 0.0
    """Of the mean squared difference from the teacher's output, with white as 1."""
    shift: int = 8
    """Largest shift between the two views, px in each direction. Whole pixels, so that nothing is resampled."""
    noise: float = 0.03
    """Largest standard deviation of the noise in the second view, with white as 1."""
    mixed_part: float = 0.2
    """Share of the photos that get a mixture of styles."""
    partial_part: float = 0.2
    """Share of the batches whose styles are mixed with the identity."""
    gradient_norm: float = 10.0
    """Gradients are clipped to this norm. The style loss is of the fourth degree in the features, so a single outlier
    could ruin the net."""
    crop: int = 128
    """Side of the training crops, px."""
    draws: int = 600
    """Photos per epoch, drawn anew in each."""
    compiled: bool = False
    """Compile the nets with ``torch.compile``, which takes a minute or two and makes each step faster. Sums are taken
    in another order, so a run is not reproduced to the last digit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.styles.given()
        if self.net == "s3" and len(given) > 1:
            raise ConfigurationError(f"The net s3 has one style, not {len(given)}.")
        for layer in (*self.style_layers, self.content_layer):
            if layer not in LAYERS:
                raise ConfigurationError(f"'{layer}' is not a layer of VGG16 up to conv4_3: {', '.join(LAYERS)}.")
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
            raise ConfigurationError("clip_part needs a temporal_weight: clips serve the temporal loss alone.")
        if bool(self.teacher) != (self.teacher_weight > 0):
            raise ConfigurationError("teacher and teacher_weight go together: set both, or neither.")
        if self.gradient_norm <= 0:
            raise ConfigurationError(f"gradient_norm must be above 0, got {self.gradient_norm}.")
        if self.draws < self.batch:
            raise ConfigurationError(f"draws ({self.draws}) must be at least batch ({self.batch}).")

    @property
    def uses_features(self) -> bool:
        """Whether the loss uses VGG16's features, and not a teacher alone."""
        return self.content_weight > 0 or self.style_weight > 0

    @property
    def deepest(self) -> Layer:
        """The last layer of VGG16 in the losses."""
        return max((*self.style_layers, self.content_layer), key=LAYERS.index)
