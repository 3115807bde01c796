"""The data channel of a page: its messages, and what an abusive client may cost."""

import asyncio
import json

import pytest

from emocolor.effects import TintOptions
from emocolor.errors import EngineError
from stream.live.controls import DEFAULT_CONTROLS, Controls
from stream.live.webrtc.control_channel import ChannelLimits, ControlChannel
from tests.stream.live.manual_clock import ManualClock


class Channel:
    """As much of a data channel as is used."""

    def __init__(self, label="control"):
        self.label, self.readyState, self.bufferedAmount = label, "open", 0
        self.sent, self.handlers = [], {}

    def on(self, event, handler):
        self.handlers[event] = handler

    once = on

    def send(self, text):
        self.sent.append(json.loads(text))

    def close(self):
        self.readyState = "closed"

    def receive(self, **message):
        self.handlers["message"](json.dumps(message))


class Session:
    """Has controls, and nothing else."""

    def __init__(self):
        self.controls = DEFAULT_CONTROLS

    def change(self, controls):
        self.controls = controls


class Page:
    """A page's end of an accepted channel."""

    def __init__(self, **limits):
        self.session, self.clock, self.abuses = Session(), ManualClock(), 0
        self.control = ControlChannel(self.session, self._abuse, limits=ChannelLimits(**limits), clock=self.clock)
        self.channel = Channel()
        self.control.accept(self.channel)

    def _abuse(self):
        self.abuses += 1


def test_a_page_is_told_the_controls_and_may_change_them():
    page = Page()
    page.channel.receive(type="controls", values={"tint.alpha": 0.25})
    assert page.session.controls == Controls.of((TintOptions(alpha=0.25),))
    before, after = (message["values"]["tint.alpha"] for message in page.channel.sent)
    assert (before, after) == (TintOptions().alpha, 0.25)


def test_a_bad_message_is_answered_and_changes_nothing():
    page = Page()
    page.channel.receive(type="controls", values={"tint.alpha": 2})
    assert [message["type"] for message in page.channel.sent] == ["controls", "error"]
    assert page.session.controls == DEFAULT_CONTROLS


def test_a_rejection_tells_which_controls_are_in_use():
    page = Page()
    page.control.send_rejection(EngineError("The style net is not there."))
    assert [message["type"] for message in page.channel.sent] == ["controls", "error", "controls"]


@pytest.mark.parametrize("label", ["control", "other"])
def test_only_the_first_control_channel_is_used(label):
    page, second = Page(), Channel(label)
    page.control.accept(second)
    assert (second.readyState, page.channel.readyState) == ("closed", "open")


def test_messages_beyond_the_rate_are_ignored_and_too_many_are_abuse():
    page = Page(messages_per_s=10, max_ignored=5)
    for _ in range(20 + 5):
        page.channel.receive(type="?")
    assert (len(page.channel.sent), page.abuses) == (1 + 20, 0)
    page.channel.receive(type="?")
    assert page.abuses == 1
    page.clock.advance(1.0)
    page.channel.receive(type="?")
    assert len(page.channel.sent) == 1 + 21, "heard again"


def test_nothing_is_sent_to_a_client_that_does_not_read():
    page = Page(max_unsent_bytes=100)
    page.channel.bufferedAmount = 100
    page.control.send("{}")
    assert len(page.channel.sent) == 1
    assert not page.control.idle


def test_the_farewell_waits_until_it_has_left_but_not_for_long():
    async def go():
        page = Page(farewell_s=30.0)
        page.channel.bufferedAmount = 50
        farewell = asyncio.create_task(page.control.say_goodbye("the server is stopping"))
        await asyncio.sleep(0)
        assert not farewell.done()
        page.channel.handlers["bufferedamountlow"]()
        await asyncio.wait_for(farewell, 10)
        assert page.channel.sent[-1] == {"type": "bye", "reason": "the server is stopping"}
        deaf = Page(farewell_s=0.01)
        deaf.channel.bufferedAmount = 50
        await asyncio.wait_for(deaf.control.say_goodbye("the server is stopping"), 10)

    asyncio.run(go())


def test_without_a_channel_there_is_nobody_to_tell():
    control = ControlChannel(Session(), lambda: None)
    control.send("{}")
    asyncio.run(control.say_goodbye("over"))
    assert not control.idle
