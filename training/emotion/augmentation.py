"""Random changes of training faces: where they lie, how they are lit, and what a camera does to them.

Everything draws from the generator that is passed in, so a resumed run sees what an unbroken one would.
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
    """What may happen to a training face; the defaults are S0's recipe (section 5.0.3)."""

    rotation_degrees: float = 15.0
    shift: float = 0.15
    """Largest shift along each axis, as a part of the side."""
    zoom: float = 0.15
    """Largest change of scale."""
    stretch: bool = True
    """The axes zoom independently, as Keras' ``ImageDataGenerator`` does it."""
    flip: bool = True
    brightness: float = 0.0
    """Largest shift of all values, of [0, 1]."""
    contrast: float = 0.0
    """Largest relative change of the distance from mid-gray."""
    gamma: float = 0.0
    """Largest exponent as a power of two: 1 means from 0.5 to 2."""
    degrade: float = 0.0
    """Part of the faces that go through one fault of video: blur, a smaller picture, noise or JPEG."""
    erase: float = 0.0
    """Part of the faces of which a rectangle is painted over (Zhong et al. 2020, random erasing)."""

    def __post_init__(self) -> None:
        for name in ("degrade", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"augmentation.{name} is a part, 0 to 1, got {getattr(self, name)}.")
        if not 0 <= self.zoom < 1:
            raise ConfigurationError(f"augmentation.zoom must lie in 0 to 1, got {self.zoom}.")


def augment(faces: Tensor, options: Augmentation, generator: torch.Generator) -> Tensor:
    """Each face changed at random: (N, C, S, S) float in [0, 1] to the same."""
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
    """Rotate, shift, zoom and flip; the edge is repeated where the picture ends."""
    if not (options.rotation_degrees or options.shift or options.zoom or options.flip):
        return faces
    count = len(faces)
    angle = _uniform(count, math.radians(options.rotation_degrees), generator)
    scale_x = 1 + _uniform(count, options.zoom, generator)
    scale_y = 1 + _uniform(count, options.zoom, generator) if options.stretch else scale_x
    if options.flip:
        scale_x = scale_x * (torch.randint(0, 2, (count,), generator=generator) * 2 - 1)
    # affine_grid works in [-1, 1], so a shift by a part of the side is twice that part.
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


def _degrade(faces: Tensor, part: float, generator: torch.Generator) -> Tensor:
    random = np.random.default_rng(int(torch.randint(0, 2**31 - 1, (1,), generator=generator)))
    faces = faces.clone()
    for index in np.flatnonzero(random.random(len(faces)) < part):
        picture = (faces[index].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        worse = _FAULTS[random.integers(len(_FAULTS))](np.ascontiguousarray(picture), random)
        faces[index] = torch.from_numpy(worse.reshape(picture.shape)).permute(2, 0, 1).float() / 255
    return faces


def _blur(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.6) * picture.shape[0] / 48))


def _shrink(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    side = picture.shape[0]
    small = cv2.resize(picture, None, fx=(scale := random.uniform(0.4, 0.8)), fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC))


def _noise(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    noisy = picture + random.normal(0, random.uniform(2, 16), picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _jpeg(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 80))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED))


_FAULTS = (_blur, _shrink, _noise, _jpeg)


def _erase(faces: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """A rectangle of 2 to 20 % of the area, sides 1:3 to 3:1, becomes one random gray."""
    faces = faces.clone()
    count, side = len(faces), faces.shape[-1]
    chosen = torch.rand(count, generator=generator) < part
    area = 0.02 + 0.18 * torch.rand(count, generator=generator)
    ratio = torch.exp(_uniform(count, math.log(3), generator))
    height, width = ((area * r).sqrt().clamp(max=1) * side for r in (ratio, 1 / ratio))
    top, left = ((torch.rand(count, generator=generator) * (side - size)).long() for size in (height, width))
    gray = torch.rand(count, generator=generator)
    for i in torch.nonzero(chosen).flatten().tolist():
        rows, columns = slice(top[i], top[i] + int(height[i])), slice(left[i], left[i] + int(width[i]))
        faces[i, :, rows, columns] = gray[i]
    return faces
