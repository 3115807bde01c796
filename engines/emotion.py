"""Emotion nets by name, ready to run on what the machine has."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emocolor.errors import OutOfMemoryError

from .runners.base import Runner
from .runners.devices import Device, PrecisionChoice
from .runners.selection import open_runner
from .shapes import PASSES
from .spec import EmotionNetSpec, read_emotion_spec

log = logging.getLogger(__name__)


@dataclass
class EmotionNetRunner:
    """An emotion net with its card, ready to run. Not thread-safe."""

    spec: EmotionNetSpec
    runner: Runner
    _most_passes: int = field(default=PASSES.most, init=False, repr=False)
    """If there are more Monte Carlo passes, they are split into several runs."""

    @property
    def backend(self) -> str:
        """Runtime and device, for people to read."""
        return self.runner.backend

    @property
    def crop_size(self) -> int:
        """Side of the square gray crops that it takes."""
        return self.spec.crop_size

    @property
    def dropouts(self) -> Mapping[str, tuple[tuple[int, ...], float]]:
        """Name of each mask input: its shape without the pass axis, and its drop probability."""
        return self.spec.dropouts

    @property
    def output(self) -> str:
        """The output that the program uses."""
        return self.spec.output

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """``faces`` (N, 1, S, S) and masks (T, ...) with any T to probabilities (T, N, 7) float32 for each label set.

        If the device runs out of memory, a warning is logged and from then on half as many passes go into a run. Raises
        ``OutOfMemoryError`` if there is no room for a single pass, and ``EngineError`` for inputs that the net does not
        take (``engines.shapes``).
        """
        passes = max((len(inputs[name]) for name in self.spec.dropouts if name in inputs), default=1)
        if passes <= self._most_passes:
            try:
                return self.runner.run(inputs)
            except OutOfMemoryError:
                if passes < 2:
                    raise
                self._most_passes = passes // 2
                log.warning(
                    "The device has too little memory for %d passes in one run; running %d.", passes, self._most_passes
                )
        step = self._most_passes  # kept, since a run below may lower it
        parts = [self.run(self._some_passes(inputs, start, step)) for start in range(0, passes, step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.spec.label_sets}

    def _some_passes(self, inputs: Mapping[str, NDArray[Any]], start: int, count: int) -> dict[str, NDArray[Any]]:
        """All faces with ``count`` of the masks."""
        masks = {name: inputs[name][start : start + count] for name in self.spec.dropouts if name in inputs}
        return {**inputs, **masks}


def load_emotion_net(
    name: str, *, device: Device = "auto", threads: int = 1, precision: PrecisionChoice = "auto"
) -> EmotionNetRunner:
    """Load an emotion net that ships, by name, or an ONNX file with its card beside it, by path.

    One thread is the default because decoding and encoding fill the other cores. ``auto`` is ``f32``, with the same
    results on every machine of a kind; ``bf16`` is about twice as fast on CPUs that have it. Raises as
    ``engines.spec.read_emotion_spec`` and ``engines.runners.selection.open_runner`` do.
    """
    spec = read_emotion_spec(name)
    return EmotionNetRunner(spec, open_runner(spec, device=device, threads=threads, precision=precision))
