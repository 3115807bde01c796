"""Reading the bodies of requests."""

import asyncio
import contextlib

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from stream.live.server.error_responses import HttpError
from stream.live.server.requests import read_json, read_text


def read(work, body, media_type="application/json"):
    """What ``work`` makes of a request with that body."""

    async def go():
        loop = asyncio.get_running_loop()
        payload = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        payload.feed_data(body)
        payload.feed_eof()
        request = make_mocked_request("POST", "/", headers={"Content-Type": media_type}, payload=payload)
        return await work(request)

    return asyncio.run(asyncio.wait_for(go(), 20))


def test_a_body_is_read():
    assert read(lambda request: read_text(request, "application/sdp"), b"v=0", "application/sdp") == "v=0"
    assert read(read_json, b'{"a": 1}', "application/json; charset=utf-8") == {"a": 1}


@pytest.mark.parametrize(
    ("body", "media_type", "status", "words"),
    [
        (b"{}", "text/plain", 415, "must be application/json"),
        (b"\xff", "application/json", 400, "not UTF-8"),
        (b"{", "application/json", 400, "not JSON"),
        (b"[" * 20_000, "application/json", 400, "not JSON"),
        (b"[]", "application/json", 400, "not a JSON object"),
    ],
)
def test_other_bodies_are_refused(body, media_type, status, words):
    with pytest.raises(HttpError, match=words) as caught:
        read(read_json, body, media_type)
    assert caught.value.status == status


def test_a_body_that_does_not_arrive_is_not_waited_for():
    """Through a real socket: the response comes although the request is incomplete."""

    async def handle(request):
        try:
            await read_text(request, "application/sdp", timeout_s=0.05)
        except HttpError as error:
            return web.Response(status=error.status, text=str(error))

    async def go():
        app = web.Application()
        app.router.add_post("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 9\r\n\r\nv=0")
        response = await reader.read(4096)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        await runner.cleanup()
        return response

    response = asyncio.run(asyncio.wait_for(go(), 20))
    assert response.startswith(b"HTTP/1.1 408")
    assert response.endswith(b"The body did not arrive within 0.05 s.")
