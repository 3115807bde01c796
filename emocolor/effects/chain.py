"""Chains of effects: their text form (``colorize,tint:0.2``), their options, and what they need."""

import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from ..errors import ConfigurationError, nearest
from ..options import EffectOptions, Need, Readers, load_options
from ..protocols import Effect
from .table import EFFECTS, EffectEntry, entry_of

ChainItem = EffectOptions | Effect
"""A built-in effect, by its options, or a custom effect: any object with ``apply``."""

NO_EFFECT: Final = "none"
OWN_EFFECT_NEEDS: Final[frozenset[Need]] = frozenset({"faces", "chroma"})
"""Needs of custom effects that do not declare any."""


def parse_chain(
    text: str,
    values: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    readers: Readers | None = None,
    allow_imports: bool = False,
) -> tuple[ChainItem, ...]:
    """The effects of a chain, in the order in which they apply.

    Effects are separated by commas; a colon is followed by the effect's main option: ``tint:0.2``, ``colormap:turbo``.
    ``none`` alone gives an empty chain. ``values`` are options by effect and name, with the types of TOML and JSON, and
    ``readers`` read those that are kept in files. With ``allow_imports``, which is only for text from this machine's
    user because it runs code, ``package.module:Class`` is a custom effect, constructed without arguments.

    Raises ``ConfigurationError`` that names the wrong part.
    """
    if text.strip() == NO_EFFECT:
        return ()
    chain = tuple(
        _own_effect(*part.split(":")) if allow_imports and _is_own(part) else _parse_item(part, values or {}, readers)
        for part in map(str.strip, text.split(","))
    )
    check_chain(chain)
    return chain


def names_in(text: str) -> list[str]:
    """The names of built-in effects in a chain, each once, whether or not the chain is valid."""
    names = (part.strip().partition(":")[0] for part in text.split(","))
    return list(dict.fromkeys(name for name in names if name in EFFECTS))


def check_chain(chain: Sequence[ChainItem]) -> None:
    """Raises ``ConfigurationError`` if a temporal effect is not the first."""
    for item in chain[1:]:
        if isinstance(item, EffectOptions) and entry_of(item).build_temporal is not None:
            raise ConfigurationError(
                f"Effect '{item.section}' comes once and first: what follows builds on its colours."
            )


def needs_of(item: ChainItem) -> frozenset[Need]:
    """What an effect needs; a custom one declares it in an attribute ``needs``."""
    return frozenset(getattr(item, "needs", OWN_EFFECT_NEEDS))


def needs_of_all(chain: Iterable[ChainItem]) -> frozenset[Need]:
    return frozenset().union(*map(needs_of, chain))


def temporal_of(chain: Sequence[ChainItem]) -> tuple[EffectOptions, EffectEntry] | None:
    """The temporal effect that leads the chain, and its entry; ``None`` if there is none."""
    first = chain[0] if chain else None
    if not isinstance(first, EffectOptions) or entry_of(first).build_temporal is None:
        return None
    return first, entry_of(first)


def _is_own(part: str) -> bool:
    """Whether a part of a chain names a custom effect, ``module:Class``."""
    name, _, value = part.partition(":")
    return name not in EFFECTS and value.isidentifier()


def _parse_item(part: str, values: Mapping[str, Mapping[str, Any]], readers: Readers | None) -> EffectOptions:
    name, colon, value = part.partition(":")
    if colon and not value:
        raise ConfigurationError(f"Effect '{part}' lacks what should follow the colon; leave the colon out.")
    if name == NO_EFFECT:
        raise ConfigurationError(f"Effect '{NO_EFFECT}' stands alone.")
    if name in EFFECTS:
        entry = EFFECTS[name]
        options = load_options(entry.options, values.get(name, {}), readers)
        return entry.with_main(options, value) if colon else options
    raise ConfigurationError(f"Unknown effect '{name}'{nearest(name, [*EFFECTS, NO_EFFECT])}")


def _own_effect(module_name: str, class_name: str) -> Effect:
    """An instance of the user's class ``module:Class``."""
    name = f"{module_name}:{class_name}"
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise ConfigurationError(
            f"Effect '{name}': {error}. Known are {', '.join(EFFECTS)}; "
            "a module of your own must be on the import path."
        ) from error
    except AttributeError as error:
        raise ConfigurationError(f"Effect '{name}': {error}.") from error
    except Exception as error:
        raise ConfigurationError(f"Effect '{name}': {module_name} fails: {_in_words(error)}.") from error
    try:
        inspect.signature(kind).bind()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"Effect '{name}' cannot be made without arguments: {error}.") from error
    try:
        made = kind()
    except Exception as error:
        raise ConfigurationError(f"Effect '{name}' cannot be made: {_in_words(error)}.") from error
    if not callable(getattr(made, "apply", None)):
        raise ConfigurationError(f"Effect '{name}' has no method apply(frame, scene).")
    return cast(Effect, made)


def _in_words(error: Exception) -> str:
    """One line, also for a ``SyntaxError``, whose text has several."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".rstrip(": ")
