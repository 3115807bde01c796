"""``emocolor-stream serve`` as a person runs it: in a process of its own."""

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from fractions import Fraction

import aiohttp
import av
import pytest
from aiortc import MediaStreamTrack

from tests.stream.live.certificates import write_certificate
from tests.stream.live.webrtc.test_publication import plain
from tests.stream.live.webrtc_clients import Camera, Server, loopback_only, page_client, started, whip_client

pytestmark = pytest.mark.timeout(180)
COMMAND = [sys.executable, "-m", "stream.cli", "serve"]


def fails(*arguments):
    done = subprocess.run([*COMMAND, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stderr.strip().splitlines(), done.stdout


def test_bad_options_are_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, code, words in [
            (["--host", "0.0.0.0"], 2, "--token auto"),
            (["--port", port], 2, f"Cannot listen on 127.0.0.1, port {port}.*another --port"),
            (["--record", tmp_path / "none"], 5, "does not exist"),
        ]:
            found, lines, _ = fails(*arguments)
            assert found == code, lines
            errors = [line for line in lines if line.startswith("error: ")]
            assert len(errors) == len(lines) == 1, lines
            assert re.search(words, errors[0]), errors


def test_errors_are_json_where_the_log_is():
    code, lines, _ = fails("--log-json", "--port", 99999)
    (line,) = map(json.loads, lines)
    assert (code, line["level"], line["exit_code"]) == (2, "error", 2)
    assert "--port must lie between" in line["message"]


def test_sigterm_tells_the_clients_and_finishes_the_recordings(tmp_path):
    async def go(process):
        async with aiohttp.ClientSession() as http:
            server = Server(process.url, None, http)
            async with page_client(server, Camera([plain(100)]), record=True) as client:
                await client.video.wait(lambda r: r.count > 30)
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                bye = await client.wait_message(lambda m: m["type"] == "bye")
                assert bye["reason"] == "the server is stopping"
                code = await asyncio.to_thread(process.wait, 30)
                return code, time.monotonic() - began

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
    """What says that it is a key frame of VP8, and is none."""

    kind = "video"
    sent = 0

    async def recv(self):
        await asyncio.sleep(0.02)
        made = av.Packet(b"\x10\x02\x00\x9d\x01\x2a" + bytes(100))
        made.pts, made.time_base = self.sent * 1800, Fraction(1, 90_000)
        self.sent += 1
        return made


def test_frames_that_cannot_be_decoded_are_counted_and_fill_no_log():
    async def go(process):
        async with aiohttp.ClientSession() as http:
            server = Server(process.url, None, http)
            async with whip_client(server, Rubbish()) as client:
                for _ in range(400):
                    body = (await server.call("GET", "/metrics"))[2].decode()
                    found = re.search(r'dropped_frames_total{reason="undecodable"} (\d+)', body)
                    if found and int(found[1]) > 20:
                        break
                    await asyncio.sleep(0.05)
                else:
                    raise AssertionError(body)
                assert (await server.call("DELETE", client.location))[0] == 200

    with started("--log-json") as process, loopback_only():
        asyncio.run(asyncio.wait_for(go(process), 90))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert [line for line in lines if line["level"] != "info"] == []


def test_ctrl_c_ends_it_with_130():
    with started() as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "Traceback" not in process.stderr.read()


def test_a_token_is_made_printed_once_and_in_no_log(tmp_path):
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
        with urllib.request.urlopen(request, context=trusting, timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=30)
    assert token not in rest
    assert token not in log


def test_logs_hold_no_passwords():
    """Those of session descriptions: they would let others join."""

    async def go(address):
        async with (
            aiohttp.ClientSession() as http,
            page_client(Server(address, None, http), Camera([plain(100)])) as client,
        ):
            await client.video.wait(lambda r: r.count > 3)
            return client.connection.remoteDescription.sdp, client.connection.localDescription.sdp

    with started("-vv") as process, loopback_only():
        descriptions = asyncio.run(asyncio.wait_for(go(process.url), 90))
        process.send_signal(signal.SIGTERM)
        _, text = process.communicate(timeout=30)
    assert "session" in text
    for password in re.findall(r"a=ice-pwd:(\S+)", "".join(descriptions)):
        assert password not in text
