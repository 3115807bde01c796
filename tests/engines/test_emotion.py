"""Emotion nets take any number of Monte Carlo passes, in as many runs as memory requires."""

import numpy as np
import pytest

from emocolor.errors import OutOfMemoryError
from engines.emotion import EmotionNetRunner, load_emotion_net
from engines.shapes import PASSES
from engines.spec import read_emotion_spec


class SmallDevice:
    """Returns the numbers of its passes, unless it has no room for so many."""

    backend = "test"

    def __init__(self, room):
        self.room = room
        self.seen = []

    def run(self, inputs):
        passes, faces = len(inputs["mask_0"]), len(inputs["faces"])
        self.seen.append(passes)
        if passes * faces > self.room:
            raise OutOfMemoryError("no room")
        probabilities = np.tile(inputs["mask_0"][:, :1, None] + 10 * inputs["mask_1"][:, :1, None], (1, faces, 7))
        return {"fer2013": probabilities, "ferplus": probabilities + 1}


def numbered(passes, faces=1):
    masks = {
        name: np.tile(np.arange(passes, dtype=np.float32)[:, None], (1, width))
        for name, width in (("mask_0", 256), ("mask_1", 128))
    }
    return {"faces": np.zeros((faces, 1, 48, 48), np.float32), **masks}


def loaded(room):
    return EmotionNetRunner(read_emotion_spec("tiny"), SmallDevice(room))


@pytest.mark.parametrize("passes", [1, PASSES.most, PASSES.most + 1, 1000])
def test_more_passes_than_a_run_takes_are_made_in_several(passes):
    net = loaded(10**9)
    found = net.run(numbered(passes))
    assert np.array_equal(found["fer2013"][:, 0, 0], 11 * np.arange(passes))
    assert np.array_equal(found["ferplus"], found["fer2013"] + 1)
    assert max(net.runner.seen) <= PASSES.most
    assert len(net.runner.seen) == -(-passes // PASSES.most)


def test_fewer_passes_go_into_a_run_where_memory_does_not_suffice(caplog):
    net = loaded(room=30)
    for _ in range(2):
        found = net.run(numbered(50, faces=2))
        assert np.array_equal(found["fer2013"][:, 1, 6], 11 * np.arange(50))
    first, second = [50, 25, 12, 12, 1, 12, 12, 1], [12, 12, 12, 12, 2]
    assert net.runner.seen == first + second, "a number that failed is not tried again"
    assert caplog.messages == [
        "The device has too little memory for 50 passes in one run; running 25.",
        "The device has too little memory for 25 passes in one run; running 12.",
    ]


def test_where_not_one_pass_fits_it_is_an_error():
    with pytest.raises(OutOfMemoryError):
        loaded(room=1).run(numbered(3, faces=2))


def test_a_real_net_gives_the_same_in_several_runs():
    net, random = load_emotion_net("tiny"), np.random.default_rng(0)
    inputs = {"faces": random.random((2, 1, 48, 48), np.float32)} | {
        name: random.random((70, *shape), np.float32) for name, (shape, _) in net.dropouts.items()
    }
    found = net.run(inputs)["ferplus"]
    assert found.shape == (70, 2, 7)
    first = net.run(inputs | {name: inputs[name][66:] for name in net.dropouts})["ferplus"]
    assert np.abs(found[66:] - first).max() < 1e-5
    assert net.backend == "OpenVINO CPU"
