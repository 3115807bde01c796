"""Protocols between the parts: each has one working method, and ``close`` where it holds something."""

from collections.abc import Sequence
from typing import Literal, Protocol

from .arrays import GrayImage, Mask, RgbImage, StyleMixture
from .chroma.stabilizer import ChromaEstimate
from .faces import Detection, Scene
from .frames import Frame, Rotation

Precision = Literal["f32", "bf16", "f16"]
"""Arithmetic that a net can run in; f16 on GPUs alone."""


class Detector(Protocol):
    """Finds faces in single frames."""

    def detect(
        self, gray: GrayImage, known: Sequence[Detection], rotation: Rotation, *, sweep: bool = False
    ) -> list[Detection]:
        """Faces in ``gray``, (H, W) uint8 full range, best first.

        ``known`` are faces where they are expected, looked for at close range; ``rotation`` is how
        a player turns the frame; ``sweep`` asks for a search of the whole frame, for one unlike the one
        before.
        """
        ...

    def close(self) -> None: ...


class PersonSegmenter(Protocol):
    """Tells people from their background."""

    def segment(self, rgb: RgbImage) -> Mask:
        """Where people are in ``rgb``, sRGB (H, W, 3) uint8 shown upright: (H, W) in [0, 1], 1 on a person."""
        ...

    def close(self) -> None: ...


class Colorizer(Protocol):
    """Predicts the colours of gray images."""

    def estimate(self, gray: GrayImage, vividness: float) -> ChromaEstimate:
        """The colours of ``gray``, (H, W) uint8 full range, on a coarser map.

        ``vividness`` in [0, 1] chooses between the safest colours (0) and the boldest (1).
        """
        ...


class StyleTransfer(Protocol):
    """Paints images in the styles of emotions."""

    def paint(self, rgb: RgbImage, mixture: StyleMixture) -> RgbImage:
        """``rgb``, sRGB (H, W, 3) uint8 of at least 36 px a side, painted; of the same size.

        ``mixture``, (8,) with sum 1, are the parts of the seven emotions' styles, in their order, and of the
        image as it is.
        """
        ...


class Effect(Protocol):
    """Changes a frame by what is seen in it.

    An attribute ``needs``, a set of :data:`emocolor.options.Need`, says what the program must prepare; faces and chroma
    planes where it is absent.
    """

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """The frame recoloured; it may be the same frame, its planes changed in place."""
        ...


class Nets(Protocol):
    """Where effects get their nets; who implements it decides whether they are shared."""

    def colorizer(self, net: str) -> Colorizer:
        """A colorizer by name or file. Raises ``ConfigurationError`` and ``EngineError``."""
        ...

    def style_transfer(self, net: str, precision: Precision) -> StyleTransfer:
        """A style net by name or file. Raises ``ConfigurationError`` and ``EngineError``."""
        ...
