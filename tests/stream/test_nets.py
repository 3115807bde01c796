"""Nets: a set for each worker, or one shared set."""

import threading

import numpy as np
import pytest

from emocolor.effects import ColorizeOptions, StyleOptions, TintOptions
from emocolor.errors import ConfigurationError, EngineError
from stream.nets import SharedNets, WorkerNets, check_nets
from stream.settings import AnalysisOptions


class Counted:
    """Stands for a net of each kind: notes whether two threads are inside at once."""

    def __init__(self) -> None:
        self.inside, self.met, self.closed = 0, False, 0
        self._second = threading.Event()

    def work(self, *_):
        self.inside += 1
        self.met = self.met or self.inside > 1
        self._second.wait(0.02)  # nobody sets it: time for others to come in, if they can
        self.inside -= 1
        return np.zeros((1, 1), np.float32)

    paint = estimate = segment = work

    def close(self):
        self.closed += 1


class CountedNets:
    """Loads counted nets."""

    def __init__(self) -> None:
        self.loaded = []

    def load(self, *_):
        self.loaded.append(Counted())
        return self.loaded[-1]

    colorizer = style_transfer = segmenter = load


KINDS = {
    "style": (lambda nets: nets.style_transfer("fast", "f32"), "paint", (None, None)),
    "colorizer": (lambda nets: nets.colorizer("film"), "estimate", (None, 0.5)),
    "segmenter": (lambda nets: nets.segmenter(), "segment", (None,)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_loaded_once_and_used_by_one_thread_at_a_time(kind):
    get, method, arguments = KINDS[kind]
    counted = CountedNets()
    nets = SharedNets(nets=counted)
    net = get(nets)
    assert get(nets) is net
    threads = [threading.Thread(target=getattr(net, method), args=arguments) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (only,) = counted.loaded
    assert not only.met


def test_other_weights_are_another_net():
    nets = SharedNets(nets=CountedNets())
    assert nets.style_transfer("fast", "f32") is not nets.style_transfer("fast", "bf16")
    assert nets.style_transfer("fast", "f32") is not nets.style_transfer("full", "f32")


def test_closing_closes_the_segmenter_if_there_is_one():
    counted = CountedNets()
    nets = SharedNets(nets=counted)
    nets.close()
    nets.segmenter()
    nets.close()
    assert [net.closed for net in counted.loaded] == [1]


def test_a_net_that_cannot_be_loaded_is_an_error_each_time():
    class Failing(CountedNets):
        def style_transfer(self, net, precision):
            raise EngineError("no weights")

    nets = SharedNets(nets=Failing())
    for _ in range(2):
        with pytest.raises(EngineError, match="no weights"):
            nets.style_transfer("fast", "f32")


def test_workers_have_nets_of_their_own():
    nets = WorkerNets("cpu")
    assert nets.colorizer("film") is not nets.colorizer("film")
    tracker = nets.face_tracker("s0")
    assert tracker.crop_size == 48
    tracker.detector.close()
    classifier = nets.classifier(AnalysisOptions(net="tiny", passes=3))
    assert {len(mask) for mask in classifier.masks.values()} == {3}


def test_every_named_net_is_checked():
    check_nets([AnalysisOptions(), ColorizeOptions(), StyleOptions(), TintOptions()])
    with pytest.raises(ConfigurationError, match="'sO'"):
        check_nets([AnalysisOptions(net="sO")])
    with pytest.raises(EngineError, match="no card"):
        check_nets([StyleOptions(net="mine.onnx")])
