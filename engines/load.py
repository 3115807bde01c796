"""The one door to the nets: by name, ready to run on what the machine has."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .openvino_runner import OpenVinoRunner
from .spec import NetSpec, Precision, read_spec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedNet:
    """A net with its spec, compiled."""

    spec: NetSpec
    runner: OpenVinoRunner

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


def load(name: str, *, threads: int = 1, precision: Precision = "f32") -> LoadedNet:
    """Load a shipped net.

    One thread is the default because decoding and encoding fill the other cores. ``f32`` gives
    the same figures on every machine of a kind; ``bf16`` is about twice as fast where the
    processor has it.
    """
    spec = read_spec(name)
    net = LoadedNet(spec, OpenVinoRunner(spec.weights, threads=threads, precision=precision))
    log.info("net %s on %s, %s, %d thread(s)", name, net.runner.backend, precision, threads)
    return net
