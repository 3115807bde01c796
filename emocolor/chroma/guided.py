"""Coarse values brought to a fine grid so that they change where the frame does.

The guided filter (He, Sun and Tang 2013) in its fast form (He and Sun 2015): around each coarse point the
values are taken as a linear function of the guide; the function's two coefficients vary slowly, so they are
scaled up, and the function is applied to the fine guide.
"""

import cv2
import numpy as np

from ..arrays import Map


def guided_upsample(values: Map, guide: Map, fine_guide: Map, *, radius: int = 2, epsilon: float = 1e-3) -> Map:
    """Coarse values (h, w, c) at the resolution of ``fine_guide`` (H, W): (H, W, c) float32.

    ``guide`` (h, w) and ``fine_guide`` show the same frame in [0, 1]. Steps in the guide much smaller
    than the root of ``epsilon`` count as noise; ``radius``, in coarse points, is how far a function reaches.
    """
    slope, offset = linear_model(values, guide, radius, epsilon)
    size_wh = fine_guide.shape[1], fine_guide.shape[0]
    fine_slope, fine_offset = (cv2.resize(part, size_wh, interpolation=cv2.INTER_LINEAR) for part in (slope, offset))
    shape = (*fine_guide.shape, values.shape[2])
    return np.asarray(fine_slope.reshape(shape) * fine_guide[..., None] + fine_offset.reshape(shape), np.float32)


def linear_model(values: Map, guide: Map, radius: int, epsilon: float) -> tuple[Map, Map]:
    """Slope and offset, each (h, w, c), of the values as functions of the guide around each point."""
    shape = values.shape
    guide = guide[..., None]
    guide_mean, values_mean = _mean(guide, radius), _mean(values, radius)
    variance = _mean(guide * guide, radius) - guide_mean**2
    covariance = _mean(guide * values, radius) - guide_mean * values_mean
    slope = covariance / (np.maximum(variance, 0) + epsilon)
    offset = values_mean - slope * guide_mean
    return _mean(slope, radius).reshape(shape), _mean(offset, radius).reshape(shape)


def _mean(values: Map, radius: int) -> Map:
    """Means over squares of ``2 * radius + 1`` points; (h, w, c) in and out."""
    side = 2 * radius + 1
    blurred = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32).reshape(values.shape)
