"""What recolours the picture: one module, one class and one dataclass of options per effect."""

from .colormap import Colormap, ColormapOptions
from .overlay import Overlay
from .tint import Tint, TintOptions

__all__ = ["Colormap", "ColormapOptions", "Overlay", "Tint", "TintOptions"]
