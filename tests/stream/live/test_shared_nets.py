"""Nets of effects, shared by sessions."""

import threading

import numpy as np
import pytest

from emocolor.effects import ColorizeOptions, StyleOptions
from emocolor.errors import EngineError
from stream.live.chain import ChainBuilder
from stream.live.controls import Controls
from stream.live.shared_nets import SharedNets


class Busy:
    """Stands for a net of each kind: notes whether two threads are inside at once."""

    def __init__(self):
        self.inside, self.met, self.closed = 0, False, 0

    def work(self, *_):
        self.inside += 1
        self.met = self.met or self.inside > 1
        threading.Event().wait(0.02)
        self.inside -= 1
        return np.zeros((1, 1), np.float32)

    paint = estimate = segment = work

    def close(self):
        self.closed += 1


@pytest.fixture
def nets(monkeypatch):
    """Shared nets over counted ones."""
    loaded = []

    def load(*_, **__):
        loaded.append(Busy())
        return loaded[-1]

    monkeypatch.setattr("engines.style.load_style_transfer", load)
    monkeypatch.setattr("engines.colorizer.load_colorizer", load)
    monkeypatch.setattr("stream.live.shared_nets.make_segmenter", load)
    shared = SharedNets("cpu")
    shared.loaded = loaded
    return shared


KINDS = {
    "stylist": lambda nets: (nets.style_transfer(StyleOptions()), "paint"),
    "colorist": lambda nets: (nets.colorizer(ColorizeOptions()), "estimate"),
    "segmenter": lambda nets: (nets.segmenter(), "segment"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_loaded_once_and_used_by_one_thread_at_a_time(nets, kind):
    net, method = KINDS[kind](nets)
    assert KINDS[kind](nets)[0] is net
    arguments = (None,) if method == "segment" else (None, 0.5)
    work = [threading.Thread(target=getattr(net, method), args=arguments) for _ in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    (busy,) = nets.loaded
    assert not busy.met


def test_other_weights_are_another_net(nets):
    assert nets.style_transfer(StyleOptions(net="fast")) is not nets.style_transfer(
        StyleOptions(net="fast", precision="bf16")
    )


def test_builders_share_and_only_their_owner_closes(nets):
    one, two = ChainBuilder(nets=nets), ChainBuilder(nets=nets)
    controls = Controls(effect="style,tint", region="person")
    one.build(controls)
    two.build(controls)
    assert len(nets.loaded) == 2, "one that paints, one that finds people"
    one.close()
    assert not any(net.closed for net in nets.loaded)
    nets.close()
    assert sum(net.closed for net in nets.loaded) == 1
    alone = ChainBuilder()
    alone.build(Controls(region="person"))
    alone.close()
    assert nets.loaded[-1].closed == 1


def test_colours_go_on_where_their_options_are_the_same(nets):
    builder = ChainBuilder(nets=nets)
    first = builder.build(Controls(effect="colorize"))
    assert builder.build(Controls(effect="colorize,tint")).colorize is first.colorize
    assert builder.build(Controls(effect="colorize", vividness=0.9)).colorize is not first.colorize


def test_a_net_that_cannot_be_loaded_is_told_each_time(nets, monkeypatch):
    def fail(*_, **__):
        raise EngineError("no weights")

    monkeypatch.setattr("engines.style.load_style_transfer", fail)
    for _ in range(2):
        with pytest.raises(EngineError, match="no weights"):
            nets.style_transfer(StyleOptions())
