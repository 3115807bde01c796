"""When runtimes are compared: the inputs for each kind of net, its error metrics, and how large they may be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.chroma.conversion import luma_of
from emocolor.classifier import FACES_PER_RUN, EmotionClassifier
from emocolor.effects.colorize import ColorizeOptions, colorizer_input_size
from emocolor.protocols import Precision
from engines.emotion import load_emotion_net
from engines.spec import (
    ColorizerSpec,
    EmotionNetSpec,
    StyleSpec,
    colorizer_names,
    emotion_net_names,
    read_colorizer_spec,
    read_emotion_spec,
    read_style_spec,
    style_net_names,
)
from training.data.faces import FaceSet

Arrays = Mapping[str, NDArray[Any]]
"""A run's inputs or outputs by name."""
Metrics = dict[str, float]

PASSES: Final = 20
"""T of Monte Carlo dropout."""
CONCENTRATION: Final = 0.3
"""Of the Dirichlet distribution that mixtures of styles are drawn from: one or two have most of the weight."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What nets run on; none of it was used for training."""

    faces: FaceSet
    photos: tuple[NDArray[np.uint8], ...]
    """sRGB, (H, W, 3) each."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of net: which ship, what they run on, and how their outputs are compared."""

    names: Callable[[], tuple[str, ...]]
    read: Callable[[str], Any]
    inputs: Callable[[Any, Material], list[Arrays]]
    """From a card and the material to named arrays, one set for each run."""
    errors: Callable[[Sequence[Arrays], Sequence[Arrays]], Metrics]
    """From a backend's outputs and the exact ones to metrics."""
    titles: Mapping[str, str]
    """Of each metric, in the head of the table."""
    limited: str
    """The metric that has a tolerance."""
    tolerances: Mapping[Precision, float]


def faces_and_masks(spec: EmotionNetSpec, material: Material) -> list[Arrays]:
    """Crops as the program passes them to a classifier, with the masks that it draws."""
    masks = EmotionClassifier(load_emotion_net(spec.name, device="cpu"), passes=PASSES).masks
    crops = material.faces.gray(spec.crop_size)[:, None].astype(np.float32) / np.float32(255)
    parts = [crops[first : first + FACES_PER_RUN] for first in range(0, len(crops), FACES_PER_RUN)]
    return [{"faces": part, **masks} for part in parts]


def probability_errors(found: Sequence[Arrays], exact: Sequence[Arrays]) -> Metrics:
    """Errors of probabilities (T, N, 7) over all label sets; ``top1`` is the share of faces with the same top class."""
    ours, theirs = _by_face(found), _by_face(exact)
    error, mean, wanted = np.abs(ours - theirs), ours.mean(0), theirs.mean(0)
    return {
        "largest": float(error.max()),
        "mean": float(error.mean()),
        "largest_over_passes": float(np.abs(mean - wanted).max()),
        "top1": float((mean.argmax(1) == wanted.argmax(1)).mean()),
    }


def _by_face(outputs: Sequence[Arrays]) -> NDArray[np.float64]:
    return np.concatenate([part.astype(np.float64) for output in outputs for _, part in sorted(output.items())], axis=1)


def gray_photos(spec: ColorizerSpec, material: Material) -> list[Arrays]:
    """Photos in gray as the effect passes them to a colorizer, at its default vividness."""
    choice = spec.choice(ColorizeOptions().vividness)
    given = {
        "temperature": np.array([choice.temperature], np.float32),
        "rebalancing": np.array([choice.rebalancing], np.float32),
    }
    return [{"gray": _gray_input(photo), **given} for photo in material.photos]


def _gray_input(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    gray = luma_of(photo)
    small = cv2.resize(gray, colorizer_input_size(gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_AREA)
    return small[None, None].astype(np.float32) / np.float32(255)


def color_errors(found: Sequence[Arrays], exact: Sequence[Arrays]) -> Metrics:
    """Distances between colours ab (1, 2, h, w) and differences between confidences (1, 1, h, w)."""
    pairs = list(zip(found, exact, strict=True))
    ab = np.concatenate([np.linalg.norm(ours["ab"] - theirs["ab"], axis=1).ravel() for ours, theirs in pairs])
    confidence = np.concatenate([np.abs(ours["confidence"] - theirs["confidence"]).ravel() for ours, theirs in pairs])
    return {
        "largest": float(ab.max()),
        "mean": float(ab.mean()),
        "largest_of_confidence": float(confidence.max()),
        "mean_of_confidence": float(confidence.mean()),
    }


def photos_and_mixtures(spec: StyleSpec, material: Material) -> list[Arrays]:
    """Photos cropped to sides that the net takes, each with its own mixture of the seven styles and the identity."""
    random = np.random.default_rng(0)
    mixtures = random.dirichlet(np.full(8, CONCENTRATION), len(material.photos)).astype(np.float32)
    return [
        {"rgb": _cropped(photo, spec.multiple)[None], "mixture": mixture[None]}
        for photo, mixture in zip(material.photos, mixtures, strict=True)
    ]


def _cropped(photo: NDArray[np.uint8], multiple: int) -> NDArray[np.uint8]:
    height, width = (side // multiple * multiple for side in photo.shape[:2])
    return np.ascontiguousarray(photo[:height, :width])


def sample_errors(found: Sequence[Arrays], exact: Sequence[Arrays]) -> Metrics:
    """Errors of painted samples (1, H, W, 3) uint8, which both sides rounded."""
    errors = np.concatenate(
        [
            np.abs(ours["painted"].astype(int) - theirs["painted"]).ravel()
            for ours, theirs in zip(found, exact, strict=True)
        ]
    )
    return {"largest": float(errors.max()), "mean": float(errors.mean())}


KINDS: Final = {
    "emotion": Kind(
        names=emotion_net_names,
        read=read_emotion_spec,
        inputs=faces_and_masks,
        errors=probability_errors,
        titles={
            "largest": "probability of one pass: largest error",
            "mean": "mean error",
            "largest_over_passes": f"mean over T = {PASSES}: largest error",
            "top1": "same top class",
        },
        limited="largest_over_passes",
        tolerances={"f32": 1e-4, "f16": 0.02, "bf16": 0.1},
    ),
    "colorizer": Kind(
        names=colorizer_names,
        read=read_colorizer_spec,
        inputs=gray_photos,
        errors=color_errors,
        titles={
            "largest": "ab: largest error",
            "mean": "mean error",
            "largest_of_confidence": "confidence: largest error",
            "mean_of_confidence": "mean error",
        },
        limited="mean",
        tolerances={"f32": 0.001, "f16": 0.1, "bf16": 0.5},
    ),
    "style": Kind(
        names=style_net_names,
        read=read_style_spec,
        inputs=photos_and_mixtures,
        errors=sample_errors,
        titles={"largest": "sample in codes of 255: largest error", "mean": "mean error"},
        limited="mean",
        # One code in a hundred samples: those whose exact value lies close to the middle between two codes.
        tolerances={"f32": 0.01, "f16": 0.1, "bf16": 0.5},
    ),
}
"""Tolerances are those of ``limited``. bf16 has 8 bits of precision and f16 has 11: an eighth of the errors."""
