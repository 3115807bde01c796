"""Effects as they are asked for on a command line: ``colorize,tint:0.2``, one after the other."""

from dataclasses import dataclass, field, replace

from emocolor.effects import ColorizeOptions, ColormapOptions, GradeOptions, StyleOptions, TintOptions
from emocolor.errors import ConfigurationError
from emocolor.gradients import parse_gradient
from emocolor.palettes import nearest

EffectOptions = TintOptions | ColormapOptions | GradeOptions | StyleOptions | ColorizeOptions

EFFECTS = ("tint", "colormap", "colorize", "grade", "style", "none")


@dataclass(frozen=True, kw_only=True)
class EffectSettings:
    """The options that each effect takes where it is asked for."""

    tint: TintOptions = field(default_factory=TintOptions)
    colormap: ColormapOptions = field(default_factory=ColormapOptions)
    colorize: ColorizeOptions = field(default_factory=ColorizeOptions)
    grade: GradeOptions = field(default_factory=GradeOptions)
    style: StyleOptions = field(default_factory=StyleOptions)


def parse_chain(text: str, settings: EffectSettings) -> tuple[EffectOptions, ...]:
    """The effects in the order that they apply, with the given options.

    Effects are parted by commas. What follows a colon stands for an effect's main option: alpha of ``tint``,
    map of ``colormap``, vividness of ``colorize``, strength of ``grade`` and of ``style``. ``none``, alone, is no
    effect. Raises ``ConfigurationError`` that names the part that cannot be understood.
    """
    if text == "none":
        return ()
    chain = tuple(_parse_effect(part.strip(), settings) for part in text.split(","))
    check_chain(chain)
    return chain


def check_chain(effects: tuple[EffectOptions, ...]) -> None:
    """Raises ``ConfigurationError`` where ``colorize`` stands behind another effect."""
    if any(isinstance(options, ColorizeOptions) for options in effects[1:]):
        raise ConfigurationError(
            "Effect 'colorize' comes once and first: it gives the film as it was shot its colours."
        )


def _parse_effect(part: str, settings: EffectSettings) -> EffectOptions:
    name, colon, value = part.partition(":")
    if colon and not value:
        raise ConfigurationError(f"Effect '{part}' lacks what should follow the colon; leave the colon out.")
    match name:
        case "tint":
            return replace(settings.tint, alpha=_number(part, value)) if value else settings.tint
        case "colormap":
            return replace(settings.colormap, gradient=parse_gradient(value)) if value else settings.colormap
        case "colorize":
            return replace(settings.colorize, vividness=_number(part, value)) if value else settings.colorize
        case "grade":
            return replace(settings.grade, strength=_number(part, value)) if value else settings.grade
        case "style":
            return replace(settings.style, strength=_number(part, value)) if value else settings.style
        case "none":
            raise ConfigurationError("Effect 'none' stands alone.")
    raise ConfigurationError(f"Unknown effect '{name}'{nearest(name, EFFECTS)}")


def _number(part: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigurationError(f"Effect '{part}': '{value}' is no number.") from None


def fixed_styles(style: str | None, mix: str | None) -> dict[str, float] | None:
    """The parts of styles that ``--style happy`` or ``--style-mix happy=0.7,sad=0.3`` fix, or ``None`` for neither.

    Raises ``ConfigurationError`` for both at once and for what is no mixture; ``StyleOptions`` knows names and values.
    """
    if style is not None and mix is not None:
        raise ConfigurationError("--style and --style-mix both say what is painted; pass one of them.")
    if style is not None:
        return {style: 1.0}
    return None if mix is None else _parse_mixture(mix)


def _parse_mixture(text: str) -> dict[str, float]:
    parts: dict[str, float] = {}
    for entry in text.split(","):
        name, equals, value = (word.strip() for word in entry.partition("="))
        if not equals:
            raise ConfigurationError(
                f"'{entry}' is no part of a mixture; write EMOTION=PART,..., as happy=0.7,sad=0.3."
            )
        if name in parts:
            raise ConfigurationError(f"The mixture '{text}' names {name} twice.")
        try:
            parts[name] = float(value)
        except ValueError:
            raise ConfigurationError(f"The part of style '{name}' must be a number from 0 up, got '{value}'.") from None
    return parts
