"""A smiling portrait that can be made to show other emotions, by warping it and a little retouching."""

from .expressions import EXPRESSIONS, Expression, Mouth
from .features import read_portrait
from .warp import ExpressivePortrait

__all__ = ["EXPRESSIONS", "Expression", "ExpressivePortrait", "Mouth", "read_portrait"]
