"""The emotion classifier: probabilities of face crops and their uncertainty, by Monte Carlo dropout.

S0 (section 3.2) runs T passes with dropout on and takes their mean. Here the layers before the first dropout run once
per face, and the T masks are drawn once from a seed and reused (common random numbers). The same face therefore gets
the same estimate every time, so sampling never makes a colour flicker, and faces of one frame are compared fairly.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .arrays import GrayImage, NetArray
from .errors import ConfigurationError
from .faces import EmotionEstimate

FACES_PER_RUN = 8
"""More faces than this are classified in several runs, because memory grows with faces times passes."""


class DropoutNet(Protocol):
    """A classifier that takes its dropout masks as inputs."""

    @property
    def crop_size(self) -> int:
        """Side of its square gray crops, in pixels."""
        ...

    @property
    def dropouts(self) -> Mapping[str, tuple[tuple[int, ...], float]]:
        """By name of each mask input: its shape without the pass axis, and its drop probability."""
        ...

    @property
    def output(self) -> str:
        """Name of the output with the probabilities to use."""
        ...

    def run(self, inputs: Mapping[str, NetArray]) -> dict[str, NetArray]:
        """From ``faces``, (N, 1, S, S) in [0, 1], and the masks, (T, ...), to named probabilities, (T, N, 7)."""
        ...


class EmotionClassifier:
    """Estimates emotions of face crops, with their uncertainty. Not thread-safe."""

    def __init__(self, net: DropoutNet, *, passes: int = 10, seed: int = 0, fixed_masks: bool = True) -> None:
        """``passes`` is T, 0 to 1000; 0 switches dropout off (one deterministic pass).

        Without ``fixed_masks`` every call draws new masks from one random stream. Raises ``ConfigurationError``.
        """
        if not 0 <= passes <= 1000:
            raise ConfigurationError(f"The number of Monte Carlo passes must lie between 0 and 1000, got {passes}.")
        self._net = net
        self._passes = passes
        self._random = np.random.default_rng(seed)
        self._fixed_masks = fixed_masks
        self._masks = self._draw()

    @property
    def crop_size(self) -> int:
        """Side of the crops that :meth:`estimate` takes, in pixels."""
        return self._net.crop_size

    @property
    def masks(self) -> Mapping[str, NetArray]:
        """The current masks, (T, ...) each: 0 where dropped, 1 / (1 - rate) where kept (inverted dropout)."""
        return self._masks

    def estimate(self, crops: Sequence[GrayImage]) -> list[EmotionEstimate]:
        """One estimate per crop, in their order; crops are (S, S) uint8 full-range gray."""
        if not crops:
            return []
        passes = self.passes_of(np.stack(crops))
        return [summarize(passes[:, face]) for face in range(len(crops))]

    def passes_of(self, crops: NDArray[np.uint8], output: str | None = None) -> NetArray:
        """Class probabilities of every pass, (T, N, 7), for crops (N, S, S) uint8.

        ``output`` names the net's output to read, if not its default.
        """
        if not self._fixed_masks:
            self._masks = self._draw()
        faces = crops[:, None].astype(np.float32) / np.float32(255)
        parts = [
            self._net.run({"faces": faces[first : first + FACES_PER_RUN], **self._masks})[output or self._net.output]
            for first in range(0, len(faces), FACES_PER_RUN)
        ]
        return np.concatenate(parts, axis=1)

    def _draw(self) -> dict[str, NetArray]:
        return {name: self._mask(shape, rate) for name, (shape, rate) in self._net.dropouts.items()}

    def _mask(self, shape: tuple[int, ...], rate: float) -> NetArray:
        if self._passes == 0:
            return np.ones((1, *shape), np.float32)
        kept = self._random.random((self._passes, *shape), dtype=np.float32) >= rate
        return kept.astype(np.float32) / np.float32(1 - rate)


def summarize(passes: NetArray) -> EmotionEstimate:
    """Mean, entropy and mutual information of the passes (T, 7) over one face."""
    sampled = passes.astype(np.float64)
    mean = sampled.mean(axis=0)
    mean /= mean.sum()  # float32 outputs sum to one only within rounding
    entropy = float(_entropy(mean))
    expected = float(_entropy(sampled).mean())
    # Below zero only by rounding: entropy is concave.
    return EmotionEstimate(probabilities=mean, entropy=entropy, mutual_information=max(0.0, entropy - expected))


def _entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shannon entropy over the last axis, in nats."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=-1))
