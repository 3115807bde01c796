"""Moves the portrait's features; a thin-plate spline through them carries the skin along."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import Points, RgbImage
from emocolor.emotions import Emotion

from .expressions import EXPRESSIONS, Expression, Retouch
from .features import FACE_XYWH, FIXED_POINTS, MIDLINE_FEATURES, PAIRED_FEATURES, LipEdges, read_portrait, smiling_lips
from .retouch import with_mouth_filled, without_smile

Field = NDArray[np.float32]
"""(H, W, 2) offsets in portrait pixels from each place in the face to the one that its colour is sampled from."""

FIELD_STEP: Final = 0.5
"""Spacing of a field's samples in portrait pixels; a larger one would show steps in the line between closed lips."""
PINNED_MARGIN: Final = 8.0
"""Portrait pixels over which a field fades to zero at the border of the face."""
LIP_LINE_RGB: Final = (112, 52, 46)
PALATE_RGB: Final = (44, 16, 16)
TONGUE_RGB: Final = (104, 46, 44)


class ExpressivePortrait:
    """The portrait, enlarged ``detail`` times, ready to show any mix of ``EXPRESSIONS``."""

    def __init__(self, *, detail: int = 4) -> None:
        if detail < 1:
            raise ValueError(f"detail must be at least 1, got {detail}")
        self.detail = detail
        large = cv2.resize(read_portrait(), None, fx=detail, fy=detail, interpolation=cv2.INTER_LANCZOS4)
        self._image = np.asarray(large, np.uint8)

    def show(self, weights: Mapping[Emotion, float]) -> RgbImage:
        """The portrait with the expressions of ``weights``, which sum to one, mixed.

        The displacement fields are mixed, not the positions of features. That is fast, and exact enough for small
        movements; half way between a closed and a wide open mouth it looks wrong.

        Returns a new image, (512 * detail, 512 * detail, 3) RGB uint8. Raises ``KeyError`` for an emotion that
        ``EXPRESSIONS`` lacks.
        """
        offsets = sum(weight * self._fields[emotion] for emotion, weight in weights.items())
        image = self._image.copy()
        image[self._face] = _warped(self._retouched(_retouch_weights(weights)), np.asarray(offsets) * self.detail)
        return image

    @property
    def _face(self) -> tuple[slice, slice]:
        x, y, width, height = (value * self.detail for value in FACE_XYWH)
        return slice(y, y + height), slice(x, x + width)

    @cached_property
    def _fields(self) -> dict[Emotion, Field]:
        return {emotion: displacement_field(expression) for emotion, expression in EXPRESSIONS.items()}

    @cached_property
    def _faces(self) -> dict[Retouch, RgbImage]:
        """The smiling face with each retouch."""
        smiling = self._image[self._face]
        face = without_smile(smiling, detail=self.detail)
        return {
            "none": smiling,
            "lips closed": with_mouth_filled(face, LIP_LINE_RGB, LIP_LINE_RGB, detail=self.detail),
            "mouth open": with_mouth_filled(face, PALATE_RGB, TONGUE_RGB, detail=self.detail),
        }

    def _retouched(self, retouches: Mapping[Retouch, float]) -> RgbImage:
        """The faces with ``retouches``, mixed by their weights."""
        if len(retouches) == 1:
            return self._faces[next(iter(retouches))]
        mixed = sum(weight * self._faces[retouch].astype(np.float32) for retouch, weight in retouches.items())
        return np.asarray(np.asarray(mixed) + 0.5, np.uint8)


def _retouch_weights(weights: Mapping[Emotion, float]) -> dict[Retouch, float]:
    """The weight of each retouch; they sum to one."""
    retouches: dict[Retouch, float] = {"none": 0.0, "lips closed": 0.0, "mouth open": 0.0}
    for emotion, weight in weights.items():
        retouches[EXPRESSIONS[emotion].retouch] += weight
    return {retouch: weight for retouch, weight in retouches.items() if weight > 0}


def displacement_field(expression: Expression) -> Field:
    """The field of an expression over ``FACE_XYWH``, (H / step, W / step, 2); zero at the border."""
    before, after = _control_points(expression)
    x, y, width, height = FACE_XYWH
    across, down = _samples(x, width), _samples(y, height)
    if np.array_equal(before, after):
        return np.zeros((len(down), len(across), 2), np.float32)
    places = np.stack(np.meshgrid(across, down), axis=-1)
    offsets = thin_plate_spline(after, before - after, places.reshape(-1, 2)).reshape(places.shape)
    return np.asarray(offsets * _fade(len(down))[:, None, None] * _fade(len(across))[:, None], np.float32)


def thin_plate_spline(knots: Points, values: Points, places: Points) -> Points:
    """The function of least bending with ``values`` (N, D) at ``knots`` (N, 2), evaluated at ``places`` (M, 2): (M, D).

    Bookstein, Principal Warps: Thin-Plate Splines and the Decomposition of Deformations, 1989.
    """
    count = len(knots)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(knots, knots)
    system[:count, count] = 1
    system[:count, count + 1 :] = knots
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, values.shape[1]))]))
    smooth = _bending(places, knots) @ weights[:count]
    return np.asarray(smooth + weights[count] + places @ weights[count + 1 :])


def _bending(places: Points, knots: Points) -> NDArray[np.float64]:
    """r² log r² from every place to every knot, (M, N)."""
    squared = (places[:, :1] - knots[:, 0]) ** 2
    squared += (places[:, 1:] - knots[:, 1]) ** 2
    return np.asarray(squared * np.log(squared + 1e-9))


def _control_points(expression: Expression) -> tuple[Points, Points]:
    """Every control point in the portrait and in the expression, both (N, 2)."""
    before, after = zip(*_feature_points(expression), strict=True)
    lips = smiling_lips()
    moved_lips = lips if expression.mouth is None else expression.mouth.edges()
    fixed = np.vstack([FIXED_POINTS, _border_points()])
    return np.vstack([before, _distinct(lips), fixed]), np.vstack([after, _distinct(moved_lips), fixed])


def _feature_points(expression: Expression) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    moves = []
    for name, ((right_x, right_y), (left_x, left_y)) in PAIRED_FEATURES.items():
        outward, down = expression.shifts.get(name, (0.0, 0.0))
        moves.append(((right_x, right_y), (right_x - outward, right_y + down)))
        moves.append(((left_x, left_y), (left_x + outward, left_y + down)))
    for name, (x, y) in MIDLINE_FEATURES.items():
        rightward, down = expression.shifts.get(name, (0.0, 0.0))
        moves.append(((x, y), (x + rightward, y + down)))
    return moves


def _distinct(lips: LipEdges) -> Points:
    """Each corner of the mouth once: equal knots would make the spline's system singular."""
    return np.vstack([lips[1], *(edge[1:-1] for edge in (lips[0], lips[2], lips[3]))])


def _border_points() -> Points:
    """Points evenly around the face, (28, 2)."""
    x, y, width, height = FACE_XYWH
    along = np.arange(7) / 7
    corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)
    sides = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.vstack([start + along[:, None] * (end - start) for start, end in sides])


def _samples(start: float, length: float) -> NDArray[np.float64]:
    """Centres of the samples that fill ``length`` pixels; the centre of the first pixel is ``start``."""
    return np.asarray(start - 0.5 + (np.arange(round(length / FIELD_STEP)) + 0.5) * FIELD_STEP)


def _fade(count: int) -> NDArray[np.float64]:
    """0 at both ends, 1 from ``PINNED_MARGIN`` inwards."""
    steps = np.arange(count)
    return np.asarray(np.clip(np.minimum(steps, steps[::-1]) * (FIELD_STEP / PINNED_MARGIN), 0, 1))


def _warped(face: RgbImage, offsets: NDArray[Any]) -> RgbImage:
    """``face`` sampled at ``offsets``, which are in pixels of the face but may have a lower resolution."""
    height, width = face.shape[:2]
    fetch = cv2.resize(offsets, (width, height), interpolation=cv2.INTER_CUBIC)
    fetch[..., 0] += np.arange(width, dtype=np.float32)
    fetch[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(face, fetch, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
