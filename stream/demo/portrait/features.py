"""The portrait that ships, NASA's of Eileen Collins, and the positions of her features in it.

Positions are in pixels of the portrait (512 x 512), x to the right and y down, with whole numbers at pixel centres.
They were measured by hand.
"""

from importlib import resources
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage

LipEdges = NDArray[np.float64]
"""(4, N, 2) points on top and edge of the upper lip, and edge and bottom of the lower; corners first and last."""


FACE_XYWH: Final = (160, 56, 130, 150)
"""The part of the portrait that moves, hair to collar."""

# Pairs are (the person's right, left); features on the midline have one point.
PAIRED_FEATURES: Final = {
    "inner brow": ((212.3, 91.8), (238.3, 93.0)),
    "middle brow": ((198.5, 88.0), (253.0, 91.8)),
    "outer brow": ((189.5, 90.0), (262.3, 95.0)),
    "lid crease": ((202.0, 94.8), (248.0, 97.3)),
    "upper lid": ((203.0, 97.8), (247.5, 100.5)),
    "lower lid": ((203.0, 104.3), (246.5, 106.4)),
    "outer eye": ((192.3, 100.0), (258.5, 103.5)),
    "inner eye": ((213.0, 103.0), (236.5, 105.0)),
    "nostril": ((209.0, 126.5), (239.0, 128.0)),
    "cheek": ((193.0, 122.0), (256.0, 125.0)),
    "fold": ((198.0, 136.0), (249.5, 137.5)),
    "jaw": ((199.7, 167.7), (244.1, 170.1)),
    "jaw angle": ((185.0, 149.0), (265.0, 144.0)),
}
MIDLINE_FEATURES: Final = {
    "glabella": (225.5, 92.0),
    "nose bridge": (224.5, 101.0),
    "nose tip": (223.5, 131.0),
    "chin front": (222.0, 165.0),
    "chin": (221.5, 177.5),
}
FIXED_POINTS: Final = ((206, 78), (240, 80), (178, 112), (272, 117), (205, 196), (222, 198), (240, 196))

# Edges of the lips at these x, from the person's right corner of the mouth to the left.
MOUTH_X: Final = (203.0, 208.0, 213.0, 218.0, 223.0, 229.0, 234.0, 239.0, 244.0)
UPPER_LIP_TOP: Final = (139.9, 139.2, 138.9, 139.1, 139.9, 139.2, 139.6, 140.0, 140.7)
UPPER_LIP_EDGE: Final = (139.9, 141.3, 142.0, 143.2, 144.0, 143.4, 142.9, 141.0, 140.7)
LOWER_LIP_EDGE: Final = (139.9, 144.6, 147.5, 148.9, 149.4, 149.0, 147.4, 144.9, 140.7)
LOWER_LIP_BOTTOM: Final = (139.9, 147.3, 152.0, 154.3, 155.0, 155.0, 152.8, 148.0, 140.7)
MOUTH_CENTER: Final = (223.4, 145.0)
SMILE_HALF_WIDTH: Final = 20.5
HEAD_TILT: Final = 0.02
"""Pixels down per pixel to the right, along a line from eye to eye."""
SMILE_FOLDS: Final = (
    ((208, 127.5), (202.5, 131.5), (198, 136), (196, 141)),
    ((241, 128.5), (246, 132.5), (250, 138), (251, 142)),
)


def read_portrait() -> RgbImage:
    """The portrait, (512, 512, 3) RGB."""
    data = (resources.files("stream.demo") / "assets" / "portrait.jpg").read_bytes()
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def smiling_lips() -> LipEdges:
    """The mouth of the portrait."""
    edges = (UPPER_LIP_TOP, UPPER_LIP_EDGE, LOWER_LIP_EDGE, LOWER_LIP_BOTTOM)
    return np.stack([np.stack([MOUTH_X, edge], axis=1) for edge in edges])
