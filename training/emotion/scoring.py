"""What all evaluation scripts share: the faces, the labels to score by, and the net's output for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emocolor.classifier import EmotionClassifier
from emocolor.errors import ConfigurationError, SourceError
from engines.spec import EmotionNetSpec

from ..data.faces import FaceSet, LabelSet, Split, ferplus_majority, read_faces

CHUNK = 64
"""Faces that are widened to float32 at a time."""


def scored_faces(path: Path, split: Split, label_set: LabelSet) -> FaceSet:
    """The faces of an npz with the labels to score by: the file's own, or the majority of FER+ votes.

    With ``ferplus`` the images that have no majority are left out. Raises ``SourceError`` where nothing
    is left, or where the file cannot be used.
    """
    faces = read_faces(path, split)
    if label_set == "fer2013":
        return faces
    majority, counts = ferplus_majority(faces)
    if not counts.any():
        raise SourceError(f"No image of {path} has a majority in its FER+ votes.")
    return replace(faces.subset(counts), labels=majority[counts])


def output_for(spec: EmotionNetSpec, label_set: LabelSet, asked: str | None = None) -> str:
    """The output ``asked`` for, else the one trained on ``label_set``, else the one that the program uses.

    Raises ``ConfigurationError`` for an output that the net does not have.
    """
    output = asked or (label_set if label_set in spec.label_sets else spec.output)
    if output not in spec.label_sets:
        raise ConfigurationError(f"'{spec.name}' has no output '{output}'. It has {', '.join(spec.label_sets)}.")
    return output


def passes_of_all(classifier: EmotionClassifier, crops: NDArray[np.uint8], output: str) -> NDArray[np.float32]:
    """Class probabilities (T, N, 7) of crops (N, S, S), whose float32 form never lies in memory as a whole."""
    parts = [classifier.passes_of(crops[i : i + CHUNK], output) for i in range(0, len(crops), CHUNK)]
    return np.concatenate(parts, axis=1)
