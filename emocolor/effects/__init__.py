"""What recolours the picture: one module, one class and one dataclass of options per effect."""

from .colorize import Colorize, ColorizeOptions
from .colormap import Colormap, ColormapOptions
from .grade import Grade, GradeOptions
from .overlay import Overlay
from .style import Style, StyleOptions
from .tint import Tint, TintOptions

__all__ = [
    "Colorize",
    "ColorizeOptions",
    "Colormap",
    "ColormapOptions",
    "Grade",
    "GradeOptions",
    "Overlay",
    "Style",
    "StyleOptions",
    "Tint",
    "TintOptions",
]
