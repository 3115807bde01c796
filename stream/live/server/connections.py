"""The TCP connections of clients: accepted within limits, and closed where they keep the server waiting.

aiohttp waits an hour for the head of a request, and asyncio a minute for a TLS handshake. Where no file descriptor is
left, asyncio tries each accept a hundred times in a row and logs every one. So connections are accepted here. Where
there are too many, the one that has waited longest without a request is closed: a new client gets through even while
somebody holds as many connections as they can.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from ..clock import SYSTEM_CLOCK, Clock
from .access import SECURITY_HEADERS
from .addresses import TrustedProxies, client_key
from .error_responses import error_response

SWEEP_INTERVAL_S: Final = 0.5
"""Between two looks for connections to close."""
RETRY_S: Final = 0.1
"""After a failed accept."""
LOG_INTERVAL_S: Final = 1.0
"""Between two lines about failed accepts."""
MAX_CONNECTIONS: Final = 256
RESERVED_DESCRIPTORS: Final = 64
"""For nets, files, media and the rest of the process."""
MIN_CONNECTIONS: Final = 16

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """How many connections there may be, and how long they may wait without a request."""

    per_client: int = 32
    """Of one address, or one /64 network of IPv6."""
    in_all: int = MAX_CONNECTIONS
    idle_s: float = 8.0
    """Until the head of the next request has come in whole; the first one together with the TLS handshake."""
    proxy_idle_s: float = 75.0
    """The same for a trusted proxy, which keeps its connections for later requests."""

    @classmethod
    def for_descriptors(cls, descriptors: int) -> "ConnectionLimits":
        """Limits that leave descriptors for the rest of a process that may have so many."""
        spare = (descriptors - RESERVED_DESCRIPTORS) // 2
        return cls(in_all=min(MAX_CONNECTIONS, max(MIN_CONNECTIONS, spare)))

    @classmethod
    def of_this_process(cls) -> "ConnectionLimits":
        """Limits that fit the process's own limit of descriptors."""
        try:
            import resource
        except ImportError:  # Windows
            return cls()
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls() if soft == resource.RLIM_INFINITY else cls.for_descriptors(soft)


@dataclass(eq=False)
class _Connection:
    client: str
    """What the limit per client applies to; empty where none does."""
    idle_s: float
    waiting_since: float
    transport: asyncio.Transport | None = None
    """``None`` until the TLS handshake is done."""
    opening: "asyncio.Task[Any] | None" = None
    requests: int = 0
    """In progress."""

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()


class Connections:
    """Accepts the connections of one server and keeps their number and waits within limits, on the event loop."""

    def __init__(
        self,
        server: web.Server,
        *,
        tls: ssl.SSLContext | None = None,
        limits: ConnectionLimits | None = None,
        proxies: TrustedProxies | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._server = server
        self._tls = tls
        self._limits = limits or ConnectionLimits.of_this_process()
        self._proxies = proxies or TrustedProxies()
        self._clock = clock
        self._open: dict[_Connection, None] = {}
        """In the order in which they came."""
        self._tasks: list[asyncio.Task[None]] = []
        self._failures = 0
        self._logged_at = -LOG_INTERVAL_S

    def __len__(self) -> int:
        return len(self._open)

    def start(self, listener: socket.socket) -> None:
        """Accept from now on."""
        listener.setblocking(False)
        self._tasks = [
            asyncio.create_task(self._accept_all(listener), name="accept"),
            asyncio.create_task(self._close_late_ones(), name="close late connections"),
        ]

    async def stop(self) -> None:
        """Accept no more, and give up those that are not open yet. The server closes the others."""
        opening = [connection.opening for connection in self._open if connection.transport is None]
        tasks = [*self._tasks, *(task for task in opening if task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept_all(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno != errno.ECONNABORTED:
                    self._note_failure(error)
                    self._close_longest_waiting(self._open)
                    await self._clock.sleep(RETRY_S)
                continue
            self._admit(accepted, peer[0] if isinstance(peer, tuple) else "")

    def _note_failure(self, error: OSError) -> None:
        self._failures += 1
        now = self._clock.now()
        if now - self._logged_at >= LOG_INTERVAL_S:
            log.warning("cannot accept connections: %s (%d times)", error.strerror, self._failures)
            self._failures, self._logged_at = 0, now

    def _admit(self, accepted: socket.socket, address: str) -> None:
        from_proxy = address in self._proxies
        client = "" if from_proxy else client_key(address)
        of_client = [connection for connection in self._open if client and connection.client == client]
        crowded: Iterable[_Connection] | None = None
        if len(of_client) >= self._limits.per_client:
            crowded = of_client
        elif len(self._open) >= self._limits.in_all:
            crowded = self._open
        if crowded is not None and not self._close_longest_waiting(crowded):
            accepted.close()
            return
        idle_s = self._limits.proxy_idle_s if from_proxy else self._limits.idle_s
        connection = _Connection(client, idle_s, self._clock.now())
        self._open[connection] = None
        connection.opening = asyncio.create_task(self._open_one(connection, accepted), name="open connection")
        connection.opening.add_done_callback(lambda _: self._opening_ended(connection, accepted))

    async def _open_one(self, connection: _Connection, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        # A handshake that fails or takes too long; errors of TLS are OSErrors.
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(
                lambda: ClientProtocol(self, self._server, connection, loop=loop), accepted, ssl=self._tls
            )

    def _opening_ended(self, connection: _Connection, accepted: socket.socket) -> None:
        if connection.transport is None:
            self._open.pop(connection, None)
            accepted.close()

    def _close_longest_waiting(self, among: Iterable[_Connection]) -> bool:
        """Close the connection that has waited longest for a request: whether there was one."""
        waiting = [connection for connection in among if not connection.requests]
        if not waiting:
            return False
        longest = min(waiting, key=lambda connection: connection.waiting_since)
        self._open.pop(longest, None)
        longest.close()
        return True

    async def _close_late_ones(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_INTERVAL_S)
            now = self._clock.now()
            for connection in list(self._open):
                if not connection.requests and now - connection.waiting_since > connection.idle_s:
                    self._open.pop(connection, None)
                    connection.close()

    def _opened(self, connection: _Connection, transport: asyncio.Transport) -> None:
        connection.transport = transport

    def _closed(self, connection: _Connection) -> None:
        self._open.pop(connection, None)

    def _request_began(self, connection: _Connection) -> None:
        connection.requests += 1

    def _request_ended(self, connection: _Connection) -> None:
        connection.requests -= 1
        connection.waiting_since = self._clock.now()


class ClientProtocol(web.RequestHandler):
    """aiohttp's protocol, joined to the limits; a malformed request is answered and logged without its text."""

    def __init__(
        self, connections: Connections, server: web.Server, connection: _Connection, *, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(server, loop=loop, access_log=None)  # type: ignore[arg-type]
        self._connections = connections
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._connections._opened(self._connection, transport)
        super().connection_made(transport)

    def connection_lost(self, error: BaseException | None) -> None:
        super().connection_lost(error)
        self._connections._closed(self._connection)

    def request_began(self) -> None:
        """The head of a request has come in whole."""
        self._connections._request_began(self._connection)

    def request_ended(self) -> None:
        """Its response is ready."""
        self._connections._request_ended(self._connection)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp would repeat the malformed line, which may hold a token, in its log and in its response."""
        log.info("a request was malformed (%s)", type(exc).__name__)
        response = error_response(status, "The request is malformed.", SECURITY_HEADERS)
        response.force_close()
        return response


@web.middleware
async def count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells a connection's protocol when a request is in progress: then it does not count as waiting."""
    protocol = request.protocol
    if not isinstance(protocol, ClientProtocol):
        return await handler(request)
    protocol.request_began()
    try:
        return await handler(request)
    finally:
        protocol.request_ended()
