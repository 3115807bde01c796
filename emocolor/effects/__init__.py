"""Effects: what recolours a frame. One module, one class and one group of options each; see :mod:`.table`."""

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
