"""Move a frame's own colours toward its emotion, by pleasure and arousal.

Valdez and Mehrabian (1994, "Effects of color on emotions", J. Exp. Psychol. General 123(4), 394-409) measured what
people feel about single colours. In standardized variables they found ``pleasure = .69 B + .22 S`` and ``arousal =
-.31 B + .60 S`` for brightness B and saturation S. Solved for B and S, the equations give the change of a frame for the
pleasure and arousal of its emotion. So far the paper; the rest is ours:

- What a unit of B and S means in OKLab: a factor of 1.5 on the odds of lightness, L / (1 - L), and on chroma.
- Equations for single colours are applied to all colours of a frame.
- Hue: all hues turn a little toward orange with pleasure and away from it with displeasure, as is usual in grading. The
  paper does not say so: its most pleasant hues are blues and greens, and its least pleasant is yellow.
- Dominance is left out, because two equations determine two changes.

No frame is converted. Luma is changed by a table that is exact for grays: their lightness in OKLab moves along a curve
that keeps black and white. Chroma comes from a coarse table over luma, Cb and Cr, computed in OKLab. Toward the border
of the gamut chroma grows ever less, so that nothing is clipped; between the table's points a pure colour may leave the
gamut by 0.03. PQ and HLG are treated as if their code values were SDR, at half the strength, because one of their steps
is about twice as much light.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Map, Vector
from ..chroma.conversion import gamut_room
from ..color import (
    LMS_TO_LINEAR,
    LUMA_WEIGHTS,
    OKLAB_TO_LMS,
    code_range,
    codes_to_rgb,
    linear_to_srgb,
    srgb_to_linear,
    srgb_to_oklab,
)
from ..emotions import EMOTIONS, Emotion
from ..face_regions import place_disc, soft_disc
from ..faces import Scene
from ..frames import ColorSpec, Frame, Matrix, PixelFormat, Plane
from ..options import EffectOptions, Need, fraction

PLEASURE_AROUSAL: Final[dict[Emotion, tuple[float, float]]] = {
    "angry": (-0.51, 0.59),
    "disgust": (-0.60, 0.35),
    "fear": (-0.64, 0.60),
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
    "neutral": (0.0, 0.0),
}
"""Mean pleasure and arousal, in [-1, 1], of the terms angry, disgusted, fearful, happy, sad and surprised in Russell
and Mehrabian (1977, "Evidence for a three-factor theory of emotions", J. Res. Personality 11, 273-294), as they are
commonly cited; we have not seen the table itself. Neutral is the middle of both scales."""

FEELING_OF_COLOR: Final = np.array([[0.69, 0.22], [-0.31, 0.60]])
"""Pleasure and arousal (rows) by brightness and saturation (columns): Valdez and Mehrabian (1994)."""

UNIT_LOG: Final = math.log(1.5)
"""Logarithm of the factor by which a unit of brightness changes the odds of lightness, and one of saturation chroma."""
TURN_RADIANS: Final = math.radians(10)
"""How far pleasure 1 turns a hue at right angles to orange; all others turn less."""
WARM_RADIANS: Final = math.radians(60)
"""OKLab's hue of orange, which is about that of skin and of lamplight."""
HDR_STRENGTH: Final = 0.5
"""Factor on the strength under PQ and HLG."""

_STEP: Final = 1 / 512
"""Changes are rounded to multiples of this, a quarter of an 8-bit code except for the most saturated colours. So frames
of nearly the same emotion share their tables, and the result for a frame does not depend on earlier ones."""
_FEATHER: Final = 0.35


@dataclass(frozen=True, kw_only=True)
class GradeOptions(EffectOptions):
    """How far colours follow the emotion."""

    section: ClassVar[str] = "grade"

    strength: Annotated[float, fraction("Fraction of the full change.")] = 0.6
    certainty: Annotated[
        float, fraction("How far an uncertain emotion weakens the change.", label="Trust in certainty")
    ] = 1.0
    skin: Annotated[
        float,
        fraction(
            "How far faces are protected: at 1 they keep their hue, and half of the change in chroma.",
            label="Protect skin",
        ),
    ] = 1.0

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"faces", "chroma"})

    @property
    def follows_faces_alone(self) -> bool:
        return True


@dataclass(frozen=True)
class Change:
    """What is done to every colour, in OKLab."""

    lightness: float
    """Added to the logarithm of the odds, log(L / (1 - L))."""
    chroma: float
    """Added to the logarithm of chroma."""
    turn: float
    """Radians by which a hue at right angles to orange turns toward it, or away from it if negative.

    Other hues turn less, by the sine of their angle from orange, so that no hue jumps."""


NO_CHANGE: Final = Change(0.0, 0.0, 0.0)


def change_of(probabilities: Vector, strength: float) -> Change:
    """The change for a mixture of emotions (7,), in steps that are too small to see."""
    pleasure, arousal = probabilities @ np.array([PLEASURE_AROUSAL[emotion] for emotion in EMOTIONS])
    brightness, saturation = np.linalg.solve(FEELING_OF_COLOR, [pleasure, arousal])
    full = (UNIT_LOG * brightness, UNIT_LOG * saturation, TURN_RADIANS * pleasure)
    return Change(*(round(float(part) * strength / _STEP) * _STEP for part in full))


class Grade:
    """Move the frame's own colours toward its smoothed emotion; faces keep their hue."""

    def __init__(self, options: GradeOptions) -> None:
        self.options = options
        self._disc = soft_disc(_FEATHER)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Grade ``frame`` in place; any format of ``PIXEL_FORMATS`` (gray ones only take luma)."""
        change = change_of(scene.probabilities, self._strength(frame, scene))
        if change == NO_CHANGE:
            return frame
        if frame.chroma is not None:
            self._move_chroma(frame, frame.chroma, scene, change)
        luma = frame.luma
        luma[...] = _look_up(luma_table(change.lightness, frame.color, frame.format.bits), luma)
        return frame

    def _strength(self, frame: Frame, scene: Scene) -> float:
        weakening = self.options.certainty
        strength = self.options.strength * (1 - weakening + weakening * scene.certainty)
        return strength if frame.color.transfer == "sdr" else HDR_STRENGTH * strength

    def _move_chroma(self, frame: Frame, chroma: tuple[Plane, Plane], scene: Scene, change: Change) -> None:
        luma: Plane = frame.luma
        if luma.shape != chroma[0].shape:
            luma = cv2.resize(luma, chroma[0].shape[::-1], interpolation=cv2.INTER_AREA)
        last = luma.dtype.type((1 << frame.format.bits) - 1)  # samples of damaged frames may exceed their depth
        luma, blue, red = (np.minimum(plane, last) for plane in (luma, *chroma))
        table = chroma_table(change, frame.color, frame.format.bits)
        offsets = _offsets(table, (luma, blue, red), frame.format)
        self._protect_faces(offsets, frame, (luma, blue, red), scene, change)
        for plane, was, offset in zip(chroma, (blue, red), cv2.split(offsets), strict=True):
            plane[...] = _added(was, offset, frame.format.bits)

    def _protect_faces(
        self, offsets: Map, frame: Frame, planes: tuple[Plane, Plane, Plane], scene: Scene, change: Change
    ) -> None:
        """Replace ``offsets`` inside faces, in place, by those for skin."""
        skin = self._skin_change(change)
        if skin == change:
            return
        for face in scene.faces:
            placed = place_disc(self._disc, face, frame.format.subsampling, offsets.shape)
            if placed is None:
                continue
            rows, columns, mask = placed
            luma, blue, red = (plane[rows, columns].copy() for plane in planes)
            table = chroma_table(skin, frame.color, frame.format.bits)
            area = offsets[rows, columns]
            wanted = _offsets(table, (luma, blue, red), frame.format)
            area += (np.float32(face.presence) * mask)[..., None] * (wanted - area)

    def _skin_change(self, change: Change) -> Change:
        skin = self.options.skin
        return Change(change.lightness, change.chroma * (1 - skin / 2), change.turn * (1 - skin))


@lru_cache(maxsize=4)
def luma_table(lightness: float, color: ColorSpec, bits: int) -> Plane:
    """Table (2^bits,) of luma codes after the change, in the planes' dtype; codes beyond black and white stay."""
    black, span, _, _ = code_range(color, bits)
    codes = np.arange(1 << bits)
    moved = np.rint(black + span * _moved_level(((codes - black) / span).clip(0, 1), lightness))
    table = np.where((codes < black) | (codes > black + span), codes, moved)
    return table.astype(np.uint8) if bits == 8 else table.astype(np.uint16)


def _moved_level(level: NDArray[np.float64], lightness: float) -> NDArray[np.float64]:
    """Change the odds of a gray level's OKLab lightness; levels are in [0, 1], and both ends stay."""
    was = np.cbrt(srgb_to_linear(level))
    odds = math.exp(lightness)
    return linear_to_srgb((odds * was / (1 + (odds - 1) * was)) ** 3)


_SIDE: Final = 33
"""Points of the table along Cb and Cr, 8 codes of 8 bits apart, so that gray is one of them."""
_KNOTS: Final = 32
"""Luma levels at which colours are computed; between them the table is linear."""
_SLICES: Final = 128
"""Luma levels in the table; a pixel takes the nearest, which is within one 8-bit code."""
_ROUNDS: Final = 2
"""Iterations in which exposure is corrected to reach a given luma."""


@dataclass(frozen=True)
class _Points:
    """The table's points before any change. Maps are (K * 33, 33): for each luma knot, Cr runs down and Cb across."""

    knots: NDArray[np.float64]
    """(K,) luma in [0, 1], kept away from both ends, where there is hardly any colour."""
    chroma: Map
    """Cb and Cr in about [-0.5, 0.5], (K * 33, 33, 2)."""
    room: Map
    """The factor by which this chroma can grow within the gamut; see :func:`gamut_room`."""
    lab: tuple[Map, Map, Map]
    """OKLab of the chroma, which is moved toward gray where it lies outside the gamut."""
    from_warm: Map
    """Sine of the hue's angle from orange."""
    to_slices: Map
    """Interpolation weights of the knots for each slice, (128, K)."""


@lru_cache(maxsize=2)
def _points(color: ColorSpec, bits: int) -> _Points:
    black, span, middle, chroma_span = code_range(color, bits)
    unit = 1 << (bits - 8)
    spread = np.linspace(0, 1, _KNOTS)
    knots = spread * spread * (2 - spread)  # denser near black, where colours change fastest
    slices = (((np.arange(_SLICES) + 0.5) * 2 * unit - 0.5 - black) / span).clip(0, 1)
    to_slices = np.stack([np.interp(slices, knots, row) for row in np.eye(_KNOTS)], axis=1)
    knots = knots.clip(1 / 1024, 1 - 1 / 1024)
    axis = (np.arange(_SIDE) * 8.0 * unit - middle) / chroma_span
    level, red, blue = (part.reshape(-1, _SIDE) for part in np.meshgrid(knots, axis, axis, indexing="ij"))
    chroma = np.stack([blue, red], axis=2).astype(np.float32)
    room = gamut_room(level.astype(np.float32), chroma, color.matrix)
    inside = middle + chroma_span * (chroma * np.minimum(room, 1)[..., None]).astype(np.float64)
    rgb = codes_to_rgb(black + span * level, inside[..., 0], inside[..., 1], color, bits)
    lightness, a, b = np.moveaxis(srgb_to_oklab(rgb.clip(0, 1)), 2, 0)
    from_warm = (math.sin(WARM_RADIANS) * a - math.cos(WARM_RADIANS) * b) / np.maximum(np.hypot(a, b), 1e-9)
    return _Points(
        knots=knots,
        chroma=chroma,
        room=room,
        lab=(lightness.astype(np.float32), a.astype(np.float32), b.astype(np.float32)),
        from_warm=from_warm.astype(np.float32),
        to_slices=to_slices.astype(np.float32),
    )


@lru_cache(maxsize=4)
def chroma_table(change: Change, color: ColorSpec, bits: int) -> Map:
    """Offsets of Cb and Cr codes, (128 * 33, 33, 2): by luma slice and Cr, and by Cb.

    A colour's hue is turned in OKLab; its luma becomes that of :func:`luma_table`, by a change of exposure; then chroma
    is multiplied in OKLab as ``change`` says. Where this moves it r times nearer to the border of the gamut, r > 1, the
    fraction s of the way from gray to the border becomes only r s / (1 + (r - 1) s).

    Chroma outside the gamut, which is common for noise in black, shrinks like chroma inside, and grows only where the
    gamut gains room. So a change that vanishes leaves it as it is, and no change makes it noisier.
    """
    points = _points(color, bits)
    moved = _moved_level(points.knots, change.lightness)
    level, light = (
        np.repeat(part.astype(np.float32), _SIDE**2).reshape(-1, _SIDE) for part in (moved, srgb_to_linear(moved))
    )
    turned, lifted = _turned_chroma(points, change.turn, light, color.matrix)
    gain = np.float32(math.exp(change.chroma)) / lifted
    room, fits = np.maximum(points.room, 1), np.minimum(points.room, 1)
    growth = gain * room / gamut_room(level, turned, color.matrix)
    turned *= (gain / (1 + np.maximum(growth - 1, 0) / room))[..., None]
    # So far, points outside the gamut stand for their neighbours at its border. Put them back where it has no room.
    grown = _distance(turned) / np.maximum(_distance(points.chroma) * fits, 1e-9)
    turned *= np.maximum(1 / (fits * np.maximum(grown, 1)), 1)[..., None]
    offsets = (turned - points.chroma) * np.float32(code_range(color, bits)[3])
    return (points.to_slices @ offsets.reshape(_KNOTS, -1)).reshape(_SLICES * _SIDE, _SIDE, 2)


def _turned_chroma(points: _Points, turn: float, gray_light: Map, matrix: Matrix) -> tuple[Map, Map]:
    """Turn the hue of the points' colours and change their exposure, so that their luma is that of gray of
    ``gray_light``.

    Returns their Cb and Cr, (K * 33, 33, 2), and the factor of OKLab's lightness and chroma, (K * 33, 33).
    """
    lightness, a, b = points.lab
    angle = np.float32(turn) * points.from_warm
    cos, sin = np.cos(angle), np.sin(angle)
    turned = cv2.merge([lightness, cos * a - sin * b, sin * a + cos * b])
    light = cv2.transform(cv2.transform(turned, OKLAB_TO_LMS) ** 3, LMS_TO_LINEAR)
    red, blue = LUMA_WEIGHTS[matrix]
    weights = np.array([[red, 1 - red - blue, blue]], np.float32)
    exposure = np.ones_like(gray_light)
    for _ in range(_ROUNDS):  # one would be exact if sRGB's curve were a power law
        luma = cv2.transform(_encoded(light * exposure[..., None]), weights)
        exposure *= gray_light / srgb_to_linear(luma.clip(1e-6, 1))
    rgb = _encoded(light * exposure[..., None])
    luma = cv2.transform(rgb, weights)
    chroma = [(rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))]
    return np.stack(chroma, axis=2), np.cbrt(exposure)


def _distance(chroma: Map) -> Map:
    """Distance from gray, (H, W), of Cb and Cr (H, W, 2)."""
    return np.asarray(cv2.magnitude(*cv2.split(chroma)))


def _encoded(light: Map) -> Map:
    """Light encoded by sRGB's curve, any shape, unclipped: the curve continues above 1 and is mirrored below 0."""
    size = np.abs(light)
    curve = np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** np.float32(1 / 2.4) - 0.055)
    return np.asarray(np.copysign(curve, light), np.float32)


def _offsets(table: Map, planes: tuple[Plane, Plane, Plane], form: PixelFormat) -> Map:
    """Look up the offsets of Cb and Cr, (h, w, 2), for planes of Y, Cb and Cr codes of one size."""
    luma, blue, red = planes
    per_point = np.float32(1 / (8 << (form.bits - 8)))
    down = (luma >> (form.bits - 7)) * np.float32(_SIDE) + red * per_point
    return np.asarray(cv2.remap(table, blue * per_point, down, cv2.INTER_LINEAR))


def _added(plane: Plane, offset: Map, bits: int) -> Plane:
    """Add an offset to codes; rounded and clipped to their depth."""
    if bits == 8:
        return np.asarray(cv2.add(plane, offset, dtype=cv2.CV_8U))
    return np.asarray(cv2.add(plane, offset, dtype=cv2.CV_16U)).clip(0, (1 << bits) - 1)


def _look_up(table: Plane, codes: Plane) -> Plane:
    if codes.dtype == np.uint8:
        return np.asarray(cv2.LUT(codes, table))
    return table.take(codes, mode="clip")  # samples of damaged frames may exceed their depth
