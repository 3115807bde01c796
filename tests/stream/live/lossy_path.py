"""A network that loses, delays and reorders, as ``tc qdisc ... netem loss 3% delay 20ms 10ms`` does, without its kernel
module and its rights: a relay of UDP packets on loopback. The same seed gives the same losses for the same packets.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator
from typing import Any

LOOPBACK = "127.0.0.1"


class _Socket(asyncio.DatagramProtocol):
    """Hands what comes to ``came``."""

    def __init__(self, came: Any) -> None:
        self._came = came

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._came(data, address)


class LossyPath:
    """Between one WebRTC client and the server. ``sent`` and ``lost`` count packets of both directions."""

    def __init__(self, *, loss: float, delay_s: float, jitter_s: float, seed: int) -> None:
        self.sent = self.lost = 0
        self._loss, self._delay_s, self._jitter_s = loss, delay_s, jitter_s
        self._random = random.Random(seed)
        self._server: tuple[str, int] | None = None
        self._backs: dict[Any, asyncio.Task[_Socket]] = {}
        """Of each address of the client, the socket that speaks to the server for it."""
        self._sockets: list[_Socket] = []

    async def open(self) -> None:
        self._front = asyncio.ensure_future(self._socket(self._to_server))
        self.port = (await self._front).transport.get_extra_info("sockname")[1]

    def close(self) -> None:
        for socket in self._sockets:
            socket.transport.close()

    def offer(self, sdp: str) -> str:
        """The offer without the client's addresses: the server knows it by what comes out of this path alone."""
        return re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", sdp)

    def answer(self, sdp: str) -> str:
        """The answer with this path's address in place of the server's."""
        (port,) = set(re.findall(rf"^a=candidate:\S+ 1 udp \d+ {LOOPBACK} (\d+) typ host", sdp, re.MULTILINE))
        self._server = (LOOPBACK, int(port))
        return re.sub(rf"(a=candidate:\S+ 1 udp \d+ {LOOPBACK}) \d+", rf"\1 {self.port}", sdp)

    async def _socket(self, came: Any) -> _Socket:
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_datagram_endpoint(lambda: _Socket(came), local_addr=(LOOPBACK, 0))
        self._sockets.append(socket)
        return socket

    def _to_server(self, data: bytes, client: Any) -> None:
        if client not in self._backs:
            back = self._socket(lambda answer, _: self._pass(self._front, answer, client))
            self._backs[client] = asyncio.ensure_future(back)
        self._pass(self._backs[client], data, self._server)

    def _pass(self, socket: asyncio.Task[_Socket], data: bytes, target: Any) -> None:
        self.sent += 1
        if self._random.random() < self._loss:
            self.lost += 1
            return
        wait = self._delay_s + self._random.uniform(-self._jitter_s, self._jitter_s)
        asyncio.get_running_loop().call_later(wait, self._send, socket, data, target)

    def _send(self, socket: asyncio.Task[_Socket], data: bytes, target: Any) -> None:
        if socket.done() and not (transport := socket.result().transport).is_closing():
            transport.sendto(data, target)


@contextlib.asynccontextmanager
async def lossy_path(
    *, loss: float = 0.03, delay_s: float = 0.02, jitter_s: float = 0.01, seed: int = 1
) -> AsyncIterator[LossyPath]:
    path = LossyPath(loss=loss, delay_s=delay_s, jitter_s=jitter_s, seed=seed)
    await path.open()
    try:
        yield path
    finally:
        path.close()
