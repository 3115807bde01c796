"""Data augmentation of training faces: geometry, light, and the degradations of video.

All random numbers come from the generator that is passed in, so a resumed run sees what an unbroken one would.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from emocolor.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Ranges of the random changes; the defaults are S0's recipe (section 5.0.3)."""

    rotation_degrees: float = 15.0
    shift: float = 0.15
    """Largest shift along each axis, as a fraction of the side."""
    zoom: float = 0.15
    """Largest change of scale."""
    stretch: bool = True
    """Zoom each axis independently, as Keras' ``ImageDataGenerator`` does."""
    flip: bool = True
    brightness: float = 0.0
    """Largest shift of all values, of [0, 1]."""
    contrast: float = 0.0
    """Largest relative change of the distance from mid-gray."""
    gamma: float = 0.0
    """Largest exponent as a power of two: 1 means from 0.5 to 2."""
    degrade: float = 0.0
    """Probability of one degradation of video: blur, low resolution, noise or JPEG."""
    erase: float = 0.0
    """Probability of random erasing (Zhong et al. 2020)."""

    def __post_init__(self) -> None:
        for name in ("degrade", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"augmentation.{name} is a probability, 0 to 1, got {getattr(self, name)}.")
        if not 0 <= self.zoom < 1:
            raise ConfigurationError(f"augmentation.zoom must lie in 0 to 1, got {self.zoom}.")


def augment(faces: Tensor, options: Augmentation, generator: torch.Generator) -> Tensor:
    """Change each face at random: (N, C, S, S) float in [0, 1] to the same."""
    faces = _move(faces, options, generator)
    faces = _relight(faces, options, generator)
    if options.degrade:
        faces = _degrade(faces, options.degrade, generator)
    if options.erase:
        faces = _erase(faces, options.erase, generator)
    return faces


def _uniform(count: int, limit: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=generator) * 2 - 1) * limit


def _move(faces: Tensor, options: Augmentation, generator: torch.Generator) -> Tensor:
    """Rotate, shift, zoom and flip; the edge is replicated where the image ends."""
    if not (options.rotation_degrees or options.shift or options.zoom or options.flip):
        return faces
    count = len(faces)
    angle = _uniform(count, math.radians(options.rotation_degrees), generator)
    scale_x = 1 + _uniform(count, options.zoom, generator)
    scale_y = 1 + _uniform(count, options.zoom, generator) if options.stretch else scale_x
    if options.flip:
        scale_x = scale_x * (torch.randint(0, 2, (count,), generator=generator) * 2 - 1)
    # affine_grid works in [-1, 1], so a shift by a fraction of the side is twice that fraction.
    shift_x, shift_y = (_uniform(count, 2 * options.shift, generator) for _ in range(2))
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack(
        [
            torch.stack([cos * scale_x, -sin * scale_y, shift_x], 1),
            torch.stack([sin * scale_x, cos * scale_y, shift_y], 1),
        ],
        1,
    )
    grid = functional.affine_grid(matrix, list(faces.shape), align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _relight(faces: Tensor, options: Augmentation, generator: torch.Generator) -> Tensor:
    """Gamma, contrast and brightness, clipped to [0, 1]."""
    if not (options.gamma or options.contrast or options.brightness):
        return faces

    def draw(limit: float) -> Tensor:
        return _uniform(len(faces), limit, generator).view(-1, 1, 1, 1)

    faces = faces.clamp(1e-4, 1) ** torch.exp2(draw(options.gamma))
    return ((faces - 0.5) * (1 + draw(options.contrast)) + 0.5 + draw(options.brightness)).clamp(0, 1)


def _degrade(faces: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    random = np.random.default_rng(int(torch.randint(0, 2**31 - 1, (1,), generator=generator)))
    faces = faces.clone()
    for index in np.flatnonzero(random.random(len(faces)) < probability):
        face = (faces[index].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        degraded = _DEGRADATIONS[random.integers(len(_DEGRADATIONS))](np.ascontiguousarray(face), random)
        faces[index] = torch.from_numpy(degraded.reshape(face.shape)).permute(2, 0, 1).float() / 255
    return faces


def _blur(face: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(face, (0, 0), random.uniform(0.4, 1.6) * face.shape[0] / 48))


def _shrink(face: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    side = face.shape[0]
    small = cv2.resize(face, None, fx=(scale := random.uniform(0.4, 0.8)), fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC))


def _noise(face: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    noisy = face + random.normal(0, random.uniform(2, 16), face.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _jpeg(face: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    _, packed = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 80))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED))


_DEGRADATIONS = (_blur, _shrink, _noise, _jpeg)


def _erase(faces: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Fill a rectangle of 2 to 20 % of the area, aspect ratio 1:3 to 3:1, with one random gray level."""
    faces = faces.clone()
    count, side = len(faces), faces.shape[-1]
    chosen = torch.rand(count, generator=generator) < probability
    area = 0.02 + 0.18 * torch.rand(count, generator=generator)
    ratio = torch.exp(_uniform(count, math.log(3), generator))
    height, width = ((area * r).sqrt().clamp(max=1) * side for r in (ratio, 1 / ratio))
    top, left = ((torch.rand(count, generator=generator) * (side - size)).long() for size in (height, width))
    gray = torch.rand(count, generator=generator)
    for i in torch.nonzero(chosen).flatten().tolist():
        rows, columns = slice(top[i], top[i] + int(height[i])), slice(left[i], left[i] + int(width[i]))
        faces[i, :, rows, columns] = gray[i]
    return faces
