"""What a viewer may change while the picture runs, as plain values that come from a page or a client."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

from emocolor.chroma.stabilizer import StabilizerOptions
from emocolor.effects import ColorizeOptions, ColormapOptions, GradeOptions, StyleOptions, TintOptions
from emocolor.effects.tint import Base, TintRegion
from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from emocolor.palettes import nearest

from ..config_files import palette_names, read_palette
from ..effect_chain import EffectOptions, EffectSettings, parse_chain

AUTO = "auto"
"""The style that follows the emotion."""
LONGEST_WORD = 200
"""Characters of a value, at most."""


@dataclass(frozen=True, kw_only=True)
class Controls:
    """How the picture is coloured."""

    effect: str = "tint"
    """A chain of effects as the command line takes it, such as ``colorize,tint:0.2``."""
    palette: str = "s0"
    """One of the palettes that ship; files are for the command line."""
    alpha: float = 0.5
    base: Base = "gray"
    region: TintRegion = "frame"
    strength: float = 1.0
    """Of ``style`` and of ``grade``."""
    style: str = AUTO
    """The emotion whose style is painted, or ``auto`` for the one that is seen."""
    vividness: float = 0.3
    """Of ``colorize``."""
    overlay: bool = False
    """Boxes, ids and bars over the picture."""

    def __post_init__(self) -> None:
        for f in fields(self):
            _check_kind(f.name, getattr(self, f.name), getattr(type(self), f.name))
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ConfigurationError(f"Unknown {name} '{getattr(self, name)}'{nearest(getattr(self, name), known)}")
        self.effects()

    def changed(self, message: Mapping[str, Any]) -> "Controls":
        """These with some values replaced; raises ``ConfigurationError`` that says which cannot be."""
        known = [f.name for f in fields(self)]
        for name in message:
            if name not in known:
                raise ConfigurationError(f"There is no control {str(name)[:40]!r}{nearest(str(name)[:40], known)}")
        return replace(self, **message)

    def effects(self) -> tuple[EffectOptions, ...]:
        """The chain with its options."""
        fixed = None if self.style == AUTO else {self.style: 1.0}
        settings = EffectSettings(
            tint=TintOptions(palette=read_palette(self.palette), alpha=self.alpha, base=self.base, region=self.region),
            colormap=ColormapOptions(),
            colorize=ColorizeOptions(vividness=self.vividness, history=StabilizerOptions(look_ahead=0), force=True),
            grade=GradeOptions(strength=self.strength),
            style=StyleOptions(strength=self.strength, fixed=fixed),
        )
        return parse_chain(self.effect, settings)

    def as_message(self) -> dict[str, Any]:
        """The values by name, for JSON."""
        return asdict(self)


_CHOICES: dict[str, list[str]] = {
    "palette": palette_names(),
    "base": list(get_args(Base)),
    "region": list(get_args(TintRegion)),
    "style": [AUTO, *EMOTIONS],
}


def _check_kind(name: str, value: Any, default: Any) -> None:
    """``value`` must be of the default's kind; whole numbers count as numbers, truth values do not."""
    number = isinstance(default, float)
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) if number else type(value) is type(default)
    if not fits:
        kind = "a number" if number else "true or false" if isinstance(default, bool) else "a word"
        raise ConfigurationError(f"The control '{name}' takes {kind}, not {repr(value)[:40]}.")
    if isinstance(value, str) and not (value.isprintable() and len(value) <= LONGEST_WORD):
        raise ConfigurationError(f"The control '{name}' takes up to {LONGEST_WORD} printable characters.")
