"""What a net is, as the card beside its weights states it: ``NAME.json`` beside ``NAME.onnx``."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError, EngineError, nearest

from .card_schema import (
    AnyCard,
    Card,
    ColorChoiceCard,
    ColorizerCard,
    EmotionCard,
    PaintingCard,
    StyleCard,
    read_card,
)
from .onnx_file import MOST_BYTES, read_interface
from .regular_files import read_regular

EMOTION_FOLDER: Final = Path(__file__).parent / "weights" / "emotion"
"""The emotion classifiers that ship: for each its weights, its card, and the card in words (``NAME.md``)."""
COLORIZER_FOLDER: Final = Path(__file__).parent / "weights" / "colorizer"
"""The colorizers that ship, likewise."""
STYLE_FOLDER: Final = Path(__file__).parent / "weights" / "style"
"""The style nets that ship, likewise."""


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """What the cards of all kinds of nets have in common."""

    name: str
    weights: Path
    """An ONNX file, which executes nothing when it is loaded."""
    sha256: str
    """Hash of the weights' file."""
    definition: str
    """Name of the torch definition: for emotion nets in ``engines.nets.catalog``, for style nets the layout in
    ``engines.nets.style_net``, for colorizers in ``engines.nets.graphs``."""
    metrics: dict[str, Any]
    """What was measured on images that were held out from training."""


@dataclass(frozen=True, kw_only=True)
class EmotionNetSpec(NetSpec):
    """One emotion classifier."""

    label_sets: tuple[str, ...]
    """Its outputs, each named for the labels that it was taught: fer2013, ferplus."""
    output: str
    """The output that the program uses."""
    crop_size: int
    """Side of the square gray face crop that it takes."""
    dropouts: dict[str, tuple[tuple[int, ...], float]]
    """Mask inputs: shape without the pass axis, and drop probability."""
    temperatures: dict[str, float]
    """By output, what its graph divides the logits by before the softmax; 1 if it was not calibrated."""


@dataclass(frozen=True, kw_only=True)
class ColorizerSpec(NetSpec):
    """One colorizer."""

    multiple: int
    """Both sides of its input must be multiples of this."""
    grid: int
    """Side of its bins of ab in CIELAB units."""
    safest: "ColorChoice"
    """At vividness 0."""
    boldest: "ColorChoice"
    """At vividness 1."""

    def choice(self, vividness: float) -> "ColorChoice":
        """How colours are chosen at a vividness in [0, 1].

        Between the ends the exponent is interpolated linearly and the temperature, a scale, geometrically.
        """
        safest, boldest = self.safest, self.boldest
        return ColorChoice(
            temperature=safest.temperature * (boldest.temperature / safest.temperature) ** vividness,
            rebalancing=safest.rebalancing + (boldest.rebalancing - safest.rebalancing) * vividness,
        )


@dataclass(frozen=True, kw_only=True)
class ColorChoice:
    """How one colour is chosen from a distribution over many (Zhang et al. 2016)."""

    temperature: float
    """Temperature of the annealed mean, above 0: 1 gives the mean, values near 0 the likeliest colour."""
    rebalancing: float
    """How much rare colours are favoured: 0 not at all, 1 as much as the weights of training did."""


@dataclass(frozen=True, kw_only=True)
class Painting:
    """What a style was learnt from."""

    title: str
    artist: str
    file: str = ""
    """Its name in the folder of paintings; empty if the card does not state it."""
    weight: float = 1.0
    """Weight of its style loss in training, relative to the other paintings."""


@dataclass(frozen=True, kw_only=True)
class StyleSpec(NetSpec):
    """One style net."""

    multiple: int
    """Both sides of its input must be multiples of this."""
    paintings: dict[Emotion, Painting]
    """The painting of each emotion, in FER2013's order; in mixtures the identity follows."""


AnySpec = EmotionNetSpec | ColorizerSpec | StyleSpec
"""The card of a net of any kind."""
Spec = TypeVar("Spec", bound=NetSpec)


def emotion_net_names() -> tuple[str, ...]:
    """The emotion classifiers that ship."""
    return _names_in(EMOTION_FOLDER)


def colorizer_names() -> tuple[str, ...]:
    """The colorizers that ship."""
    return _names_in(COLORIZER_FOLDER)


def style_net_names() -> tuple[str, ...]:
    """The style nets that ship."""
    return _names_in(STYLE_FOLDER)


def read_emotion_spec(name: str) -> EmotionNetSpec:
    """Read the card of an emotion net: one that ships, by name, or any ONNX file with its card beside it, by path.

    Raises ``ConfigurationError`` for an unknown name, and ``EngineError`` if the card is missing or not one of an
    emotion net, if a number in it is out of bounds, or if the weights are not the file that it was written for or keep
    data outside of it.
    """
    return _read(name, EMOTION_FOLDER, EmotionCard, _emotion_spec_of, "an emotion net")


def read_colorizer_spec(name: str) -> ColorizerSpec:
    """Read the card of a colorizer, by name or path. Raises as :func:`read_emotion_spec` does."""
    return _read(name, COLORIZER_FOLDER, ColorizerCard, _colorizer_spec_of, "a colorizer")


def read_style_spec(name: str) -> StyleSpec:
    """Read the card of a style net, by name or path. Raises as :func:`read_emotion_spec` does."""
    return _read(name, STYLE_FOLDER, StyleCard, _style_spec_of, "a style net")


def ships(spec: NetSpec) -> bool:
    """Whether it is one of ours: those were checked when they were exported."""
    return spec.weights.parent in (EMOTION_FOLDER, COLORIZER_FOLDER, STYLE_FOLDER)


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def _read(name: str, folder: Path, card: type[AnyCard], spec_of: Callable[[Path, AnyCard], Spec], kind: str) -> Spec:
    by_path = name.endswith(".onnx")
    if not by_path and name not in _names_in(folder):
        hint = nearest(name, _names_in(folder), list_all=True)
        raise ConfigurationError(f"Unknown net '{name}'{hint} A net of your own goes by the path of its .onnx file.")
    card_path = Path(name).with_suffix(".json") if by_path else folder / f"{name}.json"
    spec = spec_of(card_path, read_card(card_path, card, kind))
    _verify(spec)
    return spec


def _common_fields(card_path: Path, card: Card) -> dict[str, Any]:
    """The fields of ``NetSpec``."""
    return {
        "name": card_path.stem,
        "weights": card_path.parent / card.weights,
        "sha256": card.sha256,
        "definition": card.definition,
        "metrics": card.metrics,
    }


def _emotion_spec_of(card_path: Path, card: EmotionCard) -> EmotionNetSpec:
    return EmotionNetSpec(
        **_common_fields(card_path, card),
        label_sets=tuple(card.label_sets),
        output=card.output,
        crop_size=card.crop_size,
        dropouts={mask: (tuple(shape), rate) for mask, (shape, rate) in card.dropouts.items()},
        temperatures=dict.fromkeys(card.label_sets, 1.0) | card.temperatures,
    )


def _colorizer_spec_of(card_path: Path, card: ColorizerCard) -> ColorizerSpec:
    safest, boldest = card.vividness
    return ColorizerSpec(
        **_common_fields(card_path, card),
        multiple=card.multiple,
        grid=card.grid,
        safest=_choice(safest),
        boldest=_choice(boldest),
    )


def _choice(card: ColorChoiceCard) -> ColorChoice:
    return ColorChoice(temperature=card.temperature, rebalancing=card.rebalancing)


def _style_spec_of(card_path: Path, card: StyleCard) -> StyleSpec:
    return StyleSpec(
        **_common_fields(card_path, card),
        multiple=card.multiple,
        paintings={emotion: _painting(card.styles[emotion]) for emotion in EMOTIONS},
    )


def _painting(card: PaintingCard) -> Painting:
    return Painting(title=card.title, artist=card.artist, file=card.file, weight=card.weight)


def _verify(spec: NetSpec) -> None:
    """Compare the weights with the card's hash; those that do not ship must also hold all their data."""
    remedy = "Reinstall emocolor-stream." if ships(spec) else "Export it again."
    try:
        content = read_regular(spec.weights, MOST_BYTES)
    except OSError as error:
        raise EngineError(f"The weights of '{spec.name}' cannot be read ({error}). {remedy}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != spec.sha256:
        raise EngineError(
            f"The weights of '{spec.name}' ({spec.weights}) are damaged: sha256 {found[:12]}..., "
            f"expected {spec.sha256[:12]}.... {remedy}"
        )
    if not ships(spec):
        try:
            read_interface(content)
        except EngineError as error:
            raise EngineError(f"The weights of '{spec.name}' ({spec.weights}) cannot be used. {error}") from error
