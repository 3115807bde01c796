"""The connections of clients: their number, how long they may wait, and what happens where no descriptor is left."""

import asyncio
import contextlib
import json
import logging
import os
import resource
import socket
import ssl

import pytest
from aiohttp import web

from stream.live.rate_limits import TokenBuckets
from stream.live.server.access import Access
from stream.live.server.addresses import TrustedProxies
from stream.live.server.connections import (
    MAX_CONNECTIONS,
    MIN_CONNECTIONS,
    SWEEP_INTERVAL_S,
    ConnectionLimits,
    Connections,
    count_requests,
)
from tests.stream.live.certificates import write_certificate
from tests.stream.live.manual_clock import ManualClock
from tests.stream.live.webrtc_clients import until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /healthz HTTP/1.1\r\nHost: local"


class Serving:
    """A server with one address that responds at once and one that does not, and its connections."""

    def __init__(self, port, connections, clock, release):
        self.port, self.connections, self.clock, self.release = port, connections, clock, release

    async def connect(self, data=b"", **options):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        writer.write(data)
        await writer.drain()
        return reader, writer

    async def ask(self, data=HEALTH):
        """The status line of the response, on a connection of its own."""
        reader, writer = await self.connect(data)
        line = await reader.readline()
        writer.close()
        return line.decode().strip()

    async def advance(self, seconds):
        await asyncio.to_thread(self.clock.wait_for_sleepers)
        self.clock.advance(seconds)


@contextlib.asynccontextmanager
async def serving(**settings):
    clock, release = ManualClock(), asyncio.Event()

    async def respond(_):
        return web.json_response({"status": "ok"})

    async def wait(_):
        await release.wait()
        return web.json_response({})

    app = web.Application(middlewares=[count_requests])
    app.router.add_get("/healthz", respond)
    app.router.add_get("/wait", wait)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections = Connections(runner.server, clock=clock, **settings)
        connections.start(listener)
        try:
            yield Serving(listener.getsockname()[1], connections, clock, release)
        finally:
            release.set()
            await connections.stop()
            await runner.cleanup()


def run(work, **settings):
    async def go():
        async with serving(**settings) as server:
            return await asyncio.wait_for(work(server), 60)

    return asyncio.run(go())


@pytest.mark.parametrize("sent", [b"", HALF, HEALTH + HALF])
def test_a_connection_that_waits_without_a_request_is_closed(sent):
    async def work(server):
        reader, writer = await server.connect(sent)
        if sent.startswith(HEALTH):
            assert b"200" in await reader.readline()
        await until(lambda: len(server.connections) == 1)
        await server.advance(4.0)
        await server.advance(SWEEP_INTERVAL_S)
        assert len(server.connections) == 1
        await server.advance(4.0)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        await until(lambda: len(server.connections) == 0)
        writer.close()

    run(work, limits=ConnectionLimits(idle_s=8))


def test_a_request_in_progress_may_take_its_time():
    async def work(server):
        reader, writer = await server.connect(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: any(connection.requests for connection in server.connections._open))
        for _ in range(3):
            await server.advance(100)
        server.release.set()
        assert b"200" in await reader.readline()
        writer.close()

    run(work)


def test_a_handshake_that_does_not_end_is_given_up(tmp_path):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*write_certificate(tmp_path))

    async def work(server):
        reader, writer = await server.connect(b"\x16\x03\x01")
        await until(lambda: len(server.connections) == 1)
        await server.advance(8.1)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await until(lambda: len(server.connections) == 0)
        writer.close()
        trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
        reader, writer = await server.connect(HEALTH, ssl=trusting, server_hostname="127.0.0.1")
        assert b"200" in await reader.readline()
        writer.close()

    run(work, tls=tls)


@pytest.mark.parametrize("limits", [ConnectionLimits(per_client=4), ConnectionLimits(per_client=100, in_all=4)])
def test_a_new_client_gets_through_while_others_hold_all_connections(limits):
    async def work(server):
        held = [await server.connect(HALF) for _ in range(12)]
        for _ in range(3):
            assert await server.ask() == "HTTP/1.1 200 OK"
        assert len(server.connections) <= 4
        for reader, _ in held[:8]:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b"", "the oldest give way"
        for _, writer in held:
            writer.close()

    run(work, limits=limits)


def test_requests_in_progress_do_not_give_way():
    async def work(server):
        busy = [await server.connect(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(3)]
        await until(lambda: sum(connection.requests for connection in server.connections._open) == 3)
        reader, writer = await server.connect(HEALTH)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        server.release.set()
        for reader, writer in busy:
            assert b"200" in await reader.readline()
            writer.close()

    run(work, limits=ConnectionLimits(per_client=3))


def test_a_trusted_proxy_brings_many_clients_and_keeps_its_connections():
    async def work(server):
        held = [await server.connect(HEALTH) for _ in range(6)]
        for reader, _ in held:
            assert b"200" in await reader.readline()
        await server.advance(60)
        assert len(server.connections) == 6
        await server.advance(20)
        await until(lambda: len(server.connections) == 0)
        for _, writer in held:
            writer.close()

    run(work, limits=ConnectionLimits(per_client=2), proxies=TrustedProxies(["127.0.0.1"]))


def test_without_descriptors_accepting_goes_on_and_little_is_logged(caplog):
    """A server must not be silenced by others' half-open connections, nor fill its disk with complaints."""

    async def work(server):
        held = [await server.connect(HALF) for _ in range(5)]
        await until(lambda: len(server.connections) == 5)
        with descriptors_left(0) as spare:
            reader, writer = await server.connect_with(spare)
            writer.write(HEALTH)
            for _ in range(50):
                await server.advance(0.1)
                if server.connections._failures == 0 and len(server.connections) < 5:
                    break
            await server.advance(0.1)
            line = await reader.readline()
        assert b"200" in line
        for _, taken in [*held, (reader, writer)]:
            taken.close()

    async def connect_with(self, sock):
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=sock)

    Serving.connect_with = connect_with
    with caplog.at_level(logging.WARNING):
        run(work)
    lines = [record for record in caplog.records if "cannot accept" in record.message]
    assert 1 <= len(lines) <= 6
    assert all("\n" not in record.message and record.exc_info is None for record in lines)
    assert "Too many open files" in lines[0].message


@contextlib.contextmanager
def descriptors_left(count):
    """This process can open ``count`` more files; yields a socket that was made before."""
    spare = socket.socket()
    spare.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    filling = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                filling.append(os.dup(0))
        for descriptor in filling[:count]:
            os.close(descriptor)
        del filling[:count]
        yield spare
    finally:
        for descriptor in filling:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("descriptors", "expected"), [(64, MIN_CONNECTIONS), (128, 32), (256, 96), (4096, 256)])
def test_descriptors_are_left_for_the_rest_of_the_process(descriptors, expected):
    assert ConnectionLimits.for_descriptors(descriptors).in_all == expected <= MAX_CONNECTIONS
    assert ConnectionLimits.of_this_process().in_all > 0


SECRET = "s3cret-token-value"


@pytest.mark.parametrize(
    "request_text",
    [
        f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\x00\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer {SECRET}\r\n\r\n",
        f"GET /?token={SECRET} HTTP/9\r\nHost: localhost\r\n\r\n",
        f"{SECRET}\r\n\r\n",
        f"GET http://[{SECRET}/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_malformed_is_answered_and_logged_without_its_text(request_text, caplog):
    async def work(server):
        reader, writer = await server.connect(request_text.encode("latin-1"))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return head.decode(), body

    with caplog.at_level(logging.DEBUG):
        head, body = run(work)
    assert head.split()[1] == "400"
    assert "Content-Security-Policy" in head
    assert json.loads(body) == {"error": "The request is malformed."}
    assert SECRET not in head + body.decode() + caplog.text


@pytest.mark.parametrize("host", ["localhost:99999", "localhost:x", "[::1", "a b", "a/b", "me@localhost", "localhost:"])
def test_a_malformed_host_is_refused_and_a_secret_beside_it_is_not_logged(ask, caplog, host):
    async def work(server):
        headers = {"Host": host, "Authorization": f"Bearer {SECRET}"}
        status, _, body = await server.call("GET", f"/api/options?token={SECRET}", headers=headers)
        assert (status, body) == (400, {"error": "The Host header is malformed."})

    many = TokenBuckets(per_second=1e6, burst=1000)
    with caplog.at_level(logging.DEBUG, "stream"):
        ask(work, access=Access(hosts=frozenset({"localhost"}), requests=many))
    assert SECRET not in caplog.text
