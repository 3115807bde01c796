"""Effects as they are asked for on a command line: ``colorize,tint:0.2``, one after the other."""

from dataclasses import dataclass, field, replace

from emocolor.effects import ColorizeOptions, ColormapOptions, GradeOptions, TintOptions
from emocolor.errors import ConfigurationError
from emocolor.gradients import parse_gradient
from emocolor.palettes import nearest

EffectOptions = TintOptions | ColormapOptions | GradeOptions | ColorizeOptions

EFFECTS = ("tint", "colormap", "colorize", "grade", "none")


@dataclass(frozen=True, kw_only=True)
class EffectSettings:
    """The options that each effect takes where it is asked for."""

    tint: TintOptions = field(default_factory=TintOptions)
    colormap: ColormapOptions = field(default_factory=ColormapOptions)
    colorize: ColorizeOptions = field(default_factory=ColorizeOptions)
    grade: GradeOptions = field(default_factory=GradeOptions)


def parse_chain(text: str, settings: EffectSettings) -> tuple[EffectOptions, ...]:
    """The effects in the order that they apply, with the given options.

    Effects are parted by commas. What follows a colon stands for an effect's main option: alpha of ``tint``,
    map of ``colormap``, vividness of ``colorize``, strength of ``grade``. ``none``, alone, is no effect. Raises
    ``ConfigurationError`` that names the part that cannot be understood.
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
        case "none":
            raise ConfigurationError("Effect 'none' stands alone.")
    raise ConfigurationError(f"Unknown effect '{name}'{nearest(name, EFFECTS)}")


def _number(part: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigurationError(f"Effect '{part}': '{value}' is no number.") from None
