"""A portrait that smiles, and can be made to show another emotion, by warping and a little paint."""

from .expressions import EXPRESSIONS, Expression, Mouth
from .features import read_portrait
from .warp import ExpressivePortrait

__all__ = ["EXPRESSIONS", "Expression", "ExpressivePortrait", "Mouth", "read_portrait"]
