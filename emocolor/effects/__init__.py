"""Effects, which recolour frames. Each is a module with a class and a group of options; :mod:`.table` lists them."""

from .chain import ChainItem, parse_chain
from .colorize import Colorize, ColorizeOptions
from .colormap import Colormap, ColormapOptions
from .grade import Grade, GradeOptions
from .overlay import Overlay, OverlayOptions
from .style import Style, StyleOptions
from .table import EFFECTS, EffectEntry
from .tint import Tint, TintOptions

__all__ = [
    "EFFECTS",
    "ChainItem",
    "Colorize",
    "ColorizeOptions",
    "Colormap",
    "ColormapOptions",
    "EffectEntry",
    "Grade",
    "GradeOptions",
    "Overlay",
    "OverlayOptions",
    "Style",
    "StyleOptions",
    "Tint",
    "TintOptions",
    "parse_chain",
]
