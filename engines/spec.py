"""What a net takes and gives, as its card beside the weights says it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emocolor.errors import ConfigurationError, EngineError
from emocolor.palettes import nearest

EMOTION = Path(__file__).parent / "weights" / "emotion"
"""Where the emotion classifiers lie: ``NAME.onnx``, its card ``NAME.json``, and the card in words."""

Precision = Literal["f32", "bf16"]
"""Arithmetic that a net can run in."""


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """One emotion classifier."""

    name: str
    weights: Path
    """An ONNX file, which executes nothing when loaded."""
    sha256: str
    definition: str
    """Its torch definition's name in ``engines.nets.catalog``."""
    label_sets: tuple[str, ...]
    """Its outputs, each named for whose labels it speaks: fer2013, ferplus."""
    answer: str
    """The output that the program uses."""
    crop_size: int
    """Side of the square gray face crop it takes."""
    dropouts: dict[str, tuple[tuple[int, ...], float]]
    """Mask inputs: shape without the pass axis, and drop probability."""
    metrics: dict[str, Any]
    """What the training run measured on the public test images."""


def net_names() -> tuple[str, ...]:
    """The emotion classifiers that ship."""
    return tuple(sorted(path.stem for path in EMOTION.glob("*.json")))


def read_spec(name: str) -> NetSpec:
    """The card of a shipped net, or of any ONNX file by path that has its card beside it.

    Raises ``ConfigurationError`` for an unknown name and ``EngineError`` where the weights are not
    the file that the card was written for.
    """
    by_path = name.endswith(".onnx")
    card_path = Path(name).with_suffix(".json") if by_path else EMOTION / f"{name}.json"
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if by_path:
            raise EngineError(f"{name} has no card: {card_path} is missing.") from None
        raise ConfigurationError(f"Unknown net '{name}'{nearest(name, net_names())}.") from None
    except (OSError, ValueError) as error:
        raise EngineError(f"The card {card_path} cannot be read: {error}.") from error
    spec = NetSpec(
        name=card_path.stem,
        weights=card_path.parent / card["weights"],
        sha256=card["sha256"],
        definition=card["definition"],
        label_sets=tuple(card["label_sets"]),
        answer=card["answer"],
        crop_size=card["crop_size"],
        dropouts={mask: (tuple(shape), rate) for mask, (shape, rate) in card["dropouts"].items()},
        metrics=card["metrics"],
    )
    _verify(spec)
    return spec


def _verify(spec: NetSpec) -> None:
    try:
        found = hashlib.sha256(spec.weights.read_bytes()).hexdigest()
    except OSError as error:
        raise EngineError(
            f"The weights of '{spec.name}' cannot be read ({error}). Reinstall emocolor-stream."
        ) from error
    if found != spec.sha256:
        raise EngineError(
            f"The weights of '{spec.name}' ({spec.weights}) are damaged: sha256 {found[:12]}..., "
            f"expected {spec.sha256[:12]}.... Reinstall emocolor-stream."
        )
