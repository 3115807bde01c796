"""What recolours the picture: one module, one class and one dataclass of options per effect."""

from .overlay import Overlay
from .tint import Tint, TintOptions

__all__ = ["Overlay", "Tint", "TintOptions"]
