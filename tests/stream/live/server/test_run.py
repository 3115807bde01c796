"""The server in a process of its own: its end, its logs, its token."""

import asyncio
import contextlib
import json
import re
import resource
import signal
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from fractions import Fraction

import aiohttp
import av
import pytest
from aiortc import MediaStreamTrack

from tests.stream.live.certificates import write_certificate
from tests.stream.live.webrtc_clients import (
    Camera,
    Pace,
    Server,
    gray_planes,
    loopback_only,
    page_client,
    started,
    whip_client,
)

pytestmark = pytest.mark.timeout(180)


def test_sigterm_tells_the_clients_and_finishes_the_recordings(tmp_path):
    async def go(process):
        async with aiohttp.ClientSession() as http:
            server = Server(process.url, None, http)
            async with page_client(server, Camera([gray_planes(100)]), record=True) as client:
                await client.video.wait_for_more(30)
                asked_at = time.monotonic()
                process.send_signal(signal.SIGTERM)
                bye = await client.wait_message(lambda m: m["type"] == "bye")
                assert bye["reason"] == "the server is stopping"
                code = await asyncio.to_thread(process.wait, 30)
                return code, time.monotonic() - asked_at

    with started("--record", tmp_path, "--log-json") as process, loopback_only():
        code, seconds = asyncio.run(asyncio.wait_for(go(process), 90))
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert code == 143
    assert seconds < 10
    events = [line["event"] for line in lines if "event" in line]
    assert events == ["session began", "session ended"]
    assert {"time", "level", "logger", "thread", "message"} <= set(lines[0])
    (path,) = tmp_path.iterdir()
    with av.open(str(path)) as recording:
        assert sum(1 for _ in recording.decode(video=0)) > 15
    with av.open(str(path)) as recording:
        assert recording.duration > 0, "an end was written"


class Rubbish(MediaStreamTrack):
    """Claims to be key frames of VP8, and is none."""

    kind = "video"

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.enough = asyncio.Event()
        self._pace = Pace()

    async def recv(self):
        await self._pace.wait(self.sent * 0.02)
        packet = av.Packet(b"\x10\x02\x00\x9d\x01\x2a" + bytes(100))
        packet.pts, packet.time_base = self.sent * 1800, Fraction(1, 90_000)
        self.sent += 1
        if self.sent == 100:
            self.enough.set()
        return packet


def test_undecodable_frames_are_counted_and_fill_no_log():
    async def go(process):
        async with aiohttp.ClientSession() as http:
            server, rubbish = Server(process.url, None, http), Rubbish()
            async with whip_client(server, rubbish) as client:
                await client.wait_connected()
                await asyncio.wait_for(rubbish.enough.wait(), 60)
                body = (await server.call("GET", "/metrics"))[2].decode()
                (count,) = re.findall(r'dropped_frames_total{reason="undecodable"} (\d+)', body)
                assert int(count) > 20
                assert (await server.call("DELETE", client.location))[0] == 200

    with started("--log-json") as process, loopback_only():
        asyncio.run(asyncio.wait_for(go(process), 90))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert [line for line in lines if line["level"] != "info"] == []


def test_sessions_use_the_emotion_net_that_was_asked_for():
    async def go(process):
        async with (
            aiohttp.ClientSession() as http,
            page_client(Server(process.url, None, http), Camera([gray_planes(100)])) as client,
        ):
            return (await client.wait_message(lambda m: m["type"] == "state"))["quality"]

    with started("--net", "tiny", "--passes", "2") as process, loopback_only():
        quality = asyncio.run(asyncio.wait_for(go(process), 90))
    assert (quality["net"], quality["passes"]) == ("tiny", 2)


def test_ctrl_c_ends_it_with_exit_code_130():
    with started() as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "Traceback" not in process.stderr.read()


def test_a_generated_token_is_printed_once_and_never_logged(tmp_path):
    certificate, key = write_certificate(tmp_path)
    options = ("--host", "127.0.0.1", "--token", "auto", "--cert", certificate, "--key", key, "-vv")
    with started(*options) as process:
        (token,) = re.findall(r"#token=(\S+)$", process.greeting)
        assert process.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate))
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            urllib.request.urlopen(f"{process.url}/api/options", context=trusting, timeout=30)
        caught.value.close()
        request = urllib.request.Request(f"{process.url}/api/options", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, context=trusting, timeout=30) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=30)
    assert token not in rest
    assert token not in log


def test_logs_hold_no_ice_passwords():
    """They would let others join a session."""

    async def go(address):
        async with (
            aiohttp.ClientSession() as http,
            page_client(Server(address, None, http), Camera([gray_planes(100)])) as client,
        ):
            await client.video.wait_for_more(3)
            return client.connection.remoteDescription.sdp, client.connection.localDescription.sdp

    with started("-vv") as process, loopback_only():
        descriptions = asyncio.run(asyncio.wait_for(go(process.url), 90))
        process.send_signal(signal.SIGTERM)
        _, text = process.communicate(timeout=30)
    assert "session" in text
    for password in re.findall(r"a=ice-pwd:(\S+)", "".join(descriptions)):
        assert password not in text


@pytest.mark.parametrize("descriptors", [128, 256])
def test_the_health_check_responds_while_half_open_connections_take_all_descriptors(descriptors):
    """A load balancer would take a server out that does not; and the log must not fill the disk."""
    with started() as process, contextlib.ExitStack() as held:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        address = ("127.0.0.1", urllib.parse.urlsplit(process.url).port)
        for index in range(2 * descriptors):
            connection = held.enter_context(socket.create_connection(address, timeout=10))
            with contextlib.suppress(ConnectionError):  # it may be closed for a newer one by now
                connection.sendall(b"GET / HTTP/1.1\r\nHo")
            if index % 32 == 0:
                with urllib.request.urlopen(f"{process.url}/healthz", timeout=10) as response:
                    assert response.status == 200
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert len(log) < 5_000


def test_a_token_of_the_users_own_is_never_printed(tmp_path):
    """Neither that of a file nor that of the command."""
    token = "a-token-of-enough-letters"
    (tmp_path / "token").write_text(f"{token}\n")
    for options in (("--token-file", tmp_path / "token"), ("--token", token)):
        with started(*options, "-vv") as process:
            assert "and enter the token" in process.greeting
            request = urllib.request.Request(f"{process.url}/api/options?token={token}")
            with pytest.raises(urllib.error.HTTPError, match="401") as caught:
                urllib.request.urlopen(request, timeout=30)
            caught.value.close()
            process.send_signal(signal.SIGTERM)
            rest, log = process.communicate(timeout=30)
        assert token not in process.greeting + rest + log
