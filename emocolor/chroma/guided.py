"""Joint upsampling: coarse values scaled up so that they change where the frame does.

This is the guided filter (He, Sun and Tang 2013) in its fast form (He and Sun 2015). Around each coarse point the
values are modelled as a linear function of the guide. Its two coefficients vary slowly, so they are what is scaled up;
then the function is applied to the fine guide.
"""

import cv2
import numpy as np

from ..arrays import Map


def guided_upsample(values: Map, guide: Map, fine_guide: Map, *, radius: int = 2, epsilon: float = 1e-3) -> Map:
    """Scale coarse values (h, w, c) to the resolution of ``fine_guide`` (H, W): (H, W, c) float32.

    ``guide`` (h, w) and ``fine_guide`` show the same frame in [0, 1]. Steps in the guide much smaller than the square
    root of ``epsilon`` count as noise. ``radius``, in coarse points, is that of the windows in which functions are
    fitted.
    """
    slope, offset = linear_model(values, guide, radius, epsilon)
    size_wh = fine_guide.shape[1], fine_guide.shape[0]
    fine_slope, fine_offset = (cv2.resize(part, size_wh, interpolation=cv2.INTER_LINEAR) for part in (slope, offset))
    shape = (*fine_guide.shape, values.shape[2])
    return np.asarray(fine_slope.reshape(shape) * fine_guide[..., None] + fine_offset.reshape(shape), np.float32)


def linear_model(values: Map, guide: Map, radius: int, epsilon: float) -> tuple[Map, Map]:
    """Fit the values as linear functions of the guide around each point; return slope and offset, each (h, w, c)."""
    shape = values.shape
    guide = guide[..., None]
    guide_mean, values_mean = _mean(guide, radius), _mean(values, radius)
    variance = _mean(guide * guide, radius) - guide_mean**2
    covariance = _mean(guide * values, radius) - guide_mean * values_mean
    slope = covariance / (np.maximum(variance, 0) + epsilon)
    offset = values_mean - slope * guide_mean
    return _mean(slope, radius).reshape(shape), _mean(offset, radius).reshape(shape)


def _mean(values: Map, radius: int) -> Map:
    """Box filter with a side of ``2 * radius + 1`` points; (h, w, c) in and out."""
    side = 2 * radius + 1
    blurred = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32).reshape(values.shape)
