"""Seven colours, one per emotion, and how a mixed emotion becomes one colour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .arrays import Colors, Vector
from .color import oklab_to_srgb, srgb_to_oklab
from .emotions import EMOTIONS
from .errors import ConfigurationError, nearest

MixMode = Literal["blend", "argmax"]
MixSpace = Literal["rgb", "oklab"]

_KEYS = ("description", "colors")


@dataclass(frozen=True, eq=False)
class Palette:
    """A colour for each emotion."""

    name: str
    colors: Colors
    """(7, 3) sRGB in [0, 1], in the order of ``EMOTIONS``."""

    def __post_init__(self) -> None:
        if self.colors.shape != (len(EMOTIONS), 3) or not ((self.colors >= 0) & (self.colors <= 1)).all():
            raise ValueError(f"a palette needs seven colours in [0, 1], got {self.colors}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Palette) and self.name == other.name and np.array_equal(self.colors, other.colors)

    def __hash__(self) -> int:
        return hash(self.name)

    def color_of(self, probabilities: Vector, mode: MixMode = "blend", space: MixSpace = "rgb") -> Vector:
        """One sRGB colour (3,) in [0, 1] for probabilities (7,).

        ``argmax`` takes the likeliest emotion's colour (S0 section 3.2); ``blend`` the mean of all
        weighted by probability, in R'G'B' as S0's Monte Carlo blend, or in OKLab, where mixtures
        of opposite hues stay more vivid and as light as their parts.
        """
        if mode == "argmax":
            return np.asarray(self.colors[int(np.argmax(probabilities))])
        if space == "oklab":
            return oklab_to_srgb(probabilities @ srgb_to_oklab(self.colors))
        return np.asarray(probabilities @ self.colors)


S0 = Palette(
    "s0",
    np.array(
        [(255, 0, 0), (0, 255, 0), (128, 0, 128), (255, 255, 0), (0, 0, 255), (255, 165, 0), (200, 200, 200)],
        np.float64,
    )
    / 255,
)
"""The palette of S0, section 3.2."""


def parse_palette(name: str, table: Mapping[str, Any]) -> Palette:
    """A palette from a TOML table: ``[colors]`` with a triple 0..255 or a "#rrggbb" per emotion.

    Raises ``ConfigurationError`` naming the wrong key and its nearest known one, or the wrong value.
    """
    for key in table:
        if key not in _KEYS:
            raise ConfigurationError(f"Palette '{name}': unknown key '{key}'{nearest(key, _KEYS)}")
    colors = table.get("colors")
    if not isinstance(colors, Mapping):
        raise ConfigurationError(f"Palette '{name}' has no table [colors] with a colour for each emotion.")
    for key in colors:
        if key not in EMOTIONS:
            raise ConfigurationError(f"Palette '{name}': unknown emotion '{key}'{nearest(key, EMOTIONS)}")
    missing = [emotion for emotion in EMOTIONS if emotion not in colors]
    if missing:
        raise ConfigurationError(f"Palette '{name}' lacks a colour for {', '.join(missing)}.")
    return Palette(name, np.array([_parse_color(name, e, colors[e]) for e in EMOTIONS]))


def _parse_color(palette: str, emotion: str, value: Any) -> Colors:
    if isinstance(value, str) and len(value) == 7 and value.startswith("#"):
        try:
            value = list(bytes.fromhex(value[1:]))
        except ValueError:
            value = None
    whole = (
        isinstance(value, list) and len(value) == 3 and all(type(v) in (int, float) and 0 <= v <= 255 for v in value)
    )
    if not whole:
        raise ConfigurationError(
            f"Palette '{palette}': the colour of {emotion} must be three numbers 0 to 255 or '#rrggbb', got {value!r}."
        )
    return np.array(value, np.float64) / 255
