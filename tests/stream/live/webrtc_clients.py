"""A server in this process, and clients that speak to it as browsers, OBS and players do: HTTP and WebRTC, loopback."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import aiohttp
import aioice.ice
import av
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from yarl import URL

from stream.live.controls import Controls
from stream.live.batched_classifier import BatchedClassifier
from stream.live.rate_limits import TokenBuckets
from stream.live.server.access import Access
from stream.live.server.app import make_app
from stream.nets import SharedNets
from stream.live.webrtc.publication import Resources
from stream.live.webrtc.publications import Sessions

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
    """Wait for what nobody tells of."""
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def unlimited() -> TokenBuckets:
    return TokenBuckets(per_second=1e6, burst=1_000_000)


class Server:
    """A running server: its address and what is inside."""

    def __init__(self, url: str, sessions: Sessions, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.sessions = sessions
        self.http = http

    async def call(self, method: str, path: str, **arguments: Any) -> tuple[int, Any, Any]:
        """Status, headers, and the body: parsed where it is JSON."""
        # The path goes out as it is written: a client would tidy up what a foe does not.
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
    most: int = 4,
    most_viewers: int = 4,
    make_recording: Any = None,
    stun_urls: tuple[str, ...] = (),
    **resources: Any,
) -> AsyncIterator[Server]:
    controls = controls or Controls()
    nets = SharedNets()
    sessions = Sessions(
        Resources(classifier=classifier, nets=nets, controls=controls, **resources),
        most=most,
        most_viewers=most_viewers,
        make_recording=make_recording,
    )
    access = access or Access(requests=unlimited(), offers=unlimited(), wrong_tokens=unlimited())
    runner = web.AppRunner(make_app(sessions, access, controls, stun_urls), access_log=None, shutdown_timeout=1)
    with loopback_only():
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = site._server.sockets[0].getsockname()  # type: ignore[union-attr]
        try:
            async with aiohttp.ClientSession() as http:
                yield Server(f"http://127.0.0.1:{address[1]}", sessions, http)
        finally:
            await sessions.stop()
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
    latest when the block is left. Without ``loopback`` its pictures come and go by this machine's own address, for
    clients that leave 127.0.0.1 out."""
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


class Camera(MediaStreamTrack):
    """Pictures at a steady rate, over and over. ``pictures`` are (H * 3 / 2, W) uint8 planes of ``yuv420p``."""

    kind = "video"

    def __init__(self, pictures: Callable[[int], np.ndarray] | Sequence[np.ndarray], fps: float = 30) -> None:
        super().__init__()
        self.pictures = pictures if callable(pictures) else lambda index: pictures[index % len(pictures)]
        self.fps = fps
        self.sent_at: list[float] = []
        self._begun_at: float | None = None

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        index = len(self.sent_at)
        self._begun_at = self._begun_at or time.monotonic()
        await asyncio.sleep(self._begun_at + index / self.fps - time.monotonic())
        made = av.VideoFrame.from_ndarray(self.pictures(index), format="yuv420p")
        made.pts, made.time_base = round(index * 90_000 / self.fps), Fraction(1, 90_000)
        self.sent_at.append(time.monotonic())
        return made


class Received:
    """What a track brought, and when; waits for it."""

    def __init__(self, look: Callable[[Any], Any], keep: int = 1000) -> None:
        """``look`` makes of a frame what is kept of it."""
        self.pictures: list[tuple[float, Any]] = []
        self.count = 0
        self._look = look
        self._keep = keep
        self._changed = asyncio.Condition()

    async def take_all(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                async with self._changed:
                    self.count += 1
                    self.pictures.append((time.monotonic(), self._look(frame)))
                    del self.pictures[: -self._keep]
                    self._changed.notify_all()

    async def wait(self, found: Callable[["Received"], bool]) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: found(self)), PATIENCE_S)


class Client:
    """One peer connection with what it receives."""

    def __init__(self, look: Callable[[Any], Any] = lambda frame: frame.to_ndarray()) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.video, self.audio = Received(look), Received(look)
        self.messages: list[dict[str, Any]] = []
        self.heard = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._receive)
        self.channel: Any = None

    def _receive(self, track: MediaStreamTrack) -> None:
        received = self.video if track.kind == "video" else self.audio
        self._tasks.append(asyncio.create_task(received.take_all(track)))

    def open_channel(self) -> None:
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
        await until(lambda: self.connection.connectionState == "connected")

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:  # a track that never began does not end either
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def page_client(
    server: Server, *tracks: MediaStreamTrack, client: Client | None = None, **message: Any
) -> AsyncIterator[Client]:
    """As the page does it: tracks both ways, the channel, an offer as JSON. ``client.session`` is the session's id."""
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
        assert head["Content-Type"].startswith("application/sdp")
        client.location, client.etag, client.links = head["Location"], head["ETag"], head.getall("Link", [])
        await client.accept(answer.decode())
        yield
    finally:
        await client.close()
