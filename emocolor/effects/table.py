"""The table of all built-in effects: their names, options and constructors.

The command line, presets, live controls, the page, the plan and the documentation read it. A new effect takes a module
beside this one and an entry here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from ..errors import ConfigurationError
from ..options import EffectOptions, Option, options_of
from ..protocols import Effect, Nets
from .colorize import Colorize, ColorizeOptions
from .colormap import Colormap, ColormapOptions
from .grade import Grade, GradeOptions
from .overlay import Overlay, OverlayOptions
from .style import Style, StyleOptions
from .tint import Tint, TintOptions


@dataclass(frozen=True, kw_only=True)
class EffectEntry:
    """A built-in effect. Exactly one of ``build`` and ``build_temporal`` is given."""

    options: type[EffectOptions]
    main: str
    """The option that ``NAME:VALUE`` sets in a chain; empty if there is none."""
    description: str
    """One line that helps people choose."""
    build: Callable[[Any, Nets], Effect] | None = None
    """Builds it from its options and the nets it needs. It sees one frame at a time."""
    build_temporal: Callable[[Any, Nets], Colorize] | None = None
    """The same for a temporal effect, which takes the frames of a shot in order and may hold them back. It comes first
    in a chain, and only once."""
    costly: bool = False
    """Slow on a CPU, so several frames are rendered in parallel, by workers with nets of their own."""

    def with_main(self, options: EffectOptions, text: str) -> EffectOptions:
        """``options`` with the value that follows the effect's name in a chain.

        Raises ``ConfigurationError`` for a value that cannot be read.
        """
        main = next((one for one in options_of(self.options) if one.name == self.main), None)
        if main is None:
            raise ConfigurationError(f"Effect '{options.section}' takes no value behind a colon.")
        return replace(options, **{main.name: main.load(_number(text, main) if main.base in (int, float) else text)})


def _number(text: str, main: Option) -> Any:
    try:
        return main.base(text)
    except ValueError:
        raise ConfigurationError(f"Effect '{main.section}:{text}': '{text}' is no number.") from None


EFFECTS: Final[dict[str, EffectEntry]] = {
    "tint": EffectEntry(
        options=TintOptions,
        main="alpha",
        description="Blend the frame, faces, people or the background with the colour of the emotion.",
        build=lambda options, nets: Tint(options),
    ),
    "grade": EffectEntry(
        options=GradeOptions,
        main="strength",
        description="Keep the colours and move them toward the emotion; skin is protected.",
        build=lambda options, nets: Grade(options),
    ),
    "style": EffectEntry(
        options=StyleOptions,
        main="strength",
        description="Paint in the style of the emotion, by a net that morphs between seven paintings.",
        build=lambda options, nets: Style(options, nets.style_transfer(options.net, options.precision)),
        costly=True,
    ),
    "colormap": EffectEntry(
        options=ColormapOptions,
        main="gradient",
        description="Colour by lightness: OpenCV's colormaps or gradients of your own.",
        build=lambda options, nets: Colormap(options),
    ),
    "colorize": EffectEntry(
        options=ColorizeOptions,
        main="vividness",
        description="Give gray footage natural, stable colours; luma stays bit for bit.",
        build_temporal=lambda options, nets: Colorize(options, nets.colorizer(options.net)),
    ),
    "overlay": EffectEntry(
        options=OverlayOptions,
        main="",
        description="Draw boxes, track ids, probabilities and certainty.",
        build=lambda options, nets: Overlay(options),
    ),
}
"""Effects by the name that a chain calls them."""


def entry_of(options: EffectOptions) -> EffectEntry:
    """The table's entry for an effect's options."""
    return EFFECTS[options.section]
