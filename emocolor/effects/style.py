"""Paint the frame in the style of its emotion, with one net that morphs between seven styles.

S3 trains one feed-forward net per emotion (after Johnson, Alahi and Fei-Fei 2016) and can only switch between them.
Here conditional instance normalization (Dumoulin, Shlens and Kudlur 2017) holds all seven styles in one net, which
paints any mixture of them and of the frame as it is. The mixture follows the smoothed probabilities, so a change of
emotion is a morph, and the style fades when a face leaves.

The net sees a small copy of the frame in R'G'B'. Each plane is scaled to the copy's size before colours are converted,
and scaled back after, so no frame is converted at full size. What the net changed is added to the detail it did not
see::

    plane <- kept * plane + scaled(codes(painting) - kept * codes(copy)),    kept = 1 - (1 - detail) * style weight

With detail 1, a net that changes nothing therefore leaves every sample as it was, whatever the copy lost by scaling and
by its 8 bits. At any detail, a style weight that goes to 0 leads to the frame as it is without a step.

Code values of SDR are treated as sRGB. So are those of PQ and HLG, scaled so that diffuse white is the net's white:
paintings have no highlights, and get none. The frame is painted as it is stored: if its pixels are not square or a
player turns it, strokes are stretched or turned with it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Map, Mask, RgbImage, StyleMixture
from ..color import code_range, codes_to_rgb, rgb_to_codes
from ..emotions import EMOTIONS
from ..errors import ConfigurationError, nearest
from ..face_regions import place_disc, soft_disc
from ..faces import Face, Scene
from ..frames import ColorSpec, Frame, Plane
from ..options import EffectOptions, Need, Spelling, TextForm, fraction, option
from ..person_regions import plane_mask
from ..protocols import Precision, StyleTransfer

StyleRegion = Literal["frame", "face", "keep-face", "person", "background"]
Keep = Literal["none", "chroma", "luma"]

AUTO: Final = "auto"
"""The word for no fixed mixture: the style follows the scene."""
IDENTITY: Final = len(EMOTIONS)
"""Index of the frame as it is in a mixture, after the seven styles."""
MIN_STYLE_WEIGHT: Final = 1 / 512
"""With a smaller weight, the style would move hardly any 8-bit sample by half a code, so nothing is painted."""
MIN_INPUT_SIDE: Final = 36
"""Smallest side of a style net's input, in pixels; smaller frames are padded by repeating their last row and column."""
_MULTIPLE: Final = 4
"""Scaled copies get sides that are multiples of this, because nets halve their resolution twice."""
_FEATHER: Final = 0.35


def parse_mixture(text: str) -> Mapping[str, float] | None:
    """Read a fixed mixture of styles: ``happy``, or ``happy=0.7,sad=0.3``; ``auto`` gives ``None``.

    Raises ``ConfigurationError`` for text that is no mixture; :class:`StyleOptions` checks names and values.
    """
    if text == AUTO:
        return None
    if "=" not in text:
        return {text.strip(): 1.0}
    parts: dict[str, float] = {}
    for entry in text.split(","):
        name, equals, value = (word.strip() for word in entry.partition("="))
        if not equals:
            raise ConfigurationError(
                f"'{entry}' is not a part of a mixture; write EMOTION=PART,..., such as happy=0.7,sad=0.3."
            )
        if name in parts:
            raise ConfigurationError(f"The mixture '{text}' names {name} twice.")
        try:
            parts[name] = float(value)
        except ValueError:
            raise ConfigurationError(f"The part of style '{name}' must be a number from 0 up, got '{value}'.") from None
    return parts


def _mixture_text(parts: Mapping[str, float]) -> str:
    return ",".join(f"{emotion}={part:g}" for emotion, part in parts.items())


@dataclass(frozen=True, kw_only=True)
class StyleOptions(EffectOptions):
    """What is painted, by which net, and what stays of the frame."""

    section: ClassVar[str] = "style"

    net: Annotated[
        str,
        option(
            "The style net: a shipped net, or an .onnx file with its card beside it.",
            catalog="style nets",
            cli=Spelling(short="", metavar="NAME|FILE"),
        ),
    ] = "fast"
    strength: Annotated[float, fraction("Weight of the style, from the frame as it is (0) to all style (1).")] = 1.0
    fixed: Annotated[
        Mapping[str, float] | None,
        option(
            "Paint in this emotion's style, or a mixture such as happy=.7,sad=.3; auto follows the faces.",
            label="Style of",
            suggestions=(AUTO, *EMOTIONS),
            live=True,
            cli=Spelling(flag="mix", short="style", metavar="EMOTION[=PART,...]"),
            text=TextForm(parse=parse_mixture, write=_mixture_text, none=AUTO),
        ),
    ] = None
    certainty: Annotated[
        float, fraction("How far an uncertain emotion weakens a style that follows it.", label="Trust in certainty")
    ] = 1.0
    """Fixed styles are never weakened. At 0, the style of neutral follows when a face leaves; otherwise the frame as it
    is."""
    region: Annotated[
        StyleRegion,
        option("Paint the whole frame, faces, all but faces, people, or all but people.", label="Where", live=True),
    ] = "frame"
    keep: Annotated[
        Keep, option("Keep the frame's own chroma, or its own luma, bit for bit.", live=True, cli=Spelling(short=""))
    ] = "none"
    size: Annotated[
        int,
        option("Short side of what the net sees of larger frames.", ge=64, le=4320, unit="px", cli=Spelling(short="")),
    ] = 360
    detail: Annotated[
        float, fraction("How much detail too fine for that size stays under the style.", cli=Spelling(short=""))
    ] = 0.5
    precision: Annotated[
        Precision,
        option(
            "Arithmetic of the net: bf16 takes half the time on CPUs that have it; f16 is for GPUs.",
            cli=Spelling(short=""),
        ),
    ] = "f32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fixed is not None:
            _check_parts(self.fixed)

    @property
    def needs(self) -> frozenset[Need]:
        found: set[Need] = {"chroma"}
        if self.fixed is None or self.region in ("face", "keep-face"):
            found.add("faces")
        if self.region in ("person", "background"):
            found.add("people")
        return frozenset(found)

    @property
    def follows_faces_alone(self) -> bool:
        return self.fixed is None


def _check_parts(parts: Mapping[str, float]) -> None:
    for emotion, part in parts.items():
        if emotion not in EMOTIONS:
            raise ConfigurationError(f"There is no style '{emotion}'{nearest(emotion, EMOTIONS)}")
        if not (part >= 0 and math.isfinite(part)):
            raise ConfigurationError(f"The part of style '{emotion}' must be a number from 0 up, got {part:g}.")
    if not sum(parts.values()) > 0:
        raise ConfigurationError("A mixture of styles needs a part above 0.")


class Style:
    """Paint the frame, or a region of it, in a mixture of the emotions' styles. Not thread-safe."""

    def __init__(self, options: StyleOptions, style_transfer: StyleTransfer) -> None:
        self.options = options
        self._style_transfer = style_transfer
        self._fixed = None if options.fixed is None else _normalized(options.fixed)
        self._disc = soft_disc(_FEATHER)
        self._difference: Map | None = None
        """R'G'B' (h, w, 3) for the current frame, reused because fresh memory would cost more than the arithmetic."""

    def mixture(self, scene: Scene) -> StyleMixture:
        """Weights of the seven styles and of the frame as it is, (8,) float32 with sum 1."""
        strength = self.options.strength
        if self._fixed is not None:
            return np.append(strength * self._fixed, 1 - strength).astype(np.float32)
        weakening = self.options.certainty
        strength *= 1 - weakening + weakening * scene.certainty
        return np.append(strength * scene.probabilities, 1 - strength).astype(np.float32)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Paint ``frame`` in place; any format of ``PIXEL_FORMATS`` (gray ones only take luma)."""
        options, mixture = self.options, self.mixture(scene)
        weight = 1 - float(mixture[IDENTITY])
        if weight < MIN_STYLE_WEIGHT:
            return frame
        mask = self._mask(scene, frame.luma.shape, (1, 1))
        if mask is not None and weight * float(mask.max()) < MIN_STYLE_WEIGHT:
            return frame
        kept = 1 - (1 - options.detail) * weight
        copy = _small_copy(frame, options.size)
        self._difference = cv2.addWeighted(
            self._painted(copy, mixture), 1, copy, -kept, 0, dst=self._difference, dtype=cv2.CV_32F
        )
        colors = code_conversion(frame.color, frame.format.bits)
        to_luma, *to_chroma = np.column_stack([colors.to_codes, (1 - kept) * colors.zero])
        if options.keep != "luma":
            _write(frame.luma, self._difference, to_luma, kept, mask, frame.format.bits)
        if options.keep != "chroma" and frame.chroma is not None:
            mask = self._mask(scene, frame.chroma[0].shape, frame.format.subsampling)
            for plane, to_codes in zip(frame.chroma, to_chroma, strict=True):
                _write(plane, self._difference, to_codes, kept, mask, frame.format.bits)
        return frame

    def _painted(self, rgb: RgbImage, mixture: StyleMixture) -> RgbImage:
        height, width = rgb.shape[:2]
        down, right = max(0, MIN_INPUT_SIDE - height), max(0, MIN_INPUT_SIDE - width)
        if down or right:
            rgb = np.asarray(cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        return self._style_transfer.paint(rgb, mixture)[:height, :width]

    def _mask(self, scene: Scene, shape: tuple[int, ...], subsampling: tuple[int, int]) -> Mask | None:
        """How far each sample of a plane is painted, (H, W) in [0, 1]; ``None`` means fully, everywhere."""
        height, width = shape
        match self.options.region:
            case "frame":
                return None
            case "face" | "keep-face":
                faces = _faces_mask(self._disc, scene.faces, (height, width), subsampling)
                return faces if self.options.region == "face" else 1 - faces
            case "person" | "background":
                inside = self.options.region == "person"
                if scene.person is None:
                    return np.zeros((height, width), np.float32) if inside else None
                people = plane_mask(scene.person, (height, width))
                return people if inside else 1 - people


def _normalized(parts: Mapping[str, float]) -> NDArray[np.float64]:
    """Weights of the seven styles, (7,) with sum 1."""
    known = np.array([parts.get(emotion, 0.0) for emotion in EMOTIONS], np.float64)
    known /= known.max()  # first, so that the sum is finite for any numbers
    return np.asarray(known / known.sum())


def _faces_mask(disc: Mask, faces: tuple[Face, ...], shape: tuple[int, int], subsampling: tuple[int, int]) -> Mask:
    """Where faces are, (H, W) in [0, 1], with soft borders, scaled by their presence."""
    mask = np.zeros(shape, np.float32)
    for face in faces:
        placed = place_disc(disc, face, subsampling, shape)
        if placed is not None:
            rows, columns, soft = placed
            mask[rows, columns] = np.maximum(mask[rows, columns], np.float32(face.presence) * soft)
    return mask


@dataclass(frozen=True)
class CodeConversion:
    """Affine maps between a frame's code values and the net's R'G'B' in [0, 255]."""

    to_rgb: NDArray[np.float64]
    """(3, 4): from (Y, Cb, Cr, 1), as codes scaled to 8 bits."""
    to_codes: NDArray[np.float64]
    """(3, 3): from R'G'B' to the difference from black's codes, at the frame's own depth."""
    zero: NDArray[np.float64]
    """(3,) codes of black, at the frame's own depth."""


@lru_cache(maxsize=4)
def code_conversion(color: ColorSpec, bits: int) -> CodeConversion:
    """The maps for frames of this colour space and depth; code values of SDR are treated as sRGB."""
    black, span, middle, _ = code_range(color, bits)
    white = (rgb_to_codes(np.ones(3), color, bits)[0] - black) / span  # below 1 in HDR
    y, cb, cr = np.eye(4, 3, -1).T  # all codes 0, and each of them 1 alone
    origin, *units = codes_to_rgb(y, cb, cr, color, bits) * 255 / white
    linear = np.column_stack([unit - origin for unit in units])
    to_rgb = np.column_stack([linear * (1 << (bits - 8)), origin])
    return CodeConversion(to_rgb=to_rgb, to_codes=np.linalg.inv(linear), zero=np.array([black, middle, middle]))


def _small_copy(frame: Frame, short_side: int) -> RgbImage:
    """The net's input: the frame as R'G'B' (h, w, 3) uint8, converted by its own matrix and range."""
    size_wh = style_input_size(*frame.size_wh, short_side)
    planes = [_in_8_bits(_scaled(plane, size_wh), frame.format.bits) for plane in (frame.luma, *(frame.chroma or ()))]
    if frame.chroma is None:
        planes += [np.full_like(planes[0], 128)] * 2
    to_rgb = code_conversion(frame.color, frame.format.bits).to_rgb
    return np.asarray(cv2.transform(cv2.merge(planes), to_rgb), np.uint8)


def style_input_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height of the net's input: the frame's own, or multiples of 4 if it must shrink."""
    scale = short_side / min(width, height)
    if scale >= 1:
        return width, height
    return round(width * scale / _MULTIPLE) * _MULTIPLE, round(height * scale / _MULTIPLE) * _MULTIPLE


def _in_8_bits(plane: Plane, bits: int) -> Plane:
    """Codes rounded to 8 bits; samples of damaged frames may exceed their depth."""
    return plane if bits == 8 else np.asarray(cv2.convertScaleAbs(plane, alpha=1 / (1 << (bits - 8))), np.uint8)


def _scaled(plane: NDArray[np.generic], size_wh: tuple[int, int]) -> Plane:
    """Scale a plane: by averaging if it shrinks, bilinearly if it grows."""
    height, width = plane.shape
    shrinks = size_wh[0] <= width and size_wh[1] <= height
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size_wh, interpolation=interpolation))


def _write(
    plane: Plane, difference: Map, to_codes: NDArray[np.float64], kept: float, mask: Mask | None, bits: int
) -> None:
    """Set ``plane = kept * plane + change`` in place, rounded, weighted by the mask.

    The change is ``to_codes`` (4,) times (R', G', B', 1) of ``difference`` (h, w, 3), scaled to the plane's size.
    """
    depth = cv2.CV_8U if bits == 8 else cv2.CV_16U
    was = np.ascontiguousarray(plane)  # OpenCV cannot address one of two interleaved channels
    scaled = _scaled(cv2.transform(difference, to_codes[None]), (plane.shape[1], plane.shape[0]))
    if mask is None:
        written = cv2.addWeighted(was, kept, scaled, 1, 0, dtype=depth)
    else:
        whole = cv2.addWeighted(was, kept - 1, scaled, 1, 0, dtype=cv2.CV_32F)
        written = cv2.add(was, cv2.multiply(whole, mask), dtype=depth)
    plane[...] = written if bits == 8 else np.minimum(written, (1 << bits) - 1)
