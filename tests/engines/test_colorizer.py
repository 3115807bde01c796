"""A colorizer whose GPU runs out of memory falls back to the CPU."""

import numpy as np
import pytest

from emocolor.errors import OutOfMemoryError
from engines.colorizer import NetColorizer, load_colorizer

GRAY = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)


class FullDevice:
    """Has room for no image."""

    backend = "test"

    def __init__(self):
        self.runs = 0

    def run(self, inputs):
        self.runs += 1
        raise OutOfMemoryError("no room")


def test_without_memory_the_cpu_takes_over_and_computes_the_same(caplog):
    wanted = load_colorizer("film", device="cpu")
    full = FullDevice()
    colorizer = NetColorizer(wanted.spec, full, on_cpu=lambda: load_colorizer("film", device="cpu").runner)
    for _ in range(2):
        found = colorizer.estimate(GRAY, 0.5)
        assert np.array_equal(found.ab, wanted.estimate(GRAY, 0.5).ab)
    assert full.runs == 1, "the GPU is not tried again"
    assert caplog.messages == ["The GPU has too little memory to colorize; falling back to the CPU."]


def test_without_a_cpu_to_fall_back_to_it_is_an_error():
    with pytest.raises(OutOfMemoryError):
        NetColorizer(load_colorizer("film", device="cpu").spec, FullDevice()).estimate(GRAY, 0.5)
