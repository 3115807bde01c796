"""Colorizers, ready to run on what the machine has."""

import logging
from collections.abc import Callable

import numpy as np

from emocolor.arrays import GrayImage
from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.errors import OutOfMemoryError
from emocolor.protocols import Precision

from .runners.base import Runner
from .runners.devices import Device
from .runners.selection import open_runner
from .spec import Choice, ColorizerSpec, read_colorizer_spec

log = logging.getLogger(__name__)


class NetColorizer:
    """A colorizer with its card, compiled. Not for two threads at once."""

    def __init__(self, spec: ColorizerSpec, runner: Runner, on_cpu: Callable[[], Runner] | None = None) -> None:
        """``on_cpu`` opens the net where ``runner`` can do no more for want of memory; without it that is an error."""
        self.spec = spec
        self.runner = runner
        self._on_cpu = on_cpu

    def estimate(self, gray: GrayImage, vividness: float) -> ChromaEstimate:
        """The colours of gray (H, W) uint8 full range, sides multiples of ``spec.multiple``, at a quarter of them."""
        return self.estimate_by(gray, self.spec.choice(vividness))

    def estimate_by(self, gray: GrayImage, choice: Choice) -> ChromaEstimate:
        """The same, with the way colours are chosen given.

        Where the GPU's memory does not suffice, the CPU goes on, with a warning; a smaller image would get other
        colours. Raises ``OutOfMemoryError`` where there is no CPU to go on with.
        """
        inputs = {
            "gray": gray[None, None].astype(np.float32) / np.float32(255),
            "temperature": np.array([choice.temperature], np.float32),
            "rebalancing": np.array([choice.rebalancing], np.float32),
        }
        try:
            found = self.runner.run(inputs)
        except OutOfMemoryError:
            if self._on_cpu is None:
                raise
            log.warning("The GPU has too little memory to imagine colours; the CPU goes on.")
            self.runner, self._on_cpu = self._on_cpu(), None
            found = self.runner.run(inputs)
        ab = np.ascontiguousarray(np.moveaxis(found["ab"][0], 0, 2))
        return ChromaEstimate(ab=ab, confidence=found["confidence"][0, 0])


def load_colorizer(
    name: str, *, device: Device = "auto", threads: int = 1, precision: Precision = "f32"
) -> NetColorizer:
    """Load a colorizer by name, or an ONNX file that has its card beside it.

    Raises ``ConfigurationError`` for an unknown name and ``EngineError`` for a file that cannot be used; else as
    ``engines.runners.selection.open_runner`` does.
    """
    spec = read_colorizer_spec(name)
    runner = open_runner(spec, device=device, threads=threads, precision=precision)
    return NetColorizer(spec, runner, on_cpu=lambda: open_runner(spec, device="cpu", threads=threads))
