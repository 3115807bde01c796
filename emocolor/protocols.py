"""What the parts look like to each other: each has one working method, and ``close`` where it holds something."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .faces import Detection, Scene
from .frames import Frame, Rotation

Gray = NDArray[np.uint8]
Tensor = NDArray[np.float32]


class Source(Protocol):
    """Where frames come from, in presentation order."""

    def frames(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


class Detector(Protocol):
    """Finds faces in single pictures."""

    def detect(self, gray: Gray, known: Sequence[Detection], rotation: Rotation) -> list[Detection]:
        """Faces in ``gray``, (H, W) uint8 full range.

        ``known`` are faces where they are expected, looked for at close range; ``rotation`` is how
        a player turns the picture.
        """
        ...

    def close(self) -> None: ...


class Runner(Protocol):
    """A net, ready to run."""

    @property
    def spec(self) -> Any: ...

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named float32 arrays in, named float32 arrays out."""
        ...


class Effect(Protocol):
    """Changes a picture by what is seen in it."""

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """The picture coloured; it may be the same frame, its planes changed in place."""
        ...


class Sink(Protocol):
    """Where frames go, in presentation order."""

    def write(self, frame: Frame) -> None: ...

    def close(self) -> None: ...
