"""Tint the frame with the colour of its emotion (S0, section 3.2).

S0 blends gray with a colour, ``I = (1 - a) gray + a C`` in R'G'B'. Blending and the conversion to Y'CbCr are both
linear, so the blend is done in the decoded planes: ``Y' = (1 - a) Y + a Yc``, and chroma becomes the constant ``a Cc``.
No frame is converted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask, Vector
from ..color import code_range, codes_to_rgb, rgb_to_codes
from ..face_regions import place_disc, soft_disc
from ..faces import Face, Scene
from ..frames import Frame, Plane
from ..options import EffectOptions, Need, Spelling, TextForm, fraction, option
from ..palettes import S0, MixMode, MixSpace, Palette
from ..person_regions import plane_mask

TintRegion = Literal["frame", "face", "person", "background"]
Several = Literal["largest", "area", "each"]
Base = Literal["gray", "color"]

_BAND: Final = 32
"""Rows that are blended at a time."""


@dataclass(frozen=True, kw_only=True)
class TintOptions(EffectOptions):
    """How the tint looks.

    The defaults keep the frame's own colours, and leave a frame unchanged as long as nothing is known of its emotion.
    S0 tints gray portraits; :data:`S0_TINT` has its settings.
    """

    section: ClassVar[str] = "tint"

    palette: Annotated[
        Palette,
        option(
            "Colours of the emotions.",
            live=True,
            catalog="palettes",
            cli=Spelling(metavar="NAME|FILE"),
            text=TextForm(write=lambda palette: palette.name),
        ),
    ] = S0
    alpha: Annotated[float, fraction("Weight of the colour in the blend.", label="Amount of colour")] = 0.35
    mode: Annotated[
        MixMode, option("Mix the colours of all emotions, or take the most likely one's.", label="Emotion", live=True)
    ] = "blend"
    mix: Annotated[MixSpace, option("Colour space in which colours mix.", label="Mix colours in", live=True)] = "oklab"
    region: Annotated[
        TintRegion, option("Tint the whole frame, faces, people, or everything but people.", label="Where", live=True)
    ] = "frame"
    several: Annotated[
        Several,
        option(
            "With several faces: the largest counts, all by area, or each colours its own region.",
            label="Several faces",
            live=True,
        ),
    ] = "largest"
    base: Annotated[
        Base, option("Tint the gray frame, or the frame with its own colours.", label="Under the colour", live=True)
    ] = "color"
    certainty: Annotated[
        float, fraction("How far an uncertain emotion weakens the tint.", label="Trust in certainty")
    ] = 1.0
    feather: Annotated[
        float,
        option(
            "Soft edge of face regions, as a fraction of the radius.",
            label="Soft edge",
            ge=0.01,
            le=1,
            step=0.01,
            live=True,
        ),
    ] = 0.35

    @property
    def needs(self) -> frozenset[Need]:
        people: frozenset[Need] = frozenset({"people"} if self.region in ("person", "background") else ())
        return people | {"faces", "chroma"}

    @property
    def weighting(self) -> Literal["largest", "area"]:
        return "largest" if self.several == "largest" else "area"


S0_TINT: Final = TintOptions(alpha=0.5, mode="blend", mix="rgb", region="frame", base="gray", certainty=0.0)
"""S0, section 3.2: half the gray frame, half the expected colour."""


class Tint:
    """Blend the frame, or a region of it, with the colour of the smoothed emotion."""

    def __init__(self, options: TintOptions) -> None:
        self.options = options
        self._disc = soft_disc(options.feather)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Tint ``frame`` in place; any format of ``PIXEL_FORMATS`` (gray ones only take luma)."""
        self._tint_frame(frame, scene)
        for face in self._faces_to_tint(scene):
            own = self.options.several != "area"
            probabilities = face.probabilities if own else scene.probabilities
            self._tint_face(frame, face, probabilities, face.certainty if own else scene.certainty)
        return frame

    def _tint_frame(self, frame: Frame, scene: Scene) -> None:
        """Tint the area that takes the colour of the frame's emotion; if nothing was segmented, there are no people."""
        region, person = self.options.region, scene.person
        if region == "frame" or (region == "background" and person is None):
            self._tint_whole(frame, scene.probabilities, scene.certainty)
        elif region == "person" and person is not None:
            self._tint_masked(frame, person, scene.probabilities, scene.certainty)
        elif region == "background" and person is not None:
            self._tint_masked(frame, 1 - person, scene.probabilities, scene.certainty)

    def _faces_to_tint(self, scene: Scene) -> tuple[Face, ...]:
        """The faces that are tinted separately."""
        region, several = self.options.region, self.options.several
        if region == "face":
            return scene.faces[:1] if several == "largest" else scene.faces
        return scene.faces if several == "each" and region != "background" else ()

    def _color(self, frame: Frame, probabilities: Vector) -> tuple[float, float, float]:
        rgb = self.options.palette.color_of(probabilities, self.options.mode, self.options.mix)
        return rgb_to_codes(rgb, frame.color, frame.format.bits)

    def _alpha(self, certainty: float) -> float:
        weakening = self.options.certainty
        return self.options.alpha * (1 - weakening + weakening * certainty)

    def _tint_whole(self, frame: Frame, probabilities: Vector, certainty: float) -> None:
        alpha, (luma, *chroma) = self._alpha(certainty), self._color(frame, probabilities)
        if self.options.base == "gray" and frame.chroma is not None:
            middle = code_range(frame.color, frame.format.bits)[2]
            wanted = [(1 - alpha) * middle + alpha * code for code in chroma]
            for plane, code in zip(frame.chroma, wanted, strict=True):
                plane[...] = round(code)
            _blend(frame.luma, alpha, luma, _luma_shift(frame, wanted))
            return
        for plane, code in zip((frame.luma, *(frame.chroma or ())), (luma, *chroma), strict=False):
            _blend(plane, alpha, code)

    def _tint_masked(self, frame: Frame, mask: Mask, probabilities: Vector, certainty: float) -> None:
        """Tint, weighted by ``mask``, (h, w) in [0, 1] over the whole frame."""
        alpha, (luma, *chroma) = self._alpha(certainty), self._color(frame, probabilities)
        _move_toward(frame.luma, luma, alpha, plane_mask(mask, frame.luma.shape))
        if frame.chroma is None:
            return
        fine = plane_mask(mask, frame.chroma[0].shape)
        part, (middle, *_) = alpha, code_range(frame.color, frame.format.bits)[2:]
        if self.options.base == "gray":
            part, chroma = 1.0, [(1 - alpha) * middle + alpha * code for code in chroma]
        for plane, code in zip(frame.chroma, chroma, strict=True):
            _move_toward(plane, code, part, fine)

    def _tint_face(self, frame: Frame, face: Face, probabilities: Vector, certainty: float) -> None:
        alpha, (luma, *chroma) = self._alpha(certainty), self._color(frame, probabilities)
        self._blend_region(frame.luma, face, (1, 1), alpha, luma, gray=None)
        gray = code_range(frame.color, frame.format.bits)[2] if self.options.base == "gray" else None
        for plane, code in zip(frame.chroma or (), chroma, strict=False):
            self._blend_region(plane, face, frame.format.subsampling, alpha, code, gray)

    def _blend_region(
        self, plane: Plane, face: Face, subsampling: tuple[int, int], alpha: float, code: float, gray: float | None
    ) -> None:
        """Blend inside the face's soft ellipse; ``gray``, if given, replaces the plane's own chroma first."""
        placed = place_disc(self._disc, face, subsampling, plane.shape)
        if placed is None:
            return
        rows, columns, mask = placed
        for area, part in zip(_bands(plane[rows, columns]), _bands(mask), strict=True):
            was = area.astype(np.float32)
            kept = was if gray is None else np.float32(gray)
            wanted = (1 - alpha) * kept + np.float32(alpha * code)
            area[...] = np.rint(was + face.presence * part * (wanted - was))


def _bands(plane: Plane | Mask) -> Iterator[NDArray[Any]]:
    """Views of a plane, ``_BAND`` rows each.

    Intermediate results of a band stay in the CPU's caches, and the C library reuses their memory instead of asking for
    new pages each time.
    """
    return (plane[top : top + _BAND] for top in range(0, len(plane), _BAND))


def _blend(plane: Plane, alpha: float, code: float, shift: float = 0.0) -> None:
    """Set ``plane = (1 - alpha) plane + alpha code + shift`` in place, rounded."""
    if plane.strides[-1] == plane.itemsize:
        blended = cv2.addWeighted(plane, 1 - alpha, plane, 0.0, alpha * code + shift, dst=plane)
    else:  # one of two interleaved channels, which OpenCV cannot address
        blended = cv2.addWeighted(np.ascontiguousarray(plane), 1 - alpha, plane, 0.0, alpha * code)
    if blended is not plane:
        plane[...] = blended


def _move_toward(plane: Plane, code: float, part: float, mask: Mask) -> None:
    """Set ``plane += part * mask * (code - plane)`` in place, rounded; ``mask`` is (H, W) like the plane."""
    whole = np.ascontiguousarray(plane)  # a copy of interleaved chroma: OpenCV cannot address one channel alone
    change = cv2.multiply(np.subtract(code, whole, dtype=np.float32), mask, scale=part)
    plane[...] = cv2.add(whole, change, dtype=cv2.CV_8U if plane.dtype == np.uint8 else cv2.CV_16U)


def _luma_shift(frame: Frame, chroma: Sequence[float]) -> float:
    """The luma offset that cancels the mean error, over red, green and blue, of rounding ``chroma`` (Cb, Cr).

    Rounding makes a constant chroma wrong by up to half a code everywhere, which is a whole code of blue. Luma adds to
    all three alike, so it can cancel their mean error.
    """
    black, span, _, _ = code_range(frame.color, frame.format.bits)
    exact, rounded = (
        codes_to_rgb(np.array(black), np.array(cb), np.array(cr), frame.color, frame.format.bits)
        for cb, cr in (chroma, [round(code) for code in chroma])
    )
    return float(-(rounded - exact).mean() * span)
