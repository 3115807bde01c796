"""A server in this process, and clients that use it as browsers, OBS and players do: HTTP and WebRTC on loopback."""

import asyncio
import contextlib
import functools
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any
from urllib.parse import urljoin

import aiohttp
import aioice.ice
import av
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from yarl import URL

from emocolor.effects import TintOptions
from stream.live.batched_classifier import BatchedClassifier
from stream.live.controls import Controls
from stream.live.rate_limits import TokenBuckets
from stream.live.server.access import Access
from stream.live.server.app import make_app
from stream.live.server.connections import ConnectionLimits, Connections
from stream.live.webrtc.publication import Publication
from stream.live.webrtc.publications import Publications
from stream.live.webrtc.resources import Resources
from stream.nets import SharedNets

PATIENCE_S = 60.0


@contextlib.contextmanager
def loopback_only() -> Iterator[None]:
    """ICE over 127.0.0.1 alone, which aioice leaves out by itself."""
    before = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    try:
        yield
    finally:
        aioice.ice.get_host_addresses = before


async def until(found: Callable[[], Any]) -> None:
    """Wait for a state that raises no event."""
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def unlimited() -> TokenBuckets:
    return TokenBuckets(per_second=1e6, burst=1_000_000)


class Server:
    """A running server: its address and what is inside."""

    def __init__(self, url: str, publications: Publications, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.publications = publications
        self.http = http

    @property
    def publication(self) -> Publication:
        """The only one."""
        (publication,) = self.publications.by_id.values()
        return publication

    async def call(self, method: str, path: str, **arguments: Any) -> tuple[int, Any, Any]:
        """Status, headers, and the body: parsed where it is JSON."""
        # The path is sent as it is written: attackers do not normalize theirs.
        async with self.http.request(method, URL(self.url + path, encoded=True), **arguments) as response:
            body = await response.read()
            if body and response.content_type == "application/json":
                return response.status, response.headers, json.loads(body)
            return response.status, response.headers, body


@contextlib.asynccontextmanager
async def running(
    classifier: BatchedClassifier,
    *,
    access: Access | None = None,
    controls: Controls | None = None,
    max_publications: int = 4,
    max_viewers: int = 4,
    nets: SharedNets | None = None,
    make_recording: Any = None,
    stun_urls: tuple[str, ...] = (),
    limits: ConnectionLimits | None = None,
    **resources: Any,
) -> AsyncIterator[Server]:
    """A server whose publications have these ``resources``; without limits of rate, unless ``access`` sets some."""
    controls = controls or Controls()
    nets = nets or SharedNets()
    publications = Publications(
        Resources(classifier=classifier, nets=nets, controls=controls, **resources),
        max_publications=max_publications,
        max_viewers=max_viewers,
        make_recording=make_recording,
    )
    access = access or Access(requests=unlimited(), offers=unlimited(), wrong_tokens=unlimited())
    runner = web.AppRunner(make_app(publications, access, controls, stun_urls), shutdown_timeout=1)
    with loopback_only(), socket.create_server(("127.0.0.1", 0)) as listener:
        await runner.setup()
        assert runner.server is not None
        connections = Connections(runner.server, limits=limits, proxies=access.proxies)
        connections.start(listener)
        try:
            async with aiohttp.ClientSession() as http:
                yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", publications, http)
        finally:
            await connections.stop()
            await publications.stop()
            await runner.cleanup()
            nets.close()


_LOOPBACK = """
import aioice.ice
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
"""
_COMMAND = """
import sys
from stream.cli import main
main(["serve", *sys.argv[1:]])
"""


@contextlib.contextmanager
def started(*arguments: Any, loopback: bool = True) -> Iterator[Any]:
    """``emocolor-stream serve`` in a process of its own: it, with its ``greeting`` and ``url``. It is killed at the
    latest when the block is left. Without ``loopback`` media takes this machine's own address, for clients that leave
    127.0.0.1 out of their candidates."""
    code = _LOOPBACK + _COMMAND if loopback else _COMMAND
    command = [sys.executable, "-c", code, "--port", "0", *map(str, arguments)]
    process: Any = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        process.greeting = process.stdout.readline()
        assert process.greeting.startswith("Open http"), process.greeting + process.stderr.read()
        process.url = process.greeting.split()[1].split("/#")[0].rstrip("/")
        yield process
    finally:
        process.kill()
        process.communicate()


def gray_planes(luma: int, size_wh: tuple[int, int] = (320, 180)) -> np.ndarray:
    """Planes of a gray frame in ``yuv420p``, (H * 3 / 2, W) uint8."""
    width, height = size_wh
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    return planes


class Pace:
    """Lets a source go on at a steady rate, as a camera or a microphone does."""

    def __init__(self) -> None:
        self._started_at: float | None = None

    async def wait(self, media_time_s: float) -> None:
        """Until so long after the first call."""
        self._started_at = self._started_at or time.monotonic()
        await asyncio.sleep(self._started_at + media_time_s - time.monotonic())


class Camera(MediaStreamTrack):
    """Frames at a steady rate, repeated; ``frames`` are planes of ``yuv420p``, or a function of the index to them."""

    kind = "video"

    def __init__(self, frames: Callable[[int], np.ndarray] | Sequence[np.ndarray], fps: float = 30) -> None:
        super().__init__()
        self.frames = frames if callable(frames) else lambda index: frames[index % len(frames)]
        self.fps = fps
        self.sent = 0
        self.stalled = False
        """Whether no more frames come."""
        self._pace = Pace()

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await self._pace.wait(self.sent / self.fps)
        if self.stalled:
            await asyncio.Event().wait()
        frame = av.VideoFrame.from_ndarray(self.frames(self.sent), format="yuv420p")
        frame.pts, frame.time_base = round(self.sent * 90_000 / self.fps), Fraction(1, 90_000)
        self.sent += 1
        return frame


class Beeps(MediaStreamTrack):
    """Audio that is silent but for every ``period``-th 20 ms."""

    kind = "audio"

    def __init__(self, period: int = 50) -> None:
        super().__init__()
        self.period, self.sent = period, 0
        self._pace = Pace()
        self._changed = asyncio.Condition()

    async def wait_for_more(self, frames: int) -> None:
        """Until so many more frames were sent."""
        enough = self.sent + frames
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.sent >= enough), PATIENCE_S)

    async def recv(self) -> av.AudioFrame:
        await self._pace.wait(self.sent * 0.02)
        amplitude = 12_000 if self.sent % self.period == 0 else 0
        wave = (amplitude * np.sin(np.arange(960) * 2 * np.pi * 1000 / 48_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self.sent * 960, Fraction(1, 48_000)
        async with self._changed:
            self.sent += 1
            self._changed.notify_all()
        return frame


class Received:
    """What a track has brought, and when; can be waited for."""

    def __init__(self, measure: Callable[[Any], Any], keep: int = 1000) -> None:
        """``measure`` makes of a frame what is kept of it."""
        self.frames: list[tuple[float, Any]] = []
        """Time of receipt, on the monotonic clock, and what was measured."""
        self.count = 0
        self._measure = measure
        self._keep = keep
        self._changed = asyncio.Condition()

    @property
    def latest(self) -> Any:
        """Of the latest frame, what was measured."""
        return self.frames[-1][1]

    async def take_all(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                async with self._changed:
                    self.count += 1
                    self.frames.append((time.monotonic(), self._measure(frame)))
                    del self.frames[: -self._keep]
                    self._changed.notify_all()

    async def wait(self, found: Callable[["Received"], bool]) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: found(self)), PATIENCE_S)

    async def wait_for_more(self, frames: int) -> None:
        """Until so many more have come."""
        enough = self.count + frames
        await self.wait(lambda received: received.count >= enough)


class Client:
    """A peer connection and what it receives."""

    def __init__(self, measure: Callable[[Any], Any] = lambda frame: frame.to_ndarray()) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connected = asyncio.Event()
        self.video, self.audio = Received(measure), Received(measure)
        self.messages: list[dict[str, Any]] = []
        self.heard = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._receive)
        self.connection.on("connectionstatechange", self._state_changed)
        self.channel: Any = None

    def _receive(self, track: MediaStreamTrack) -> None:
        received = self.video if track.kind == "video" else self.audio
        self._tasks.append(asyncio.create_task(received.take_all(track)))

    def _state_changed(self) -> None:
        if self.connection.connectionState == "connected":
            self.connected.set()

    def open_channel(self) -> None:
        """Open the data channel "control"."""
        self.channel = self.connection.createDataChannel("control")

        @self.channel.on("message")
        async def hear(text: str) -> None:
            async with self.heard:
                self.messages.append(json.loads(text))
                self.heard.notify_all()

    async def wait_message(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with self.heard:
            await asyncio.wait_for(self.heard.wait_for(lambda: any(map(found, self.messages))), PATIENCE_S)
        return next(filter(found, self.messages))

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def accept(self, sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def wait_connected(self) -> None:
        await asyncio.wait_for(self.connected.wait(), PATIENCE_S)

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:  # a track that never began does not end either
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def page_client(
    server: Server, *tracks: MediaStreamTrack, client: Client | None = None, **message: Any
) -> AsyncIterator[Client]:
    """As the page does it: tracks both ways, the data channel, an offer as JSON; ``client.session`` is the id."""
    client = client or Client()
    for track in tracks:
        client.connection.addTrack(track)
    client.open_channel()
    try:
        body = {"type": "offer", "sdp": await client.offer(), **message}
        status, _, answer = await server.call("POST", "/api/offer", json=body)
        assert status == 200, answer
        await client.accept(answer["sdp"])
        client.session = answer["session"]
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def whip_client(
    server: Server, *tracks: MediaStreamTrack, path: str = "/whip", headers: dict[str, str] | None = None
):
    """As RFC 9725 has it: send only, the offer as SDP; ``client.location`` and ``client.etag`` are the session's."""
    client = Client()
    for track in tracks:
        client.connection.addTransceiver(track, direction="sendonly")
    async with _negotiated(client, server, path, headers):
        yield client


@contextlib.asynccontextmanager
async def whep_client(server: Server, session: str, *, audio: bool = False, direction: str = "recvonly"):
    """As the draft has it: receive only, or ``sendrecv``."""
    client = Client()
    for kind in ("video", "audio") if audio else ("video",):
        client.connection.addTransceiver(kind, direction=direction)
    async with _negotiated(client, server, f"/whep/{session}"):
        yield client


@contextlib.asynccontextmanager
async def _negotiated(
    client: Client, server: Server, path: str, headers: dict[str, str] | None = None
) -> AsyncIterator[None]:
    sent = {"Content-Type": "application/sdp"} | (headers or {})
    try:
        status, head, answer = await server.call("POST", path, data=await client.offer(), headers=sent)
        assert status == 201, answer
        assert head["Content-Type"] == "application/sdp"
        client.location = urljoin(path, head["Location"])
        client.etag, client.links = head["ETag"], head.getall("Link", [])
        await client.accept(answer.decode())
        yield
    finally:
        await client.close()


@functools.cache
def offer_of(*kinds: str, direction: str = "sendrecv", channel: bool = True) -> str:
    """What an aiortc client offers."""

    async def make():
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for kind in kinds:
            connection.addTransceiver(kind, direction=direction)
        if channel:
            connection.createDataChannel("control")
        await connection.setLocalDescription(await connection.createOffer())
        sdp = connection.localDescription.sdp
        await connection.close()
        return sdp

    with loopback_only():
        return asyncio.run(make())


def mean_luma(planes: np.ndarray) -> float:
    """Of planes of ``yuv420p``, (H * 3 / 2, W) uint8."""
    return float(planes[: planes.shape[0] * 2 // 3].mean())


def tinted(alpha: float) -> Controls:
    """A tint as in the paper, however sure the emotion: of alpha 0 it keeps luma, of alpha 1 it is the colour alone."""
    return Controls.of((TintOptions(alpha=alpha, base="gray", certainty=0.0, mix="rgb"),))
