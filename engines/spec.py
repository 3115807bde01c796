"""What a net takes and gives, as its card beside the weights says it."""

import difflib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError, EngineError

EMOTION = Path(__file__).parent / "weights" / "emotion"
"""Where the emotion classifiers lie: ``NAME.onnx``, its card ``NAME.json``, and the card in words."""
COLORIZER = Path(__file__).parent / "weights" / "colorizer"
"""Where the colorizers lie, likewise."""
STYLE = Path(__file__).parent / "weights" / "style"
"""Where the style nets lie, likewise."""


@dataclass(frozen=True, kw_only=True)
class EmotionNetSpec:
    """One emotion classifier."""

    name: str
    weights: Path
    """An ONNX file, which executes nothing when loaded."""
    sha256: str
    definition: str
    """Its torch definition's name in ``engines.nets.catalog``."""
    label_sets: tuple[str, ...]
    """Its outputs, each named for whose labels it speaks: fer2013, ferplus."""
    output: str
    """The output that the program uses."""
    crop_size: int
    """Side of the square gray face crop it takes."""
    dropouts: dict[str, tuple[tuple[int, ...], float]]
    """Mask inputs: shape without the pass axis, and drop probability."""
    temperatures: dict[str, float]
    """By output, what its graph divides the logits by before the softmax; 1 where it was not calibrated."""
    metrics: dict[str, Any]
    """What the training run measured on the public test images."""


@dataclass(frozen=True, kw_only=True)
class ColorizerSpec:
    """One colorizer."""

    name: str
    weights: Path
    """An ONNX file, which executes nothing when loaded."""
    sha256: str
    definition: str
    """Its torch definition's name in ``engines.nets.catalog``."""
    multiple: int
    """Both sides of its input must be multiples of this."""
    grid: int
    """Side of its bins of ab in CIELAB units."""
    safest: "Choice"
    """At vividness 0."""
    boldest: "Choice"
    """At vividness 1."""
    metrics: dict[str, Any]
    """What was measured on held-out photos."""

    def choice(self, vividness: float) -> "Choice":
        """How colours are chosen at a vividness in [0, 1]: between the ends temperatures mix by ratio."""
        safest, boldest = self.safest, self.boldest
        return Choice(
            temperature=safest.temperature * (boldest.temperature / safest.temperature) ** vividness,
            rebalancing=safest.rebalancing + (boldest.rebalancing - safest.rebalancing) * vividness,
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How one colour is chosen from a distribution over many (Zhang et al. 2016)."""

    temperature: float
    """Of the annealed mean, above 0: 1 for the mean, towards 0 for the likeliest colour."""
    rebalancing: float
    """How much rare colours are favoured: 0 not at all, 1 as training weighted them."""


@dataclass(frozen=True, kw_only=True)
class Painting:
    """What a style was learnt from."""

    title: str
    artist: str
    file: str = ""
    """Its name in the folder of paintings; empty where the card does not tell."""
    weight: float = 1.0
    """What its loss of style counted in training, beside those of others."""


@dataclass(frozen=True, kw_only=True)
class StyleSpec:
    """One style net."""

    name: str
    weights: Path
    """An ONNX file, which executes nothing when loaded."""
    sha256: str
    definition: str
    """Its layout's name in ``engines.nets.style_net``."""
    multiple: int
    """Both sides of its input must be multiples of this."""
    paintings: dict[Emotion, Painting]
    """Of each emotion, in FER2013's order; in mixtures the identity follows."""
    metrics: dict[str, Any]
    """What was measured on held-out photos."""


Spec = TypeVar("Spec", EmotionNetSpec, ColorizerSpec, StyleSpec)


def emotion_net_names() -> tuple[str, ...]:
    """The emotion classifiers that ship."""
    return _names_in(EMOTION)


def colorizer_names() -> tuple[str, ...]:
    """The colorizers that ship."""
    return _names_in(COLORIZER)


def style_net_names() -> tuple[str, ...]:
    """The style nets that ship."""
    return _names_in(STYLE)


def read_emotion_spec(name: str) -> EmotionNetSpec:
    """The card of a shipped emotion net, or of any ONNX file by path that has its card beside it.

    Raises ``ConfigurationError`` for an unknown name and ``EngineError`` where the card is missing
    or no card, or where the weights are not the file that it was written for.
    """
    return _read(name, EMOTION, _emotion_spec_of, "an emotion net")


def read_colorizer_spec(name: str) -> ColorizerSpec:
    """The card of a shipped colorizer, or of any by path; raises as :func:`read_emotion_spec` does."""
    return _read(name, COLORIZER, _colorizer_spec_of, "a colorizer")


def read_style_spec(name: str) -> StyleSpec:
    """The card of a shipped style net, or of any by path; raises as :func:`read_emotion_spec` does."""
    return _read(name, STYLE, _style_spec_of, "a style net")


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def _read(name: str, folder: Path, spec_of: Callable[[Path, dict[str, Any]], Spec], words: str) -> Spec:
    by_path = name.endswith(".onnx")
    if not by_path and name not in _names_in(folder):
        raise _unknown(name, _names_in(folder))
    card_path = Path(name).with_suffix(".json") if by_path else folder / f"{name}.json"
    try:
        spec = spec_of(card_path, json.loads(card_path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise EngineError(f"{name} has no card: {card_path} is missing.") from None
    except (OSError, ValueError) as error:
        raise EngineError(f"The card {card_path} cannot be read: {error}.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{card_path} is not the card of {words}: {error!r}.") from error
    _verify(spec)
    return spec


def _unknown(name: str, known: tuple[str, ...]) -> ConfigurationError:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    ships = f"Shipped are {', '.join(known)}; any other" if known else "None of this kind ships; one of yours"
    return ConfigurationError(f"Unknown net '{name}'{hint} {ships} goes by the path of its .onnx file.")


def _colorizer_spec_of(card_path: Path, card: dict[str, Any]) -> ColorizerSpec:
    return ColorizerSpec(
        name=card_path.stem,
        weights=card_path.parent / card["weights"],
        sha256=card["sha256"],
        definition=card["definition"],
        multiple=card["multiple"],
        grid=card["grid"],
        safest=_choice(card["vividness"][0]),
        boldest=_choice(card["vividness"][1]),
        metrics=card["metrics"],
    )


def _choice(setting: dict[str, Any]) -> Choice:
    return Choice(temperature=float(setting["temperature"]), rebalancing=float(setting["rebalancing"]))


def _style_spec_of(card_path: Path, card: dict[str, Any]) -> StyleSpec:
    return StyleSpec(
        name=card_path.stem,
        weights=card_path.parent / card["weights"],
        sha256=card["sha256"],
        definition=card["definition"],
        multiple=card["multiple"],
        paintings={emotion: _painting(card["styles"][emotion]) for emotion in EMOTIONS},
        metrics=card["metrics"],
    )


def _painting(style: dict[str, Any]) -> Painting:
    known = {key: style[key] for key in ("file", "weight") if key in style}
    return Painting(title=style["title"], artist=style["artist"], **known)


def _emotion_spec_of(card_path: Path, card: dict[str, Any]) -> EmotionNetSpec:
    """The spec that a card holds; where it holds none, whatever Python raises."""
    return EmotionNetSpec(
        name=card_path.stem,
        weights=card_path.parent / card["weights"],
        sha256=card["sha256"],
        definition=card["definition"],
        label_sets=tuple(card["label_sets"]),
        output=card["output"],
        crop_size=card["crop_size"],
        dropouts={mask: (tuple(shape), rate) for mask, (shape, rate) in card["dropouts"].items()},
        temperatures=dict.fromkeys(card["label_sets"], 1.0) | card.get("temperatures", {}),
        metrics=card["metrics"],
    )


def _verify(spec: EmotionNetSpec | ColorizerSpec | StyleSpec) -> None:
    ships = spec.weights.parent in (EMOTION, COLORIZER, STYLE)
    remedy = "Reinstall emocolor-stream." if ships else "Export it again."
    try:
        found = hashlib.sha256(spec.weights.read_bytes()).hexdigest()
    except OSError as error:
        raise EngineError(f"The weights of '{spec.name}' cannot be read ({error}). {remedy}") from error
    if found != spec.sha256:
        raise EngineError(
            f"The weights of '{spec.name}' ({spec.weights}) are damaged: sha256 {found[:12]}..., "
            f"expected {spec.sha256[:12]}.... {remedy}"
        )
