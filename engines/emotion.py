"""The one door to the emotion nets: by name, ready to run on what the machine has."""

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
    """A net with its spec, ready to run. Not for two threads at once."""

    spec: EmotionNetSpec
    runner: Runner
    _most_passes: int = field(default=PASSES.most, init=False, repr=False)
    """More Monte Carlo passes than these are made in several runs."""

    @property
    def backend(self) -> str:
        """Runtime and device, for people to read."""
        return self.runner.backend

    @property
    def crop_size(self) -> int:
        """Side of the square gray crops it takes."""
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
        """``faces`` (N, 1, S, S) and masks (T, ...), of any T, to probabilities (T, N, 7) float32 per label set.

        Where the device's memory does not suffice, half as many passes go into a run, from then on, with a warning.
        Raises ``OutOfMemoryError`` where there is not even enough for one, and ``EngineError`` for inputs that the
        net does not take (``engines.shapes``).
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
                    "The device has too little memory for %d passes at once; running %d.", passes, self._most_passes
                )
        step = self._most_passes  # which a run may lessen
        parts = [self.run(self._some(inputs, start, step)) for start in range(0, passes, step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.spec.label_sets}

    def _some(self, inputs: Mapping[str, NDArray[Any]], start: int, count: int) -> dict[str, NDArray[Any]]:
        """The same faces with some of the masks."""
        masks = {name: inputs[name][start : start + count] for name in self.spec.dropouts if name in inputs}
        return {**inputs, **masks}


def load_emotion_net(
    name: str, *, device: Device = "auto", threads: int = 1, precision: PrecisionChoice = "auto"
) -> EmotionNetRunner:
    """Load an emotion net that ships, by name, or any by the path of its ONNX file with its card beside it.

    One thread is the default because decoding and encoding fill the other cores. ``f32``, which ``auto`` means, gives
    the same figures on every machine of a kind; ``bf16`` is about twice as fast where the processor has it. Raises as
    ``engines.spec.read_emotion_spec`` and ``engines.runners.selection.open_runner`` do.
    """
    spec = read_emotion_spec(name)
    return EmotionNetRunner(spec, open_runner(spec, device=device, threads=threads, precision=precision))
