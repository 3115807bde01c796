"""The data channel "control" of a page: changes of the controls come in, state and errors go out."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiortc import RTCDataChannel

from emocolor.errors import ConfigurationError, EmocolorError

from ..clock import SYSTEM_CLOCK, Clock
from ..controls import Controls
from ..rate_limits import TokenBucket
from .control_messages import bye_message, changed_controls, controls_message, error_message

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ChannelLimits:
    """What a page may cost its server."""

    messages_per_s: float = 200
    """In the long run, with bursts of twice as many; messages beyond that are ignored."""
    max_ignored: int = 1000
    """Ignored messages after which the client counts as abusive: reading them takes time from other sessions."""
    max_unsent_bytes: int = 65_536
    """Where the channel's buffer holds more, the client does not read, and nothing is added."""
    farewell_s: float = 0.5
    """How long the last message may take to leave."""


class Controlled(Protocol):
    """What has controls, such as a ``LiveSession``."""

    controls: Controls

    def change(self, controls: Controls) -> None:
        """Use other controls."""
        ...


class ControlChannel:
    """Joins the data channel of a page to its session, on the event loop."""

    def __init__(
        self,
        session: Controlled,
        on_abuse: Callable[[], None],
        *,
        limits: ChannelLimits | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``on_abuse`` is called for each ignored message beyond ``ChannelLimits.max_ignored``."""
        self._session = session
        self._on_abuse = on_abuse
        self._limits = limits or ChannelLimits()
        self._clock = clock
        rate = self._limits.messages_per_s
        self._messages = TokenBucket(per_second=rate, burst=round(2 * rate))
        self._ignored = 0
        self._channel: RTCDataChannel | None = None

    @property
    def idle(self) -> bool:
        """Whether the channel is there and has sent everything."""
        return self._channel is not None and self._channel.bufferedAmount == 0

    def accept(self, channel: RTCDataChannel) -> None:
        """Use a channel that the client has opened; all but the first one named "control" are closed."""
        if channel.label != "control" or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._receive)
        self.send(controls_message(self._session.controls))

    def send(self, message: str) -> None:
        """Send a message, or drop it where the client does not read."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount < self._limits.max_unsent_bytes:
            channel.send(message)

    def send_rejection(self, error: EmocolorError) -> None:
        """Tell that the latest controls could not be used, and which are in use instead."""
        self.send(error_message(error))
        self.send(controls_message(self._session.controls))

    async def say_goodbye(self, reason: str) -> None:
        """Send the last message, and wait for ``ChannelLimits.farewell_s`` at most until it has left."""
        if self._channel is None:
            return
        left = asyncio.Event()
        self._channel.once("bufferedamountlow", left.set)
        self.send(bye_message(reason))
        if self._channel.bufferedAmount:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), self._limits.farewell_s)

    def _receive(self, text: str | bytes) -> None:
        if not self._messages.take(self._clock.now()):
            self._ignored += 1
            if self._ignored > self._limits.max_ignored:
                self._on_abuse()
            return
        try:
            controls = changed_controls(text, self._session.controls)
        except ConfigurationError as error:
            self.send(error_message(error))
            return
        except Exception as error:  # a bug of ours loses this message, never the session
            log.error("a message failed: %s", type(error).__name__)
            self.send(error_message(ConfigurationError("The message could not be handled.")))
            return
        self._session.change(controls)
        self.send(controls_message(controls))
