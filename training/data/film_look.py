"""Synthetic film look: what lens, emulsion, age and transfer do to a clean gray image.

Photos turned gray are cleaner than any film, so a colorizer trained on them alone takes grain for texture and faded
blacks for haze. Degradations come in the order in which footage meets them: the emulsion's spectral sensitivity
(:func:`to_gray`), the lens (vignetting, blur), development (gamma, contrast, grain), the years (fading, flicker,
scratches, dust), and the transfer to video (compression). Each is applied to a share of the images, with a strength
drawn uniformly from its range.

Sepia is left out: it is a colour, and a net that gets luma never sees it. So is interlacing: frames are deinterlaced
before a net sees them. Sizes are in pixels of the image that the net gets, because footage is scaled down to that
first. All random numbers come from the generator that is passed in, so a resumed run sees what an unbroken one would.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from emocolor.arrays import Levels
from emocolor.color import LUMA_WEIGHTS
from emocolor.errors import ConfigurationError

Chance = tuple[float, float, float]
"""Probability of a degradation, and the range of its strength: least and most."""

NEVER: Final = (0.0, 0.0, 0.0)


def _is_chance(value: tuple[float, ...], length: int) -> bool:
    """Whether these are ``length`` numbers: a range in order, and before it a probability."""
    if len(value) != length or not all(isinstance(number, int | float) for number in value):
        return False
    *probability, least, most = value
    return least <= most and all(0 <= p <= 1 for p in probability)


@dataclass(frozen=True, kw_only=True)
class FilmLook:
    """Probability and strength of each degradation; the ranges were set by eye next to frames of four old films."""

    red: Chance = (0.4, 0.0, 0.35)
    """Weight of red in gray; that of blue is then drawn from ``blue``, and green has the rest. Orthochromatic film,
    common until the 1930s, is nearly blind to red: lips and brick are dark, the sky is white."""
    blue: tuple[float, float] = (0.1, 0.5)
    """Range of the weight of blue where that of red is drawn."""
    vignette: Chance = (0.3, 0.1, 0.6)
    """Share of the light lost in the corner farthest from the optical axis."""
    blur: Chance = (0.4, 0.4, 1.3)
    """Standard deviation in pixels."""
    gamma: Chance = (0.5, -0.6, 0.6)
    """Exponent as a power of two."""
    contrast: Chance = (0.0, 3.0, 9.0)
    """Steepness of an S-shaped tone curve at its middle, from nearly straight (3) to shadows that close up and burnt
    lights (9)."""
    contrast_middle: tuple[float, float] = (0.35, 0.65)
    """Range of the level at which that curve is steepest: above a half, most of the image becomes dark."""
    grain: Chance = (0.6, 0.005, 0.045)
    """Standard deviation in mid-tones, of [0, 1]."""
    grain_px: tuple[float, float] = (0.3, 0.9)
    """Range of the grain size: standard deviation of the Gaussian that correlates the noise, px."""
    fade: Chance = (0.4, 0.05, 0.5)
    """Share of the contrast lost, by lifted blacks and dull whites in random proportions."""
    flicker: Chance = (0.3, -0.25, 0.25)
    """Change of exposure: the image is multiplied by 1 plus this."""
    scratches: Chance = (0.25, 1.0, 4.0)
    """Number of lines along the film, that is, from top to bottom."""
    dust: Chance = (0.25, 1.0, 12.0)
    """Number of specks and hairs."""
    compression: Chance = (0.4, 15.0, 70.0)
    """JPEG quality; its 8x8 blocks resemble those of MPEG."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, length = getattr(self, field.name), len(field.default)  # type: ignore[arg-type]
            if not _is_chance(value, length):
                form = "a probability and a range" if length == 3 else "a range"
                raise ConfigurationError(f"film_look.{field.name} must be {form}, got {list(value)}.")
        (_, red_least, red_most), (blue_least, blue_most) = self.red, self.blue
        if red_least < 0 or blue_least < 0 or red_most + blue_most > 1:
            raise ConfigurationError("film_look.red and film_look.blue must not be negative, nor exceed 1 together.")


CLEAN: Final = FilmLook(
    red=NEVER,
    vignette=NEVER,
    blur=NEVER,
    gamma=NEVER,
    contrast=NEVER,
    grain=NEVER,
    fade=NEVER,
    flicker=NEVER,
    scratches=NEVER,
    dust=NEVER,
    compression=NEVER,
)
"""No degradation."""


def to_gray(rgb: Tensor, options: FilmLook = CLEAN, generator: torch.Generator | None = None) -> Tensor:
    """Gray (N, 1, H, W) of sRGB (N, 3, H, W), both float in [0, 1]: Y' of BT.601, or as an emulsion records it.

    Like luma, the emulsion's gray is a weighted sum of the encoded values, not of light, so that a gray object keeps
    its level. Without options nothing is drawn from ``generator``.
    """
    red, blue = LUMA_WEIGHTS["bt601"]
    weights = torch.tensor([red, 1 - red - blue, blue]).repeat(len(rgb), 1)
    probability, least, most = options.red
    if probability:
        chosen = torch.rand(len(rgb), generator=generator) < probability
        reds = _between(least, most, len(rgb), generator)
        blues = _between(*options.blue, len(rgb), generator)
        weights = torch.where(chosen[:, None], torch.stack([reds, 1 - reds - blues, blues], 1), weights)
    return (rgb * weights.to(rgb)[:, :, None, None]).sum(1, keepdim=True)


def apply_film_look(gray: Tensor, options: FilmLook, generator: torch.Generator) -> Tensor:
    """Degrade gray images at random: (N, 1, H, W) float32 in [0, 1] on the CPU to the same.

    The emulsion's spectral sensitivity needs colour and is left to :func:`to_gray`.
    """
    gray = gray.clone()
    for (probability, least, most), degrade in (
        (options.vignette, _vignette),
        (options.blur, _blur),
        (options.gamma, _gamma),
        (options.contrast, _contrast(options.contrast_middle)),
        (options.grain, _grain(options.grain_px)),
        (options.fade, _fade),
        (options.flicker, _flicker),
        (options.scratches, _one_by_one(_scratches)),
        (options.dust, _one_by_one(_dust)),
        (options.compression, _one_by_one(_compression)),
    ):
        if not probability:
            continue
        chosen = torch.rand(len(gray), generator=generator) < probability
        if count := int(chosen.sum()):
            strength = _between(least, most, count, generator)
            gray[chosen] = degrade(gray[chosen], strength, generator).clamp(0, 1)
    return gray


def letterbox(rgb: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """Put black bars on both sides of a share ``part`` of the images (N, 3, H, W): above and below, or left and right.

    Bars take up to a quarter of the side together. The images stay as they are; the result is a copy.
    """
    framed = rgb.clone()
    height, width = rgb.shape[2:]
    for image, drawn in zip(framed, torch.rand(len(rgb), 3, generator=generator).tolist(), strict=True):
        chance, direction, share = drawn
        if chance >= part:
            continue
        if direction < 0.5 and (rows := round(share * height / 8)):
            image[:, :rows] = image[:, -rows:] = 0
        elif columns := round(share * width / 8):
            image[:, :, :columns] = image[:, :, -columns:] = 0
    return framed


def _between(least: float, most: float, count: int, generator: torch.Generator | None) -> Tensor:
    return least + (most - least) * torch.rand(count, generator=generator)


def _column(values: Tensor) -> Tensor:
    """(N,) to (N, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def _vignette(gray: Tensor, loss: Tensor, generator: torch.Generator) -> Tensor:
    """Darker with the square of the distance from an optical axis near the centre."""
    count, _, height, width = gray.shape
    middle_y, middle_x = (_column(_between(-0.3, 0.3, count, generator)) for _ in range(2))
    y = torch.linspace(-1, 1, height).view(1, 1, -1, 1) - middle_y
    x = torch.linspace(-1, 1, width).view(1, 1, 1, -1) - middle_x
    distance = y**2 + x**2
    return gray * (1 - _column(loss) * distance / distance.amax((2, 3), keepdim=True))


def _blur(x: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Gaussian blur of each image (N, 1, H, W) by its own sigma (N,) in pixels; the edge is replicated."""
    count, reach = len(x), max(1, math.ceil(3 * float(sigma.max())))
    offsets = torch.arange(-reach, reach + 1)
    kernels = torch.exp(-0.5 * (offsets / sigma[:, None].clamp(min=1e-3)) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).view(count, 1, 1, -1)
    x = functional.pad(x.transpose(0, 1), (reach,) * 4, mode="replicate")
    x = functional.conv2d(functional.conv2d(x, kernels, groups=count), kernels.transpose(2, 3), groups=count)
    return x.transpose(0, 1)


def _gamma(gray: Tensor, power_of_two: Tensor, generator: torch.Generator) -> Tensor:
    return gray.clamp(min=1e-4) ** torch.exp2(_column(power_of_two))


def _contrast(middle: tuple[float, float]) -> Callable[[Tensor, Tensor, torch.Generator], Tensor]:
    """A logistic curve through black and white."""

    def bend(gray: Tensor, steepness: Tensor, generator: torch.Generator) -> Tensor:
        steep, level = _column(steepness), _column(_between(*middle, len(gray), generator))
        black, white = (torch.sigmoid(steep * (end - level)) for end in (0, 1))
        return (torch.sigmoid(steep * (gray - level)) - black) / (white - black)

    return bend


def _grain(size_px: tuple[float, float]) -> Callable[[Tensor, Tensor, torch.Generator], Tensor]:
    """Correlated noise, strongest in mid-tones: clear film has no grains, and black has no gaps between them."""

    def add(gray: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
        noise = _blur(torch.randn(gray.shape, generator=generator), _between(*size_px, len(gray), generator), generator)
        noise = noise / noise.std((2, 3), keepdim=True)
        return gray + _column(deviation) * (0.3 + 0.7 * 4 * gray * (1 - gray)) * noise

    return add


def _fade(gray: Tensor, lost: Tensor, generator: torch.Generator) -> Tensor:
    lifted = lost * torch.rand(len(gray), generator=generator)
    return _column(lifted) + _column(1 - lost) * gray


def _flicker(gray: Tensor, change: Tensor, generator: torch.Generator) -> Tensor:
    return gray * (1 + _column(change))


def _one_by_one(
    degrade: Callable[[Levels, float, np.random.Generator], Levels],
) -> Callable[[Tensor, Tensor, torch.Generator], Tensor]:
    """A degradation that works on one image at a time."""

    def to_all(gray: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
        random = np.random.default_rng(int(torch.randint(0, 2**31 - 1, (1,), generator=generator)))
        degraded = [degrade(image[0].numpy(), float(s), random) for image, s in zip(gray, strength, strict=True)]
        return torch.from_numpy(np.stack(degraded)).unsqueeze(1)

    return to_all


def _scratches(image: Levels, count: float, random: np.random.Generator) -> Levels:
    """Nearly vertical lines, clear or dark, some of them with gaps."""
    height, width = image.shape
    mask = np.zeros((height, width))
    for _ in range(round(count)):
        rows = np.arange(height)
        start, slope = random.uniform(0, width), random.normal(0, 0.01)
        sway = random.uniform(0, 0.8) * np.sin(rows / height * random.uniform(2, 12) + random.uniform(0, 6.3))
        half_width = random.uniform(0.3, 0.8)
        distance = np.abs(np.arange(width) - (start + slope * rows + sway)[:, None])
        line = np.clip(half_width + 0.5 - distance, 0, 1) * _gaps(height, random)[:, None]
        mask = np.maximum(mask, line * random.uniform(0.2, 0.9))
    return _blended(image, mask, random)


def _gaps(height: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Strength along a line (H,) in [0, 1]: continuous half of the time, else with gaps."""
    if random.random() < 0.5:
        return np.ones(height)
    phase = np.arange(height) / height * random.uniform(1, 4) + random.uniform(0, 1)
    return np.clip(0.5 + 1.5 * np.sin(2 * math.pi * phase), 0, 1)


def _dust(image: Levels, count: float, random: np.random.Generator) -> Levels:
    """Specks of irregular outline and now and then a hair, all light (dust on the negative) or all dark."""
    height, width = image.shape
    mask = np.zeros((height, width), np.uint8)
    for _ in range(round(count)):
        middle = random.uniform((0, 0), (width, height))
        outline = _hair(random) if random.random() < 0.15 else _speck(random)
        points = np.rint((middle + outline) * 16).astype(
            np.int32
        )  # OpenCV takes fixed-point coordinates: 4 fractional bits
        if len(outline) > 8:
            cv2.polylines(mask, [points], False, 255, 1, cv2.LINE_AA, shift=4)
        else:
            cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, shift=4)
    return _blended(image, mask.astype(np.float64) * (random.uniform(0.5, 1) / 255), random)


def _speck(random: np.random.Generator) -> NDArray[np.float64]:
    """Vertices (8, 2) of a polygon, 0.5 to 3 px from its centre."""
    angles = np.linspace(0, 2 * math.pi, 8, endpoint=False)
    radii = random.uniform(0.5, 2.2) * random.uniform(0.6, 1.4, 8)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _hair(random: np.random.Generator) -> NDArray[np.float64]:
    """Points (20, 2) of a curved line, 10 to 30 px long."""
    turns = random.uniform(0, 2 * math.pi) + np.cumsum(random.normal(random.normal(0, 0.1), 0.15, 20))
    steps = random.uniform(0.5, 1.5) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return np.cumsum(steps, axis=0)


def _blended(image: Levels, mask: NDArray[np.float64], random: np.random.Generator) -> Levels:
    """Blend toward light or dark where the mask is 1."""
    level = random.uniform(0.8, 1) if random.random() < 0.6 else random.uniform(0, 0.15)
    return np.asarray(image + mask * (level - image), np.float32)


def _compression(image: Levels, quality: float, random: np.random.Generator) -> Levels:
    codes = np.rint(image * 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", codes, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32) / np.float32(255)
