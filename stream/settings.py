"""All that a job can be told: groups of options that check themselves, and how raw values become them.

Raw values are what preset files, flags and live controls hold: a mapping with ``effect`` (a chain as text), top-level
options by name, and a mapping by name for each section (``tint``, ``analysis``, ``output``, ...). They are laid over
each other with :func:`layered` and become settings in :func:`job_settings` alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from emocolor.chroma.reference import ReferenceOptions
from emocolor.effects import EFFECTS, ChainItem, TintOptions, parse_chain
from emocolor.effects.chain import check_chain, needs_of_all
from emocolor.errors import ConfigurationError, nearest
from emocolor.options import Group, Need, Options, Readers, Spelling, load_options, option, options_of
from emocolor.palettes import Palette
from emocolor.protocols import Precision
from emocolor.smoothing import SmoothingOptions
from engines.runners.devices import Device
from engines.spec import colorizer_names, emotion_net_names, style_net_names

from .config_files import palette_names, read_palette
from .media.reading.source_options import SourceOptions
from .media.writing.sink_options import SinkOptions
from .restore.restoration_options import RestorationOptions

DecoderChoice = Literal["auto", "software", "nvdec"]
RawValues = Mapping[str, Any]

DEFAULT_CHAIN: Final = "tint"
"""The effect where none is named."""


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions(Options):
    """How faces are analysed."""

    section: ClassVar[str] = "analysis"

    rate_hz: Annotated[
        float,
        option(
            "Face analyses per second of video; 0 for every frame.", ge=0, le=1000, unit="Hz", cli=Spelling(flag="rate")
        ),
    ] = 8.0
    net: Annotated[
        str,
        option(
            "The emotion net: a shipped net, or an .onnx file with its card beside it.",
            catalog="emotion nets",
            cli=Spelling(metavar="NAME|FILE"),
        ),
    ] = "ours"
    precision: Annotated[
        Precision, option("Arithmetic of the emotion net: bf16 takes half the time on CPUs that have it.")
    ] = "f32"
    passes: Annotated[
        int, option("Monte Carlo dropout passes per face, T; 0 for one pass without dropout.", ge=0, le=1000)
    ] = 10
    seed: Annotated[int, option("Seed of the dropout masks.", ge=0)] = 0
    fresh_masks: Annotated[bool, option("Draw new dropout masks for every analysis.")] = False


@dataclass(frozen=True, kw_only=True)
class LiveOptions(Options):
    """What a live session may cost, and what happens where its input is lost."""

    section: ClassVar[str] = "live"

    latency_ms: Annotated[
        float,
        option(
            "Latency to keep to: quality steps down before more is added.",
            ge=10,
            le=5000,
            unit="ms",
            cli=Spelling(flag="latency"),
        ),
    ] = 120.0
    once: Annotated[bool, option("Do not reopen a lost input or output: end instead.")] = False


@dataclass(frozen=True, kw_only=True)
class ServerOptions(Options):
    """Where the live server listens, and how much it takes on."""

    section: ClassVar[str] = "server"

    host: Annotated[
        str, option("Address to listen on; any but this machine's own needs a token.", cli=Spelling(metavar="ADDRESS"))
    ] = "127.0.0.1"
    port: Annotated[int, option("Port to listen on; 0 takes one that is free.", ge=0, le=65535)] = 8080
    max_sessions: Annotated[int, option("Publishers at a time.", ge=1, le=1000)] = 4
    max_viewers: Annotated[int, option("Clients that watch by WHEP at a time.", ge=0, le=1000)] = 8
    max_pixels: Annotated[
        int, option("Pixels of a frame; larger ones end their session.", ge=256, cli=Spelling(flag="max-pixels"))
    ] = 1920 * 1088
    candidates: Annotated[
        Literal["same-kind", "same-address", "any"],
        option("Addresses that a client may name for media: those of its own kind, its own alone, or any."),
    ] = "same-kind"
    max_candidates: Annotated[int, option("Addresses of a client that are tried for media.", ge=0, le=64)] = 32


@dataclass(frozen=True, kw_only=True)
class JobSettings(Options):
    """One video to process."""

    section: ClassVar[str] = ""

    input: str
    """A file, URL or image pattern that FFmpeg reads, or ``-`` for standard input."""
    output: str | None = None
    """A file, URL or image pattern, or ``-`` for standard output; ``None`` encodes nothing."""
    effects: tuple[ChainItem, ...] = (TintOptions(),)
    """What recolours the frames, in the order in which it applies: options of our effects, or any object with
    ``apply(frame, scene)``. An empty tuple leaves the colours alone."""
    source: SourceOptions = field(default_factory=SourceOptions)
    sink: SinkOptions = field(default_factory=SinkOptions)
    analysis: AnalysisOptions | None = field(default_factory=AnalysisOptions)
    """``None`` looks for no face: every scene is empty and neutral."""
    smoothing: SmoothingOptions = field(default_factory=SmoothingOptions)
    restoration: RestorationOptions = field(default_factory=RestorationOptions)
    """What is done to old footage before it is analysed."""
    timeline: Path | None = None
    """Where to write the emotion timeline (.jsonl or .csv)."""
    strip: Path | None = None
    """Where to draw frames before and after (.png), if input and output are files."""
    device: Annotated[
        Device, option("Where nets run: auto takes an NVIDIA GPU that torch can use; faces are found on the CPU.")
    ] = "auto"
    decoder: Annotated[
        DecoderChoice, option("What decodes: FFmpeg's own decoders, NVDEC, or NVDEC where it decodes exactly (auto).")
    ] = "software"
    """``auto`` takes NVDEC where nets run on an NVIDIA GPU. Frames are the same, and software takes over where NVDEC
    loses one."""
    compare: Annotated[bool, option("Keep the left half of the frame as it came in.")] = False
    held_megabytes: Annotated[
        int,
        option(
            "Most memory for frames held back for look-ahead; less look-ahead beyond it.",
            ge=1,
            unit="MB",
            cli=Spelling(flag="held-memory"),
        ),
    ] = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chain(self.effects)
        if self.analysis is None and "faces" in self.needs:
            raise ConfigurationError("The timeline and some of these effects need faces: analysis must not be None.")

    @property
    def needs(self) -> frozenset[Need]:
        """What effects and timeline need."""
        faces: frozenset[Need] = frozenset({"faces"} if self.timeline is not None else ())
        return needs_of_all(self.effects) | faces

    @property
    def groups(self) -> tuple[Options, ...]:
        """All groups of options that are in use."""
        effects = tuple(item for item in self.effects if isinstance(item, Options))
        analysis = () if self.analysis is None else (self.analysis,)
        return (self, self.source, self.sink, *analysis, self.smoothing, self.restoration, *effects)


@dataclass(frozen=True, kw_only=True)
class PiecesOptions(Options):
    """Whether a file is rendered in pieces, so that the same command goes on where it was stopped."""

    section: ClassVar[str] = "pieces"

    resumable: Annotated[
        bool | None,
        option(
            "Render in pieces: whatever stops it, the same command goes on. Default: for files of more than 5 minutes, "
            "where nothing speaks against it."
        ),
    ] = None
    restart: Annotated[bool, option("Drop the pieces of earlier runs, and begin anew.")] = False
    keep_pieces: Annotated[bool, option("Keep the pieces of the finished film, and their plan.")] = False


FILE_GROUPS: Final = (JobSettings, AnalysisOptions, SmoothingOptions, RestorationOptions, SourceOptions, SinkOptions)
"""Groups of options that file jobs have beside those of effects."""
RUN_GROUPS: Final = (*FILE_GROUPS, PiecesOptions)
"""Those of a job for a single file."""

SECTIONS: Final[dict[str, type[Options]]] = {
    group.section: group for group in (*RUN_GROUPS, LiveOptions, ServerOptions) if group.section
}
"""Sections of raw values that are no effects."""

READERS: Final[Readers] = {
    Palette: read_palette,
    ReferenceOptions: lambda path: ReferenceOptions(statistics=_read_reference(path)),
}
"""What reads values that are kept in files."""

CATALOGS: Final[dict[str, Callable[[], tuple[str, ...]]]] = {
    "palettes": lambda: tuple(palette_names()),
    "emotion nets": emotion_net_names,
    "colorizers": colorizer_names,
    "style nets": style_net_names,
}
"""What ships under names."""


def layered(*layers: RawValues) -> dict[str, Any]:
    """Raw values with later layers over earlier ones; sections are merged value by value."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            merged[name] = {**merged.get(name, {}), **value} if isinstance(value, Mapping) else value
    return merged


def check_names(values: RawValues) -> None:
    """Raises ``ConfigurationError`` for a name that no section, effect or option has, with the nearest known one."""
    known = {one.name for one in options_of(JobSettings)} | {"effect", *SECTIONS, *EFFECTS}
    for name in values:
        if name not in known:
            raise ConfigurationError(f"There is no option or section '{name}'{nearest(name, sorted(known))}")
    for name, section in values.items():
        if name not in EFFECTS and name not in SECTIONS:
            continue
        if not isinstance(section, Mapping):
            raise ConfigurationError(f"{name} must be a table of options, got {section!r}.")
        group = EFFECTS[name].options if name in EFFECTS else SECTIONS[name]
        names = [one.name for one in options_of(group)]
        for option_name in section:
            if option_name not in names:
                raise ConfigurationError(f"There is no option '{option_name}' in {name}{nearest(option_name, names)}")


def job_settings(
    values: RawValues, *, input: str, output: str | None = None, timeline: Path | None = None, strip: Path | None = None
) -> JobSettings:
    """The settings that raw values stand for. Faces are analysed only where something needs them.

    Raises ``ConfigurationError`` for whatever is wrong in them.
    """
    check_names(values)
    chain = chain_of(values)
    faces = timeline is not None or "faces" in needs_of_all(chain)
    own = {one.name: one.load(values[one.name], READERS) for one in options_of(JobSettings) if one.name in values}
    return JobSettings(
        input=input,
        output=output,
        timeline=timeline,
        strip=strip,
        effects=chain,
        source=section_of(SourceOptions, values),
        sink=section_of(SinkOptions, values),
        analysis=section_of(AnalysisOptions, values) if faces else None,
        smoothing=section_of(SmoothingOptions, values),
        restoration=section_of(RestorationOptions, values),
        **own,
    )


def chain_of(values: RawValues, *, allow_imports: bool = True) -> tuple[ChainItem, ...]:
    """The chain of effects that raw values stand for. ``allow_imports`` must not be given to what comes from others."""
    return parse_chain(values.get("effect", DEFAULT_CHAIN), values, readers=READERS, allow_imports=allow_imports)


def section_of(cls: type[Group], values: RawValues) -> Group:
    """One group of options from raw values. Raises ``ConfigurationError``."""
    return load_options(cls, values.get(cls.section, {}), READERS)


def without_pieces(values: RawValues) -> tuple[dict[str, Any], PiecesOptions]:
    """Raw values that decide what a film becomes, and how it is rendered in pieces. Raises ``ConfigurationError``."""
    kept = {name: value for name, value in values.items() if name != PiecesOptions.section}
    return kept, section_of(PiecesOptions, values)


def _read_reference(path: str) -> Any:
    from .restore.reference_photo import read_reference

    return read_reference(Path(path))
