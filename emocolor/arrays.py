"""The array types that travel between modules, each named for what it holds.

An alias fixes the dtype; shape, range and colour space are those stated here unless a docstring says otherwise.
"""

import numpy as np
from numpy.typing import NDArray

GrayImage = NDArray[np.uint8]
"""(H, W) full-range luma, 0 black and 255 white."""
RgbImage = NDArray[np.uint8]
"""(H, W, 3) sRGB, channels in the order R, G, B."""

Levels = NDArray[np.float32]
"""(H, W) luma, 0 black and 1 white."""
Map = NDArray[np.float32]
"""(h, w) or (h, w, c): values on a grid that covers the whole frame, usually coarser than its planes."""
Mask = NDArray[np.float32]
"""(H, W) in [0, 1], 1 inside."""
AbMap = NDArray[np.float32]
"""(h, w, 2) a* and b* of CIELAB (D65), about -110 to 110."""
ChromaMap = NDArray[np.float32]
"""(h, w, 2) Cb and Cr, in about [-0.5, 0.5]."""
NetArray = NDArray[np.float32]
"""An input or output of a net; its docstring states the layout."""
StyleMixture = NDArray[np.float32]
"""(8,) with sum 1: weights of the seven styles, in the order of ``EMOTIONS``, and of the image as it is."""

Colors = NDArray[np.float64]
"""(..., 3) colours. R'G'B' and linear light are in [0, 1]; OKLab has L in [0, 1], a and b about [-0.4, 0.4]."""
Vector = NDArray[np.float64]
"""(N,), such as the seven probabilities in the order of ``EMOTIONS``."""
Points = NDArray[np.float64]
"""(N, 2) x and y in pixels."""
