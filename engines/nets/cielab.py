"""sRGB to CIELAB (D65) and back, on tensors, with gradients that stay finite at black.

Everything is computed in float32, also under autocast: bfloat16 would leave 8 bits for a colour. The constants are
those of OpenCV's conversion, whose float32 version interpolates and so deviates by up to 0.6 from these exact values.
"""

from typing import Final

import torch
from torch import Tensor

from .ab_bins import LIGHT_TO_XYZ

_XYZ_TO_LIGHT: Final = torch.from_numpy(LIGHT_TO_XYZ).inverse().tolist()
_LIGHT_TO_XYZ: Final = LIGHT_TO_XYZ.tolist()
_KNEE: Final = 6 / 29
"""Below the cube of this, CIELAB replaces the cube root by a line."""


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """sRGB values to linear light, 1 for white; any shape, float32. The linear part continues below 0."""
    rgb = rgb.float()
    return torch.where(rgb > 0.04045, ((rgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4, rgb / 12.92)


def linear_to_srgb(light: Tensor) -> Tensor:
    """Linear light to sRGB values, unclipped; any shape, float32. The linear part continues below 0."""
    light = light.float()
    return torch.where(light > 0.0031308, 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055, light * 12.92)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) in [0, 1] to CIELAB of the same shape, float32: L* in [0, 100], a* and b* about +-110."""
    x, y, z = (_to_cube_root(channel) for channel in _mixed(_LIGHT_TO_XYZ, srgb_to_linear(rgb)))
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def lab_to_rgb(lab: Tensor, *, clip: bool = True) -> Tensor:
    """CIELAB (..., 3, H, W) to sRGB of the same shape, float32.

    With ``clip``, colours outside sRGB are clipped to [0, 1], where the gradient is zero.
    """
    lightness, a, b = lab.float().unbind(-3)
    y = (lightness + 16) / 116
    xyz = torch.stack([_from_cube_root(f) for f in (y + a / 500, y, y - b / 200)], dim=-3)
    rgb = linear_to_srgb(torch.stack(_mixed(_XYZ_TO_LIGHT, xyz), dim=-3))
    return rgb.clamp(0, 1) if clip else rgb


def lightness(gray: Tensor) -> Tensor:
    """L* in [0, 100], float32, of gray levels in [0, 1], Y' of BT.601 (which is R' = G' = B' of gray); any shape."""
    return 116 * _to_cube_root(srgb_to_linear(gray)) - 16


def _mixed(matrix: list[list[float]], channels: Tensor) -> list[Tensor]:
    """A 3x3 matrix times (..., 3, H, W), as three (..., H, W); spelled out, since autocast would round a matmul."""
    first, second, third = channels.unbind(-3)
    return [row[0] * first + row[1] * second + row[2] * third for row in matrix]


def _to_cube_root(x: Tensor) -> Tensor:
    return torch.where(x > _KNEE**3, x.clamp_min(_KNEE**3) ** (1 / 3), x / (3 * _KNEE**2) + 4 / 29)


def _from_cube_root(f: Tensor) -> Tensor:
    return torch.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29))
