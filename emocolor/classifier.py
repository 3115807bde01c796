"""From face crops to emotion probabilities and their uncertainty, by Monte Carlo dropout.

S0 section 3.2: T passes with dropout on, their mean is the estimate. Here the layers before the
first dropout run once per face, and the T masks are drawn once from a seed and then held (common
random numbers): the same face gives the same estimate each time, so that sampling never makes a
colour flicker, and faces of one frame differ by what they show alone.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .arrays import GrayImage, NetArray
from .errors import ConfigurationError
from .faces import EmotionEstimate

FACES_PER_RUN = 8
"""More faces than this are classified in several runs, which bounds memory at T passes each."""


class DropoutNet(Protocol):
    """A classifier whose dropout masks are inputs."""

    @property
    def crop_size(self) -> int:
        """Side of the square gray crops it takes."""
        ...

    @property
    def dropouts(self) -> Mapping[str, tuple[tuple[int, ...], float]]:
        """Name of each mask input: its shape without the pass axis, and its drop probability."""
        ...

    @property
    def output(self) -> str:
        """Name of the output to use."""
        ...

    def run(self, inputs: Mapping[str, NetArray]) -> dict[str, NetArray]:
        """``faces`` (N, 1, S, S) in [0, 1] and the masks (T, ...) to named probabilities (T, N, 7)."""
        ...


class EmotionClassifier:
    """Classifies face crops with their uncertainty."""

    def __init__(self, net: DropoutNet, *, passes: int = 10, seed: int = 0, hold_masks: bool = True) -> None:
        """``passes`` is T; 0 switches dropout off (one deterministic pass).

        Without ``hold_masks`` every call draws new masks from the same random stream.
        """
        if not 0 <= passes <= 1000:
            raise ConfigurationError(f"The number of Monte Carlo passes must lie between 0 and 1000, got {passes}.")
        self._net = net
        self._passes = passes
        self._random = np.random.default_rng(seed)
        self._hold_masks = hold_masks
        self._masks = self._draw()

    @property
    def crop_size(self) -> int:
        """Side of the crops that ``estimate`` takes."""
        return self._net.crop_size

    @property
    def masks(self) -> Mapping[str, NetArray]:
        """The masks in use, (T, ...) each: 0 where dropped, 1 / (1 - rate) where kept."""
        return self._masks

    def estimate(self, crops: Sequence[GrayImage]) -> list[EmotionEstimate]:
        """One estimate per crop; crops are (S, S) uint8 full-range gray."""
        if not crops:
            return []
        passes = self.passes_of(np.stack(crops))
        return [summarise(passes[:, face]) for face in range(len(crops))]

    def passes_of(self, crops: NDArray[np.uint8], output: str | None = None) -> NetArray:
        """Class probabilities of every pass, (T, N, 7), for crops (N, S, S) uint8.

        ``output`` names another of the net's outputs than the one it answers with.
        """
        if not self._hold_masks:
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


def summarise(passes: NetArray) -> EmotionEstimate:
    """Mean, entropy and mutual information of T passes (T, 7) over one face."""
    sampled = passes.astype(np.float64)
    mean = sampled.mean(axis=0)
    mean /= mean.sum()
    entropy = float(_entropy(mean))
    expected = float(_entropy(sampled).mean())
    return EmotionEstimate(probabilities=mean, entropy=entropy, mutual_information=max(0.0, entropy - expected))


def _entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shannon entropy over the last axis, in nats."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=-1))
