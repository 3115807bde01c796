"""What a viewer may change while a live session runs: the chain of effects, and their live options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from emocolor.effects import EFFECTS, ChainItem, TintOptions
from emocolor.effects.chain import NO_EFFECT, check_chain
from emocolor.errors import ConfigurationError, nearest
from emocolor.options import EffectOptions, Option, Readers, options_of
from emocolor.palettes import Palette
from emocolor.protocols import Effect

from ..config_files import palette_names, read_palette

CHAIN: Final = "effect"
"""The control that holds the chain."""
LONGEST_TEXT: Final = 200
"""Characters of a value, at most."""


def _shipped_palette(name: str) -> Palette:
    """Files are for the command line: a client on the network must not name paths of this machine."""
    if name not in palette_names():
        raise ConfigurationError(f"Unknown palette '{name}'{nearest(name, palette_names())}")
    return read_palette(name)


_READERS: Final[Readers] = {Palette: _shipped_palette}


@dataclass(frozen=True, kw_only=True)
class Controls:
    """How frames are recoloured, now. Options of effects that are not in the chain are kept for when they are."""

    chain: tuple[str | Effect, ...] = ("tint",)
    """Names of effects, or effects of the user's own, in the order in which they apply."""
    options: Mapping[str, EffectOptions] = field(default_factory=dict)
    """By effect, where they differ from the defaults."""
    own_effects: Mapping[str, Effect] = field(default_factory=dict)
    """Effects of the user's own, by the names of their classes. Clients can switch them, never add any."""

    @classmethod
    def of(cls, effects: Sequence[ChainItem]) -> "Controls":
        """Controls that start with these effects."""
        return cls(
            chain=tuple(item.section if isinstance(item, EffectOptions) else item for item in effects),
            options={item.section: item for item in effects if isinstance(item, EffectOptions)},
            own_effects={type(item).__name__: item for item in effects if not isinstance(item, EffectOptions)},
        )

    def __post_init__(self) -> None:
        check_chain(self.effects())

    def effects(self) -> tuple[ChainItem, ...]:
        """The chain with its options."""
        return tuple(self.options_for(item) if isinstance(item, str) else item for item in self.chain)

    def options_for(self, effect: str) -> EffectOptions:
        """The options of one of the table's effects, in the chain or not."""
        return self.options.get(effect) or EFFECTS[effect].options()

    def changed(self, message: Mapping[str, Any]) -> "Controls":
        """These with some values replaced: ``effect``, a chain as text, and ``EFFECT.OPTION``.

        Raises ``ConfigurationError`` that says which cannot be.
        """
        controls = self
        for name, value in message.items():
            _check_text(name)
            _check_text(value)
            controls = controls._with_chain(value) if name == CHAIN else controls._with_option(name, value)
        return controls

    def as_message(self) -> dict[str, Any]:
        """The chain and all live options by name, for JSON."""
        names = (item if isinstance(item, str) else type(item).__name__ for item in self.chain)
        values = {
            option.key: option.plain(getattr(self.options_for(effect), option.name))
            for effect, entry in EFFECTS.items()
            for option in options_of(entry.options)
            if option.live
        }
        return {CHAIN: ",".join(names) or NO_EFFECT, **values}

    def _with_chain(self, text: Any) -> "Controls":
        if not isinstance(text, str):
            raise ConfigurationError(f"The control '{CHAIN}' takes text.")
        if text.strip() == NO_EFFECT:
            return replace(self, chain=())
        controls = self
        chain: list[str | Effect] = []
        for part in map(str.strip, text.split(",")):
            name, colon, value = part.partition(":")
            if name in self.own_effects and not colon:
                chain.append(self.own_effects[name])
                continue
            if name not in EFFECTS:
                raise ConfigurationError(f"Unknown effect '{name}'{nearest(name, [*EFFECTS, *self.own_effects])}")
            if colon:
                options = EFFECTS[name].with_main(self.options_for(name), value)
                controls = replace(controls, options={**controls.options, name: options})
            chain.append(name)
        return replace(controls, chain=tuple(chain))

    def _with_option(self, key: str, value: Any) -> "Controls":
        effect, _, name = key.partition(".")
        options = self.options_for(effect) if effect in EFFECTS else None
        known = {option.name: option for option in options_of(type(options)) if option.live} if options else {}
        if options is None or name not in known:
            raise ConfigurationError(f"There is no control '{key}'{nearest(key, [CHAIN, *_live_keys()])}")
        changed = replace(options, **{name: known[name].load(value, _READERS)})
        return replace(self, options={**self.options, effect: changed})


def live_options(entry_options: type[EffectOptions]) -> list[Option]:
    """The options of an effect that may change while a session runs."""
    return [option for option in options_of(entry_options) if option.live]


def _live_keys() -> list[str]:
    return [option.key for entry in EFFECTS.values() for option in live_options(entry.options)]


def _check_text(value: Any) -> None:
    if isinstance(value, str) and not (value.isprintable() and len(value) <= LONGEST_TEXT):
        raise ConfigurationError(f"Names and values of controls are up to {LONGEST_TEXT} printable characters.")


DEFAULT_CONTROLS: Final = Controls.of((TintOptions(),))
"""What a session begins with where nothing else is asked for."""
