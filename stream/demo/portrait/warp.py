"""The portrait in motion: a thin-plate spline through its features carries the skin along."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import Points, RgbImage
from emocolor.emotions import Emotion

from .expressions import EXPRESSIONS, Expression, Paint
from .features import FACE_XYWH, FIXED_POINTS, MIDLINE_FEATURES, PAIRED_FEATURES, LipEdges, read_portrait, smiling_lips
from .paint import relaxed, with_mouth_filled

Field = NDArray[np.float32]
"""(H, W, 2), for each place in the face where to fetch its colour from, as an offset in portrait pixels."""

FIELD_STEP: Final = 0.5
"""Spacing of a field's samples in portrait pixels; coarser, and the line between closed lips turns to steps."""
PINNED_MARGIN: Final = 8.0
"""Portrait pixels over which a field fades to nothing at the border of the face."""
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

        Fields are mixed, not the places of features, which is quick, and right for small moves: a
        closed and a wide open mouth have no good middle.

        Returns RGB uint8 (512 * detail, 512 * detail, 3), which the caller owns. Emotions that
        ``EXPRESSIONS`` lacks are a ``KeyError``.
        """
        offsets = sum(weight * self._fields[emotion] for emotion, weight in weights.items())
        image = self._image.copy()
        image[self._face] = _warped(self._painted(_paints(weights)), np.asarray(offsets) * self.detail)
        return image

    @property
    def _face(self) -> tuple[slice, slice]:
        x, y, width, height = (value * self.detail for value in FACE_XYWH)
        return slice(y, y + height), slice(x, x + width)

    @cached_property
    def _fields(self) -> dict[Emotion, Field]:
        return {emotion: displacement_field(expression) for emotion, expression in EXPRESSIONS.items()}

    @cached_property
    def _faces(self) -> dict[Paint, RgbImage]:
        """The smiling face under each paint."""
        smiling = self._image[self._face]
        face = relaxed(smiling, detail=self.detail)
        return {
            "none": smiling,
            "lips closed": with_mouth_filled(face, LIP_LINE_RGB, LIP_LINE_RGB, detail=self.detail),
            "mouth open": with_mouth_filled(face, PALATE_RGB, TONGUE_RGB, detail=self.detail),
        }

    def _painted(self, paints: Mapping[Paint, float]) -> RgbImage:
        """The faces under ``paints``, mixed by their weights."""
        if len(paints) == 1:
            return self._faces[next(iter(paints))]
        mixed = sum(weight * self._faces[paint].astype(np.float32) for paint, weight in paints.items())
        return np.asarray(np.asarray(mixed) + 0.5, np.uint8)


def _paints(weights: Mapping[Emotion, float]) -> dict[Paint, float]:
    """How much of each paint, summing to one."""
    paints: dict[Paint, float] = {"none": 0.0, "lips closed": 0.0, "mouth open": 0.0}
    for emotion, weight in weights.items():
        paints[EXPRESSIONS[emotion].paint] += weight
    return {paint: weight for paint, weight in paints.items() if weight > 0}


def displacement_field(expression: Expression) -> Field:
    """Where each place in ``FACE_XYWH`` fetches its colour from, (H / step, W / step, 2); zero at the border."""
    before, after = _control_points(expression)
    x, y, width, height = FACE_XYWH
    across, down = _samples(x, width), _samples(y, height)
    if np.array_equal(before, after):
        return np.zeros((len(down), len(across), 2), np.float32)
    places = np.stack(np.meshgrid(across, down), axis=-1)
    offsets = thin_plate_spline(after, before - after, places.reshape(-1, 2)).reshape(places.shape)
    return np.asarray(offsets * _fade(len(down))[:, None, None] * _fade(len(across))[:, None], np.float32)


def thin_plate_spline(knots: Points, values: Points, places: Points) -> Points:
    """The smoothest function with ``values`` (N, D) at ``knots`` (N, 2), at ``places`` (M, 2): (M, D)."""
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
    """Every control point as the portrait has it, and as the expression puts it, both (N, 2)."""
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
    """Each corner of the mouth once, since a spline cannot pass through one point twice."""
    return np.vstack([lips[1], *(edge[1:-1] for edge in (lips[0], lips[2], lips[3]))])


def _border_points() -> Points:
    """Evenly around the face, (28, 2)."""
    x, y, width, height = FACE_XYWH
    along = np.arange(7) / 7
    corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)
    sides = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.vstack([start + along[:, None] * (end - start) for start, end in sides])


def _samples(start: float, length: float) -> NDArray[np.float64]:
    """Centres of the steps that fill ``length`` pixels, of which the first has its centre at ``start``."""
    return np.asarray(start - 0.5 + (np.arange(round(length / FIELD_STEP)) + 0.5) * FIELD_STEP)


def _fade(count: int) -> NDArray[np.float64]:
    """0 at both ends, 1 from ``PINNED_MARGIN`` inwards."""
    steps = np.arange(count)
    return np.asarray(np.clip(np.minimum(steps, steps[::-1]) * (FIELD_STEP / PINNED_MARGIN), 0, 1))


def _warped(face: RgbImage, offsets: NDArray[Any]) -> RgbImage:
    """``face`` fetched from ``offsets``, which are in its own pixels but may be coarser than it."""
    height, width = face.shape[:2]
    fetch = cv2.resize(offsets, (width, height), interpolation=cv2.INTER_CUBIC)
    fetch[..., 0] += np.arange(width, dtype=np.float32)
    fetch[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(face, fetch, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
