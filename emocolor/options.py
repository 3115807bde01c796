"""How an option is declared: once, as an annotated field of a frozen dataclass.

The field's annotation holds everything: its type, its bounds or choices, its unit, its help, and whether it may change
while a live session runs. The command line, preset files, live controls, the page's form, its JSON schema, the plan
and the documentation all read :func:`options_of`; no bound and no default is written anywhere else::

    @dataclass(frozen=True, kw_only=True)
    class DimOptions(EffectOptions):
        section: ClassVar[str] = "dim"

        strength: Annotated[float, option("How dark it gets.", ge=0, le=1, live=True)] = 0.5

Values are checked by msgspec, when they are constructed and when they are read from text.
"""

import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

import msgspec

from .errors import ConfigurationError, nearest

Need = Literal["faces", "people", "chroma", "cuts"]
"""What an effect needs of the program: tracked faces with their emotions, person masks, chroma planes that may be
written, or shot boundaries alone."""
Catalog = Literal["palettes", "emotion nets", "colorizers", "style nets"]
"""What ships under a name; the edge knows the names."""

Readers = Mapping[Any, Callable[[str], Any]]
"""By type: what reads a value of it from its name or path."""

_PLAIN = (float, int, str, bool)
_EXTRA = "emocolor"


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """An option's names on the command line.

    An effect's option is ``--EFFECT-FLAG``, and also ``--SHORT``; effects that share a short name get the value
    together. Other options are ``--FLAG``.
    """

    flag: str | None = None
    """By default the field's name."""
    short: str | None = None
    """By default the flag; empty for none."""
    letter: str = ""
    """A one-letter name."""
    aliases: tuple[str, ...] = ()
    """Former names."""
    metavar: str | None = None
    """What help shows for the value."""


@dataclass(frozen=True, kw_only=True)
class TextForm:
    """How values of a type that TOML does not have are read from text, and written."""

    parse: Callable[[str], Any] | None = None
    """Raises ``ConfigurationError``. Values that are kept in files have a reader instead: see :data:`Readers`."""
    write: Callable[[Any], str] | None = None
    none: str = "none"
    """The word for ``None``."""


def option(
    help: str,
    *,
    label: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    unit: str = "",
    step: float | None = None,
    live: bool = False,
    cli: Spelling | None = None,
    text: TextForm | None = None,
    catalog: Catalog | None = None,
    suggestions: Sequence[str] = (),
) -> msgspec.Meta:
    """Declare an option: the metadata of an ``Annotated`` field.

    ``help`` is one sentence, and ``label`` a few words for a form. ``ge``, ``gt``, ``le`` and ``lt`` bound numbers;
    ``step`` is the slider's. ``live`` options may change while a session runs. ``catalog`` says what ships under names
    that the value may have, and ``suggestions`` are values worth offering where any text is allowed.
    """
    own = {
        "label": label,
        "unit": unit,
        "step": step,
        "live": live,
        "cli": cli or Spelling(),
        "text": text or TextForm(),
        "catalog": catalog,
        "suggestions": tuple(suggestions),
    }
    bounds: dict[str, Any] = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    return msgspec.Meta(description=help, extra={_EXTRA: own}, **bounds)


def fraction(help: str, *, label: str = "", cli: Spelling | None = None, text: TextForm | None = None) -> msgspec.Meta:
    """Declare an option from 0 to 1, a slider that may move while a session runs; otherwise as :func:`option`."""
    return option(help, label=label, ge=0, le=1, step=0.01, live=True, cli=cli, text=text)


@dataclass(frozen=True, kw_only=True)
class Option:
    """A declared option."""

    section: str
    """Where it belongs: an effect's name, or ``analysis``, ``output``, ..."""
    name: str
    """The field's name; also the key in TOML files and in live controls."""
    type: Any
    """With its ``Annotated`` metadata."""
    default: Any
    help: str
    label: str
    unit: str
    step: float | None
    live: bool
    cli: Spelling
    form: TextForm
    catalog: Catalog | None
    suggestions: tuple[str, ...]
    bounds: Mapping[str, float]

    @property
    def flag(self) -> str:
        """Its name on the command line within its section, without dashes before it."""
        return self.cli.flag or self.name.replace("_", "-")

    @property
    def short(self) -> str:
        """Its name on the command line without the section; empty where it has none."""
        return self.flag if self.cli.short is None else self.cli.short

    @property
    def key(self) -> str:
        """``section.name``: unique among all options."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @cached_property
    def base(self) -> Any:
        """The type without ``Annotated`` and without ``None``."""
        bare = _without_annotated(self.type)
        if get_origin(bare) in (typing.Union, types.UnionType):
            (bare,) = [_without_annotated(one) for one in get_args(bare) if one is not type(None)]
        return bare

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a ``Literal``; empty for other types."""
        return get_args(self.base) if get_origin(self.base) is Literal else ()

    @property
    def is_plain(self) -> bool:
        """Whether TOML and JSON have values of its type."""
        return self.base in _PLAIN or get_origin(self.base) in (Literal, tuple)

    @property
    def is_optional(self) -> bool:
        return type(None) in get_args(_without_annotated(self.type))

    @property
    def allowed(self) -> str:
        """What it takes, in words that follow "must be"."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        kind = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}.get(self.base, "valid")
        low, high = (self.bounds.get("ge", self.bounds.get("gt")), self.bounds.get("le", self.bounds.get("lt")))
        if low is not None and high is not None and not {"gt", "lt"} & set(self.bounds):
            return f"{kind} between {low:g} and {high:g}"
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        return " ".join([kind, " and ".join(f"{words[name]} {bound:g}" for name, bound in self.bounds.items())]).strip()

    def check(self, value: Any) -> None:
        """Raises ``ConfigurationError`` where ``value`` is not of its type or outside its bounds."""
        if value is None and self.is_optional:
            return
        if not self.is_plain:
            if not isinstance(value, get_origin(self.base) or self.base):
                raise self.error(value)
            return
        plain = value.item() if hasattr(value, "item") else value  # NumPy's scalars count as numbers
        try:
            msgspec.convert(plain, self.type)
        except msgspec.ValidationError:
            raise self.error(value) from None
        if isinstance(plain, float) and math.isnan(plain):
            raise self.error(value)

    def load(self, raw: Any, readers: Readers | None = None) -> Any:
        """The value that ``raw``, from TOML, JSON or the command line, stands for.

        ``readers`` read values of types that are kept in files. Raises ``ConfigurationError``.
        """
        read = self.form.parse or (readers or {}).get(self.base)
        if isinstance(raw, str) and read is not None:
            return read(raw)
        if self.is_plain and raw is not None:
            try:
                return msgspec.convert(raw, self.type, strict=True)
            except msgspec.ValidationError:
                raise self.error(raw) from None
        self.check(raw)
        return raw

    def error(self, value: Any) -> ConfigurationError:
        """The error for a value that cannot be: one line with what is allowed and what was given."""
        hint = nearest(value, [str(one) for one in self.choices]) if isinstance(value, str) and self.choices else ""
        given = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
        of = f"{self.section} {self.name}".strip()
        return ConfigurationError(f"{of} must be {self.allowed}, got {given}{hint if hint.endswith('?') else '.'}")

    def text(self, value: Any) -> str:
        """``value`` for people to read, and for :meth:`load` to read again."""
        if value is None:
            return self.form.none
        if self.form.write is not None:
            return self.form.write(value)
        if isinstance(value, bool):
            return "on" if value else "off"
        return f"{value:g}" if isinstance(value, float) else str(value)

    def plain(self, value: Any) -> Any:
        """``value`` as TOML and JSON have it."""
        return value if self.is_plain or value is None else self.text(value)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all groups of options: checks every declared field once, on construction."""

    section: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for declared in options_of(type(self)):
            declared.check(getattr(self, declared.name))


@dataclass(frozen=True, kw_only=True)
class EffectOptions(Options):
    """Options of an effect, and what follows from them."""

    @property
    def needs(self) -> frozenset[Need]:
        """What the program must find out or prepare for it."""
        return frozenset()

    @property
    def weighting(self) -> Literal["largest", "area"] | None:
        """How several faces make the emotion of the frame; ``None`` where it does not care."""
        return None

    @property
    def follows_faces_alone(self) -> bool:
        """Whether it leaves frames as they are as long as no face is seen."""
        return False

    def for_live(self) -> Self:
        """The options for a live session, which cannot wait for what follows."""
        return self


Group = TypeVar("Group", bound=Options)


def options_of(cls: type[Options]) -> tuple[Option, ...]:
    """The options that a group declares, in order; fields without :func:`option` are not among them."""
    return _declared_by(typing.cast(Any, cls))


@lru_cache(maxsize=256)
def _declared_by(cls: Any) -> tuple[Option, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found = []
    for field in fields(cls):
        meta = _meta_of(hints[field.name])
        if meta is None:
            continue
        own = (meta.extra or {})[_EXTRA]
        bounds = {name: bound for name in ("ge", "gt", "le", "lt") if (bound := getattr(meta, name)) is not None}
        found.append(
            Option(
                section=cls.section,
                name=field.name,
                type=hints[field.name],
                default=_default_of(field),
                help=meta.description or "",
                label=own["label"] or _label_of(field.name),
                unit=own["unit"],
                step=own["step"],
                live=own["live"],
                cli=own["cli"],
                form=own["text"],
                catalog=own["catalog"],
                suggestions=own["suggestions"],
                bounds=bounds,
            )
        )
    return tuple(found)


def load_options(cls: type[Group], raw: Mapping[str, Any], readers: Readers | None = None, **fixed: Any) -> Group:
    """A group from raw values by name, as TOML and JSON have them; ``fixed`` are fields that are no options.

    ``readers`` read values that are kept in files, by type. Raises ``ConfigurationError`` for a wrong value, and for an
    unknown name with the nearest known one.
    """
    known = {declared.name: declared for declared in options_of(cls)}
    for name in raw:
        if name not in known:
            raise ConfigurationError(f"There is no option '{name}' in {cls.section}{nearest(name, known)}")
    return cls(**{name: known[name].load(value, readers) for name, value in raw.items()}, **fixed)


def _label_of(name: str) -> str:
    """``edge_contrast`` as "Edge contrast", without a unit at its end."""
    return name.removesuffix("_px").removesuffix("_hz").replace("_", " ").capitalize()


def _meta_of(hint: Any) -> msgspec.Meta | None:
    """The metadata of :func:`option` in a hint, also inside ``Annotated[...] | None``."""
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and _EXTRA in (meta.extra or {}):
            return meta
    return next((meta for part in get_args(hint) if (meta := _meta_of(part)) is not None), None)


def _without_annotated(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint


def _default_of(field: Any) -> Any:
    return field.default if field.default is not MISSING else field.default_factory()
