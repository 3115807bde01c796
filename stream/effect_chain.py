"""Effects as they are asked for on a command line: ``colormap:turbo,tint:0.2``, one after the other."""

from dataclasses import replace

from emocolor.effects import ColormapOptions, TintOptions
from emocolor.errors import ConfigurationError
from emocolor.gradients import parse_gradient
from emocolor.palettes import nearest

EffectOptions = TintOptions | ColormapOptions

EFFECTS = ("tint", "colormap", "none")


def parse_chain(text: str, tint: TintOptions, colormap: ColormapOptions) -> tuple[EffectOptions, ...]:
    """The effects in the order that they apply, with the given options.

    Effects are parted by commas. What follows a colon stands for an effect's main option: alpha of
    ``tint``, map of ``colormap``. ``none``, alone, is no effect. Raises ``ConfigurationError`` that
    names the part that cannot be understood.
    """
    if text == "none":
        return ()
    return tuple(_parse_effect(part.strip(), tint, colormap) for part in text.split(","))


def _parse_effect(part: str, tint: TintOptions, colormap: ColormapOptions) -> EffectOptions:
    name, colon, value = part.partition(":")
    if colon and not value:
        raise ConfigurationError(f"Effect '{part}' lacks what should follow the colon; leave the colon out.")
    match name:
        case "tint":
            return replace(tint, alpha=_number(part, value)) if value else tint
        case "colormap":
            return replace(colormap, gradient=parse_gradient(value)) if value else colormap
        case "none":
            raise ConfigurationError("Effect 'none' stands alone.")
    raise ConfigurationError(f"Unknown effect '{name}'{nearest(name, EFFECTS)}.")


def _number(part: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigurationError(f"Effect '{part}': '{value}' is no number.") from None
