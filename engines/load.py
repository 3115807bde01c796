"""The one door to the nets: by name, ready to run on what the machine has."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .runners import Device, Runner, open_runner
from .spec import NetSpec, Precision, read_spec


@dataclass(frozen=True)
class LoadedNet:
    """A net with its spec, compiled."""

    spec: NetSpec
    runner: Runner

    @property
    def crop_size(self) -> int:
        return self.spec.crop_size

    @property
    def dropouts(self) -> Mapping[str, tuple[tuple[int, ...], float]]:
        return self.spec.dropouts

    @property
    def answer(self) -> str:
        return self.spec.answer

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Named float32 arrays in, named float32 arrays out; not for two threads at once."""
        return self.runner.run(inputs)


def load(name: str, *, device: Device = "auto", threads: int = 1, precision: Precision = "f32") -> LoadedNet:
    """Load a shipped net; raises as ``engines.spec.read_spec`` and ``engines.runners.open_runner`` do.

    One thread is the default because decoding and encoding fill the other cores. ``f32`` gives
    the same figures on every machine of a kind; ``bf16`` is about twice as fast where the
    processor has it.
    """
    spec = read_spec(name)
    return LoadedNet(spec, open_runner(spec, device=device, threads=threads, precision=precision))
