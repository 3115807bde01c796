"""Colorizers by name, ready to run on what the machine has."""

import logging
from collections.abc import Callable

import numpy as np

from emocolor.arrays import GrayImage
from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.errors import OutOfMemoryError

from .runners.base import Runner
from .runners.devices import Device, PrecisionChoice
from .runners.selection import open_runner
from .spec import ColorChoice, ColorizerSpec, read_colorizer_spec

log = logging.getLogger(__name__)


class NetColorizer:
    """A colorizer with its card, ready to run. Not thread-safe."""

    def __init__(self, spec: ColorizerSpec, runner: Runner, on_cpu: Callable[[], Runner] | None = None) -> None:
        """``on_cpu`` opens the net on the CPU if ``runner`` runs out of memory; without it that is an error."""
        self.spec = spec
        self.runner = runner
        self._on_cpu = on_cpu

    def estimate(self, gray: GrayImage, vividness: float) -> ChromaEstimate:
        """Predict the colours of ``gray``, (H, W) uint8 full range with sides that are multiples of ``spec.multiple``.

        The estimate is (H / 4, W / 4). ``vividness`` in [0, 1] chooses between the safest and the boldest colours.
        Raises as :meth:`estimate_by` does.
        """
        return self.estimate_by(gray, self.spec.choice(vividness))

    def estimate_by(self, gray: GrayImage, choice: ColorChoice) -> ChromaEstimate:
        """``estimate`` with an explicit choice of colours.

        If the GPU runs out of memory, a warning is logged and the CPU takes over: on a smaller image the net would
        choose other colours. Raises ``OutOfMemoryError`` if there is no CPU to fall back to.
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
            log.warning("The GPU has too little memory to colorize; falling back to the CPU.")
            self.runner, self._on_cpu = self._on_cpu(), None
            found = self.runner.run(inputs)
        ab = np.ascontiguousarray(np.moveaxis(found["ab"][0], 0, 2))
        return ChromaEstimate(ab=ab, confidence=found["confidence"][0, 0])


def load_colorizer(
    name: str, *, device: Device = "auto", threads: int = 1, precision: PrecisionChoice = "auto"
) -> NetColorizer:
    """Load a colorizer that ships, by name, or an ONNX file with its card beside it, by path.

    Raises as ``engines.spec.read_colorizer_spec`` and ``engines.runners.selection.open_runner`` do.
    """
    spec = read_colorizer_spec(name)
    runner = open_runner(spec, device=device, threads=threads, precision=precision)
    return NetColorizer(spec, runner, on_cpu=lambda: open_runner(spec, device="cpu", threads=threads))
