"""All that a job can be told, as a tree of values that check themselves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from emocolor.effects import TintOptions
from emocolor.errors import ConfigurationError
from emocolor.smoothing import SmoothingOptions
from engines.runners.selection import Device
from engines.spec import Precision

from .effect_chain import EffectOptions, check_chain
from .media.sink import SinkOptions
from .media.source import SourceOptions
from .restore.restoration import RestorationOptions

DecoderChoice = Literal["auto", "software", "nvdec"]


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions:
    """How faces are looked at."""

    rate_hz: float = 8.0
    """Analyses a second of media time; 0 for every frame."""
    net: str = "ours"
    """The classifier: a shipped net's name, or the path of an ONNX file that has its card beside it."""
    precision: Precision = "f32"
    """Arithmetic of the net: ``bf16`` takes about half the time where the processor has it."""
    passes: int = 10
    """Monte Carlo dropout passes, T; 0 for one pass without dropout."""
    seed: int = 0
    """Seed of the dropout masks."""
    fresh_masks: bool = False
    """Draw new masks for every analysis instead of holding one set."""

    def __post_init__(self) -> None:
        if not 0 <= self.rate_hz <= 1000:
            raise ConfigurationError(f"The analysis rate must lie between 0 and 1000 a second, got {self.rate_hz:g}.")


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """One video to process."""

    input: str
    """A file, URL or image pattern that FFmpeg reads, or ``-`` for standard input."""
    output: str | None = None
    """A file, URL or image pattern, or ``-`` for standard output; ``None`` encodes nothing."""
    source: SourceOptions = field(default_factory=SourceOptions)
    sink: SinkOptions = field(default_factory=SinkOptions)
    analysis: AnalysisOptions | None = field(default_factory=AnalysisOptions)
    """``None`` looks for no face: every scene is empty and neutral."""
    smoothing: SmoothingOptions = field(default_factory=SmoothingOptions)
    restoration: RestorationOptions | None = None
    """What is done to old footage before anything looks at it; ``None`` takes the pictures as they are."""
    effects: tuple[EffectOptions, ...] = (TintOptions(),)
    """What recolours the picture, in the order it applies; none leaves the colours alone."""
    device: Device = "auto"
    """Where nets run: an NVIDIA GPU where there is one that torch can use, or the CPU; faces are found on the CPU."""
    decoder: DecoderChoice = "software"
    """FFmpeg's own decoders, or NVDEC: ``auto`` takes that where nets run on an NVIDIA GPU and it decodes the input
    exactly. Frames are the same, and software takes over where NVDEC loses one."""
    compare: bool = False
    """Show the left half of the picture as it came in."""
    overlay: bool = False
    """Draw boxes, ids and probabilities."""
    timeline: Path | None = None
    """Where to write the emotion timeline (.jsonl or .csv)."""
    held_megabytes: int = 256
    """Most memory for frames held back for the look-ahead; less look-ahead beyond it."""

    def __post_init__(self) -> None:
        wants_faces = self.overlay or self.timeline or any(options.needs_faces for options in self.effects)
        if wants_faces and self.analysis is None:
            raise ConfigurationError(
                "Tint, grade, overlay, timeline and styles that are not fixed need faces: analysis must not be None."
            )
        if self.decoder not in get_args(DecoderChoice):
            raise ConfigurationError(f"The decoder can be {', '.join(get_args(DecoderChoice))}, not {self.decoder!r}.")
        check_chain(self.effects)
