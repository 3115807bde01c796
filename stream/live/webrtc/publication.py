"""One published video: the client that publishes it, its processing, and the clients that watch it.

publisher ──► video ──► LiveSession ──┬──► back to the publisher (a page)
                                      ├──► viewers (WHEP)
          ──► audio ──────────────────┴──► the recording
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from emocolor.errors import EmocolorError, NotFoundError
from emocolor.faces import Scene
from stream.graph import LiveChainBuilder

from ..session import LiveSession, RenderedFrame
from ..statistics import Snapshot
from .aiortc_internals import bound_decoder_queue, reorder_audio
from .control_channel import ControlChannel
from .control_messages import state_message, warning_message
from .fan_out import FanOut, Recording
from .frames import MIN_SIDE, frame_from_decoder
from .offers import Offer, Purpose
from .outgoing_tracks import OutgoingAudio, OutgoingVideo
from .resources import Resources
from .shares import new_secret
from .viewers import Viewers

PublicationKind = Literal["page", "whip"]
PURPOSES: Final[dict[PublicationKind, Purpose]] = {"page": "publish and watch", "whip": "publish"}
REPORT_INTERVAL_S: Final = 0.1
"""Between two messages with the state."""
PUBLISHER_GONE: Final = "the publisher is gone"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Shown:
    """What the latest rendered frame shows; its boxes lie in a frame of ``size_wh``."""

    scene: Scene = field(default_factory=lambda: Scene(time=0.0))
    size_wh: tuple[int, int] = (1, 1)


class Publication:
    """A published video, on the event loop. ``peer.ended`` resolves when it is over; ``close`` ends it."""

    def __init__(self, kind: PublicationKind, resources: Resources) -> None:
        self.id = new_secret()
        """The secret of its owner, who alone may end, share and, unless it is shared, watch it."""
        self.short_id = secrets.token_hex(3)
        """Tells sessions apart in logs and names of recordings; no part of the secret."""
        self.kind = kind
        self.peer = resources.make_peer()
        """The publisher's connection."""
        self.closed = asyncio.Event()
        """Set once everything is freed."""
        self.has_audio = False
        self.session = LiveSession(
            resources.classifier,
            resources.controls,
            self._deliver,
            builder=LiveChainBuilder(nets=resources.nets),
            levels=resources.levels,
            options=resources.controller,
            failed=self._session_failed,
            refused=self._controls_rejected,
            name=self.short_id,
            clock=resources.clock,
        )
        self._resources = resources
        self._clock = resources.clock
        self._loop = asyncio.get_running_loop()
        self._control = ControlChannel(
            self.session,
            lambda: self.peer.end("too many messages"),
            limits=resources.channel,
            clock=resources.clock,
        )
        self._sinks = FanOut()
        self.viewers = Viewers(self.short_id, self._sinks, resources, self._make_audio)
        self._back = OutgoingVideo(resources.clock) if kind == "page" else None
        """The video that goes back to the publisher."""
        if self._back is not None:
            self._sinks.add_video(self._back)
        self._recording: Recording | None = None
        self._shown = _Shown()
        self._received_wh = (0, 0)
        self._received_at = self._clock.now()
        """When the latest video frame came in."""
        self._video_latency_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def faces(self) -> int:
        """Faces in the latest rendered frame."""
        return len(self._shown.scene.faces)

    def record(self, recording: Recording) -> None:
        """Record from the next frame on; the recording is closed with the publication."""
        self._recording = recording
        recording.when_failed(self._recording_failed)
        self._sinks.add_video(recording)
        self._sinks.add_audio(recording)

    async def open(self, offer: Offer) -> str:
        """Start, and answer the publisher's offer: the SDP answer.

        Raises ``OfferError``, and ``EngineError`` or ``MissingDependencyError`` where a net cannot be used; ``close``
        must be called all the same.
        """
        await asyncio.to_thread(self.session.start)
        self.peer.connection.on("track", self._receive)
        self.peer.connection.on("datachannel", self._control.accept)
        self.has_audio = offer.sends_audio
        sending: list[MediaStreamTrack] = []
        if self._back is not None:
            sending.append(self._back)
            if offer.sends_audio and offer.receives_audio:
                audio = self._make_audio()
                self._sinks.add_audio(audio)
                sending.append(audio)
        answer = await self.peer.answer(offer, sending=sending)
        self._run(self._report())
        return answer

    async def add_viewer(self, offer: Offer, key: str) -> tuple[str, str]:
        """Let one more client watch, which came with ``key``: its id, and the SDP answer.

        Raises ``OfferError``, and ``NotFoundError`` where the publisher has left meanwhile.
        """
        name, answer = await self.viewers.add(offer, key, has_audio=self.has_audio)
        if self.peer.ended.done():
            await self.viewers.remove(name, PUBLISHER_GONE)
            raise NotFoundError("The session has just ended.")
        return name, answer

    def snapshot(self) -> Snapshot:
        """What was measured. A page's frames are out when its encoder takes them, others when they are rendered."""
        rendered = self.session.snapshot()
        if self._back is None:
            return rendered
        sent = self._back.statistics.snapshot(self._clock.now())
        return replace(
            sent,
            frames_in=rendered.frames_in,
            fps_in=rendered.fps_in,
            stage_ms=rendered.stage_ms,
            drops={**rendered.drops, **sent.drops},
        )

    async def close(self, reason: str) -> None:
        """Tell the publisher why, end everything and finish the recording."""
        self.peer.end(reason)
        await self._control.say_goodbye(self.peer.ended.result())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(
            asyncio.to_thread(self._finish),
            self.peer.close(),
            self.viewers.close(PUBLISHER_GONE),
        )
        if self._back is not None:
            self._back.stop()
        self.closed.set()

    def _make_audio(self) -> OutgoingAudio:
        return OutgoingAudio(lambda: self._video_latency_s, self._clock)

    def _finish(self) -> None:
        self.session.close()
        if self._recording is not None:
            self._recording.close()

    def _deliver(self, rendered: RenderedFrame) -> None:
        """In the rendering thread."""
        self._shown = _Shown(rendered.scene, rendered.frame.size_wh)
        self._sinks.put_video(rendered.frame, rendered.received_at)

    def _session_failed(self, error: EmocolorError) -> None:
        """In a thread of the session."""
        self._loop.call_soon_threadsafe(self.peer.end, str(error).rstrip("."))

    def _controls_rejected(self, error: EmocolorError) -> None:
        """In a thread of the session."""
        self._loop.call_soon_threadsafe(self._control.send_rejection, error)

    def _recording_failed(self, reason: str) -> None:
        """In the recording's thread."""
        self._loop.call_soon_threadsafe(self._control.send, warning_message(f"The server records no more. {reason}."))

    def _receive(self, track: MediaStreamTrack) -> None:
        receiver = next(t.receiver for t in self.peer.connection.getTransceivers() if t.receiver.track is track)
        bound_decoder_queue(receiver, track.kind, self.session.statistics.dropped)
        if track.kind == "video":
            self._run(self._receive_video(track))
        else:
            reorder_audio(receiver)
            self._run(self._receive_audio(track))

    async def _receive_video(self, track: MediaStreamTrack) -> None:
        """Take frames as fast as they come: aiortc's queue of decoded frames is unbounded."""
        while True:
            decoded = await track.recv()
            assert isinstance(decoded, av.VideoFrame)
            self._received_at = self._clock.now()
            self._received_wh = width, height = decoded.width, decoded.height
            if width * height > self._resources.max_pixels:
                limit = self._resources.max_pixels
                self.peer.end(f"the video has {width}x{height} pixels, and this server accepts up to {limit}")
                return
            if min(width, height) < MIN_SIDE:
                self.session.statistics.dropped("too small")
                continue
            self.session.submit(frame_from_decoder(decoded), self._received_at)

    async def _receive_audio(self, track: MediaStreamTrack) -> None:
        """Audio may end before the video does."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self._sinks.put_audio(frame, self._clock.now())

    async def _report(self) -> None:
        """Send the state to the page, keep audio in sync with video, and notice where no video comes."""
        while True:
            await self._clock.sleep(REPORT_INTERVAL_S)
            statistics = self.snapshot()
            self._video_latency_s = (statistics.recent_latency_ms or 0.0) / 1000
            if self._control.idle:
                self._control.send(self._state(statistics))
            self._check_idle(self._clock.now())

    def _state(self, statistics: Snapshot) -> str:
        shown, levels = self._shown, self._resources.levels
        return state_message(
            self._received_wh, shown.size_wh, shown.scene, statistics, levels, self.session.level, len(self.viewers)
        )

    def _check_idle(self, now: float) -> None:
        if self.peer.connection.connectionState != "connected":
            self._received_at = now
        elif now - self._received_at > self._resources.idle_s:
            self.peer.end(f"no video came for {self._resources.idle_s:g} s")

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work), name=f"session {self.short_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MediaStreamError:
            self.peer.end("the client stopped sending")
        except Exception:  # a bug of ours ends this publication, never the server
            log.exception("session %s failed", self.short_id)
            self.peer.end("an internal error")
