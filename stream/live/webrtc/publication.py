"""One picture that is published to the server: the client who sends it, what is done to it, those who watch.

    publisher ──► received ──► LiveSession ──┬──► back to the publisher (a page)
                                             ├──► each viewer (WHEP)
              ──► sound ─────────────────────┴──► the recording

Nothing here waits for anything downstream: each receiver of pictures has a place for one, of sound for one second.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol

import av
from aiortc import MediaStreamTrack, RTCDataChannel, RTCIceServer
from aiortc.mediastreams import MediaStreamError

from emocolor.errors import ConfigurationError, EmocolorError
from emocolor.faces import Scene

from ..chain import ChainBuilder
from ..controls import Controls
from ..face_judge import BatchedClassifier
from ..quality import ControllerOptions
from ..rate_limits import TokenBucket
from ..session import LiveSession, RenderedFrame
from ..shared_nets import SharedNets
from ..statistics import Snapshot
from .audio_jitter_buffer import keep_sound_together
from .control_messages import bye_message, changed_controls, controls_message, error_message, state_message
from .encoded_queue import bound_decoder_queue
from .frames import SMALLEST_SIDE, copy_of, picture_to_send, received_frame
from .offers import Offer, OfferError, Purpose
from .outgoing_tracks import OutgoingAudio, OutgoingVideo, copy_of_sound
from .peer import Peer

Kind = Literal["page", "whip"]
PURPOSES: Final[dict[Kind, Purpose]] = {"page": "publish and watch", "whip": "publish"}
IDLE_S: Final = 7.5
"""How long a connected publisher may send no picture."""
REPORT_S: Final = 0.1
"""Between two messages with the state."""
FAREWELL_S: Final = 0.5
"""How long the last message may take to leave."""
MOST_UNSENT: Final = 65_536
"""Bytes in a channel's buffer beyond which nothing is added: its client does not read."""
MESSAGES_PER_S: Final = 200
"""Of a page, in the long run; what comes faster is ignored."""
MOST_IGNORED: Final = 1000
"""Messages after which a page is taken for a foe: reading them costs the others' time."""

log = logging.getLogger(__name__)


class PictureSink(Protocol):
    """Takes what is painted; called in the painting thread, must not block."""

    def put(self, picture: av.VideoFrame, received_at: float) -> None:
        """The picture is the sink's own; ``received_at`` is its time of receipt on the monotonic clock."""
        ...


class Recording(PictureSink, Protocol):
    """A file that takes pictures and sound, from any thread."""

    def put_audio(self, sound: av.AudioFrame, received_at: float) -> None: ...

    def close(self) -> None:
        """Finish the file; may take a while."""
        ...


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What all publications of a server share."""

    judge: BatchedClassifier
    nets: SharedNets
    controls: Controls
    """Those a picture begins with."""
    controller: ControllerOptions = field(default_factory=ControllerOptions)
    ice_servers: tuple[RTCIceServer, ...] = ()
    most_pixels: int = 1920 * 1088
    """Of a picture."""


@dataclass(frozen=True)
class Viewer:
    """A client that watches a publication."""

    peer: Peer
    video: OutgoingVideo
    audio: OutgoingAudio | None


@dataclass(frozen=True)
class _Seen:
    """What the latest painted frame showed; boxes lie in pictures of ``size_wh``."""

    scene: Scene
    size_wh: tuple[int, int]


class Publication:
    """A published picture, on the event loop. ``publisher.ended`` tells when it is over; ``close`` ends it."""

    def __init__(self, kind: Kind, resources: Resources) -> None:
        self.id = secrets.token_urlsafe(12)
        self.kind = kind
        self.publisher = Peer(resources.ice_servers)
        self.viewers: dict[str, Viewer] = {}
        self.has_sound = False
        self.session = LiveSession(
            resources.judge,
            resources.controls,
            self._deliver,
            builder=ChainBuilder(nets=resources.nets),
            options=resources.controller,
            failed=self._failed,
            refused=self._refused,
            name=self.short_id,
        )
        self._resources = resources
        self._loop = asyncio.get_running_loop()
        self._back = OutgoingVideo() if kind == "page" else None
        self._sound_sinks: dict[str, OutgoingAudio] = {}
        self._recording: Recording | None = None
        self._sinks: tuple[PictureSink, ...] = () if self._back is None else (self._back,)
        """Replaced as a whole, since the painting thread reads it."""
        self._seen: _Seen | None = None
        self._size_wh = (0, 0)
        self._pictured_at = time.monotonic()
        self._picture_delay_s = 0.0
        self._channel: RTCDataChannel | None = None
        self._messages = TokenBucket(per_second=MESSAGES_PER_S, burst=2 * MESSAGES_PER_S)
        self._ignored = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def short_id(self) -> str:
        """Enough of the id to tell sessions apart in a log, too little to use it."""
        return self.id[:4]

    @property
    def faces(self) -> int:
        return len(self._seen.scene.faces) if self._seen else 0

    def record(self, recording: Recording) -> None:
        """Record from the next picture on; the recording is closed with the publication."""
        self._recording = recording
        self._sinks = (*self._sinks, recording)

    async def open(self, offer: Offer) -> str:
        """Begin, and answer the publisher's offer: the answer's SDP.

        Raises ``OfferError``, and ``EmocolorError`` where a net cannot be used; ``close`` must be called all the same.
        """
        await asyncio.to_thread(self.session.start)
        connection = self.publisher.connection
        connection.on("track", self._receive)
        connection.on("datachannel", self._accept_channel)
        self.has_sound = offer.sends_sound
        sending: list[MediaStreamTrack] = [self._back] if self._back is not None else []
        if self._back is not None and offer.sends_sound and offer.hears_sound:
            self._sound_sinks["publisher"] = OutgoingAudio(lambda: self._picture_delay_s)
            sending.append(self._sound_sinks["publisher"])
        answer = await self.publisher.answer(offer, sending=sending)
        self._run(self._report())
        return answer

    async def add_viewer(self, offer: Offer) -> tuple[str, str]:
        """Let one more client watch: its id, and the answer's SDP. Raises ``OfferError``."""
        name, peer, video = secrets.token_urlsafe(12), Peer(self._resources.ice_servers), OutgoingVideo()
        audio = OutgoingAudio(lambda: self._picture_delay_s) if offer.hears_sound and self.has_sound else None
        self.viewers[name] = Viewer(peer, video, audio)
        try:
            answer = await peer.answer(offer, sending=[video] if audio is None else [video, audio], sends_only=True)
        except BaseException:
            await self.remove_viewer(name, "refused")
            raise
        if self.publisher.ended.done():
            await self.remove_viewer(name, "the publisher is gone")
            raise OfferError(404, "The session has just ended.")
        self._sinks = (*self._sinks, video)
        if audio is not None:
            self._sound_sinks[name] = audio
        self._run(self._until_gone(name))
        return name, answer

    async def remove_viewer(self, name: str, reason: str) -> None:
        """End a viewer's connection; one that is not there any more is none of our business."""
        viewer = self.viewers.pop(name, None)
        if viewer is None:
            return
        self._sinks = tuple(sink for sink in self._sinks if sink is not viewer.video)
        self._sound_sinks.pop(name, None)
        viewer.peer.end(reason)
        await viewer.peer.close()
        log.info("session %s: a viewer left: %s", self.short_id, viewer.peer.ended.result())

    def snapshot(self) -> Snapshot:
        """What was measured. With a page, frames are out when its encoder takes them; else when they are painted."""
        figures = self.session.snapshot()
        if self._back is None:
            return figures
        out = self._back.statistics.snapshot(time.monotonic())
        return replace(
            out,
            frames_in=figures.frames_in,
            fps_in=figures.fps_in,
            stage_ms=figures.stage_ms,
            drops={**figures.drops, **out.drops},
        )

    async def close(self, reason: str) -> None:
        """Tell the publisher why, end everything and finish the recording."""
        self.publisher.end(reason)
        await self._say_goodbye(self.publisher.ended.result())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(
            asyncio.to_thread(self._finish),
            self.publisher.close(),
            *(self.remove_viewer(name, "the publisher is gone") for name in list(self.viewers)),
        )
        if self._back is not None:
            self._back.stop()

    def _finish(self) -> None:
        self.session.close()
        if self._recording is not None:
            self._recording.close()

    def _deliver(self, painted: RenderedFrame) -> None:
        """In the painting thread."""
        self._seen = _Seen(painted.scene, painted.frame.size_wh)
        sinks = self._sinks
        if not sinks:
            return
        picture = picture_to_send(painted.frame)
        for sink in sinks[1:]:
            sink.put(copy_of(picture), painted.received_at)
        sinks[0].put(picture, painted.received_at)

    def _failed(self, error: EmocolorError) -> None:
        """In a thread of the session."""
        self._loop.call_soon_threadsafe(self.publisher.end, str(error).rstrip("."))

    def _refused(self, error: EmocolorError) -> None:
        """In a thread of the session."""

        def tell() -> None:
            self._say(error_message(error))
            self._say(controls_message(self.session.controls))

        self._loop.call_soon_threadsafe(tell)

    def _receive(self, track: MediaStreamTrack) -> None:
        receiver = next(t.receiver for t in self.publisher.connection.getTransceivers() if t.receiver.track is track)
        bound_decoder_queue(receiver, track.kind, self.session.statistics.dropped)
        if track.kind == "audio":
            keep_sound_together(receiver)
        self._run(self._receive_pictures(track) if track.kind == "video" else self._receive_sound(track))

    async def _receive_pictures(self, track: MediaStreamTrack) -> None:
        """Take pictures as fast as they come: the queue that aiortc keeps them in has no bound."""
        while True:
            picture = await track.recv()
            now = self._pictured_at = time.monotonic()
            assert isinstance(picture, av.VideoFrame)
            self._size_wh = picture.width, picture.height
            if picture.width * picture.height > self._resources.most_pixels:
                most = self._resources.most_pixels
                return self.publisher.end(
                    f"the picture has {picture.width}x{picture.height} pixels, and this server takes up to {most}"
                )
            if min(self._size_wh) < SMALLEST_SIDE:
                self.session.statistics.dropped("too small")
                continue
            self.session.offer(received_frame(picture), now)

    async def _receive_sound(self, track: MediaStreamTrack) -> None:
        """Sound may end before the picture does."""
        with contextlib.suppress(MediaStreamError):
            while True:
                self._pass_on(await track.recv())

    def _pass_on(self, sound: Any) -> None:
        assert isinstance(sound, av.AudioFrame)
        for sink in self._sound_sinks.values():
            sink.put(copy_of_sound(sound))
        if self._recording is not None:
            self._recording.put_audio(sound, time.monotonic())

    def _accept_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != "control" or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._hear)
        self._say(controls_message(self.session.controls))

    def _hear(self, text: str | bytes) -> None:
        if not self._messages.take(time.monotonic()):
            self._ignored += 1
            if self._ignored > MOST_IGNORED:
                self.publisher.end("too many messages")
            return
        try:
            controls = changed_controls(text, self.session.controls)
        except ConfigurationError as error:
            self._say(error_message(error))
            return
        self.session.change(controls)
        self._say(controls_message(controls))

    def _say(self, message: str) -> None:
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < MOST_UNSENT:
            channel.send(message)

    async def _say_goodbye(self, reason: str) -> None:
        if self._channel is None:
            return
        left = asyncio.Event()
        self._channel.once("bufferedamountlow", left.set)
        self._say(bye_message(reason))
        if self._channel.bufferedAmount:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), FAREWELL_S)

    async def _report(self) -> None:
        """Tell the page what is seen and measured, keep the sound beside the picture, notice when no picture comes."""
        while True:
            await asyncio.sleep(REPORT_S)
            figures = self.snapshot()
            self._picture_delay_s = (figures.delay_ms or 0.0) / 1000
            if self._channel is not None and self._channel.bufferedAmount == 0:
                scene, size_wh = (self._seen.scene, self._seen.size_wh) if self._seen else (Scene(time=0.0), (1, 1))
                self._say(state_message(self._size_wh, size_wh, scene, figures, self.session.level))
            if self.publisher.connection.connectionState != "connected":
                self._pictured_at = time.monotonic()
            elif time.monotonic() - self._pictured_at > IDLE_S:
                self.publisher.end(f"no picture came for {IDLE_S:g} s")

    async def _until_gone(self, name: str) -> None:
        await asyncio.shield(self.viewers[name].peer.ended)
        await self.remove_viewer(name, "gone")

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work), name=f"session {self.short_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MediaStreamError:
            self.publisher.end("the client stopped sending")
        except Exception:  # a defect of ours ends this publication, never the server
            log.exception("session %s failed", self.short_id)
            self.publisher.end("an internal error")
