"""What the parts look like to each other: each has one working method, and ``close`` where it holds something."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .chroma_history import ChromaEstimate
from .faces import Detection, Scene
from .frames import Frame, Rotation

Gray = NDArray[np.uint8]
Tensor = NDArray[np.float32]


class Detector(Protocol):
    """Finds faces in single pictures."""

    def detect(
        self, gray: Gray, known: Sequence[Detection], rotation: Rotation, *, sweep: bool = False
    ) -> list[Detection]:
        """Faces in ``gray``, (H, W) uint8 full range, best first.

        ``known`` are faces where they are expected, looked for at close range; ``rotation`` is how
        a player turns the picture; ``sweep`` asks to look everywhere now, for a picture unlike the
        one before.
        """
        ...

    def close(self) -> None: ...


class Colorist(Protocol):
    """Imagines the colours of gray pictures."""

    def estimate(self, gray: Gray, vividness: float) -> ChromaEstimate:
        """The colours of ``gray``, (H, W) uint8 full range, on a coarser map.

        ``vividness`` in [0, 1] chooses between the safest colours (0) and the boldest (1).
        """
        ...


class Effect(Protocol):
    """Changes a picture by what is seen in it."""

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """The picture coloured; it may be the same frame, its planes changed in place."""
        ...
