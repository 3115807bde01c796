"""Face regions on planes: a soft ellipse around the box, turned with the head.

It includes forehead and chin, is 1 inside and falls smoothly to 0 at its border, so that an effect on a face leaves no
visible edge.
"""

import math
from typing import Final

import cv2
import numpy as np

from .arrays import Mask
from .faces import Face

FACE_SCALE_WH: Final = (0.80, 0.95)
"""Half axes of the ellipse as fractions of the box's width and height."""


def soft_disc(feather: float, size: int = 128) -> Mask:
    """A disc, (size, size) float32: 1 inside, falling smoothly (smoothstep) to 0 at the border.

    ``feather`` is the width of the soft edge as a fraction of the radius, in (0, 1].
    """
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    radius = np.hypot(axis[:, None], axis[None, :])
    ramp = np.clip((1 - radius) / feather, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def place_disc(
    disc: Mask, face: Face, subsampling: tuple[int, int], shape: tuple[int, ...]
) -> tuple[slice, slice, Mask] | None:
    """Stretch and turn the disc onto a face; return rows, columns and mask of the part inside the plane.

    ``subsampling`` is the number of luma pixels per pixel of the plane, (horizontally, vertically), and ``shape`` the
    plane's (H, W). The mask, float32 in [0, 1], has the shape of the area that rows and columns select. ``None`` if the
    face lies outside the plane.
    """
    step_x, step_y = subsampling
    center_x, center_y = face.box.center
    half_w, half_h = face.box.width * FACE_SCALE_WH[0], face.box.height * FACE_SCALE_WH[1]
    cos, sin = math.cos(math.radians(face.roll_degrees)), math.sin(math.radians(face.roll_degrees))
    reach_x, reach_y = math.hypot(half_w * cos, half_h * sin), math.hypot(half_w * sin, half_h * cos)
    left, right = (
        max(0, math.floor((center_x - reach_x) / step_x)),
        min(shape[1], math.ceil((center_x + reach_x) / step_x)),
    )
    top, bottom = (
        max(0, math.floor((center_y - reach_y) / step_y)),
        min(shape[0], math.ceil((center_y + reach_y) / step_y)),
    )
    if right <= left or bottom <= top:
        return None
    # One affine map: plane pixel -> luma position -> the ellipse's own axes -> disc pixel. Pixel centres lie at + 0.5.
    radius = disc.shape[0] / 2
    offset_x, offset_y = (left + 0.5) * step_x - center_x, (top + 0.5) * step_y - center_y
    across = np.array([cos * step_x, sin * step_y, cos * offset_x + sin * offset_y]) * radius / half_w
    down = np.array([-sin * step_x, cos * step_y, -sin * offset_x + cos * offset_y]) * radius / half_h
    across[2] += radius - 0.5
    down[2] += radius - 0.5
    mask = cv2.warpAffine(
        disc, np.stack([across, down]), (right - left, bottom - top), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return slice(top, bottom), slice(left, right), np.asarray(mask, np.float32)
