"""WHIP and WHEP by software that shares no code with the server: Debian's simple-whip-client, GStreamer and FFmpeg.

Each test is skipped where its client is not installed, and fails where REQUIRE_WHIP_CLIENT=1. On Debian:
``apt-get install simple-whip-client gstreamer1.0-nice gstreamer1.0-plugins-{good,bad,ugly} python3-gi
gir1.2-gst-plugins-bad-1.0``. These clients leave 127.0.0.1 out of their ICE candidates: media takes this machine's own
address, and still does not leave the machine.
"""

import asyncio
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest

from tests.stream.live.certificates import write_certificate
from tests.stream.live.webrtc_clients import Beeps, Camera, Server, gray_planes, started, whep_client, whip_client

pytestmark = pytest.mark.timeout(150)
TOKEN = "a-token-of-enough-letters"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SYSTEM_PYTHON = "/usr/bin/python3"
GRAY, MAPPED = 100, (167, 113, 52)
"""A luma value, and the Y, Cb and Cr that the colour map ``turbo`` has for it."""
VIDEO = "videotestsrc is-live=true pattern=solid-color foreground-color=0xff808080 ! video/x-raw,format=I420,width=320,"
VIDEO += "height=180,framerate=25/1"
RTP = "! queue ! application/x-rtp,media=video,payload=96,encoding-name"
PUBLISHED = {
    "VP8": f"{VIDEO} ! vp8enc deadline=1 keyframe-max-dist=250 ! rtpvp8pay pt=96 ssrc=2 {RTP}=VP8",
    "H264": f"{VIDEO} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=250 "
    f"! video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 ssrc=2 config-interval=-1 {RTP}=H264",
}
AUDIO = "audiotestsrc is-live=true ! audioconvert ! audioresample ! queue ! opusenc ! rtpopuspay pt=100 ssrc=1 "
AUDIO += "! queue ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100"
NO_UPNP = """
void *g_object_new(unsigned long type, const char *first, ...);
unsigned long gupnp_simple_igd_get_type(void) { return 20 << 2; /* GObject */ }
void *gupnp_simple_igd_thread_new(void) { return g_object_new(20 << 2, 0); }
void gupnp_simple_igd_add_port(void) {}
void gupnp_simple_igd_remove_port_local(void) {}
"""
"""In place of a library that libnice asks routers with. Debian 12's needs libsoup 3, which refuses to be loaded into a
process with libsoup 2, which simple-whip-client needs: that package does not start without this."""


def missing(reason):
    if os.environ.get("REQUIRE_WHIP_CLIENT") == "1":
        pytest.fail(f"{reason}, and REQUIRE_WHIP_CLIENT=1")
    pytest.skip(reason)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 120))


@pytest.fixture(scope="module")
def debians_client(tmp_path_factory):
    """The environment in which ``whip-client`` starts."""
    if shutil.which("whip-client") is None:
        missing("whip-client is not installed (apt-get install simple-whip-client)")
    found = subprocess.run(["gst-inspect-1.0", "webrtcbin"], check=False, capture_output=True)
    if found.returncode != 0:
        missing("GStreamer's webrtcbin is not installed (gstreamer1.0-plugins-bad, gstreamer1.0-nice)")
    if shutil.which("cc") is None:
        return dict(os.environ)
    folder = tmp_path_factory.mktemp("no-upnp")
    (folder / "igd.c").write_text(NO_UPNP)
    made, name = folder / "libgupnp-igd-1.0.so.4", "-Wl,-soname,libgupnp-igd-1.0.so.4"
    subprocess.run(["cc", "-shared", "-fPIC", name, "-o", made, folder / "igd.c"], check=True)
    return os.environ | {"LD_LIBRARY_PATH": str(folder)}


@pytest.fixture
def server():
    """A server that maps gray to colours, with a token."""
    with started("--token", TOKEN, "--effect", "colormap", "--log-json", loopback=False) as process:
        yield process


class Log:
    """The server's log, record by record."""

    def __init__(self, process):
        self._process = process
        self._records = []

    async def wait_for(self, event):
        """The next record of that event."""
        return await asyncio.wait_for(asyncio.to_thread(self._read_to, event), 60)

    def finish(self):
        """All records, once the server has stopped."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._read_to(None)
        return self._records

    def _read_to(self, event):
        for line in self._process.stderr:
            self._records.append(json.loads(line))
            if self._records[-1].get("event") == event:
                return self._records[-1]
        assert event is None, self._records


@pytest.fixture
def log(server):
    return Log(server)


@contextlib.contextmanager
def client(command, output, **settings):
    """A client that is killed at the latest when the block is left; what it prints goes to ``output``."""
    with output.open("wb") as out:
        process = subprocess.Popen(command, **({"stdout": out, "stderr": subprocess.STDOUT} | settings))
        try:
            yield process
        finally:
            process.kill()
            process.communicate()  # closes its pipe too


@contextlib.asynccontextmanager
async def authorized(process):
    """The server, for whoever has the token."""
    async with aiohttp.ClientSession(headers=BEARER) as http:
        yield Server(process.url, None, http)


async def sessions_of(server):
    return (await server.call("GET", "/api/sessions"))[2]["sessions"]


async def started_session(server, log):
    """The public name of the only session, once it has started."""
    await log.wait_for("session began")
    (session,) = await sessions_of(server)
    return session["name"]


async def assert_recoloured_with_audio(server, session):
    """The viewer sees a gray video in colour, going on, and hears the tone."""
    async with whep_client(server, session, audio=True) as viewer:
        await viewer.video.wait_for_more(15)
        planes = viewer.video.latest
        assert planes.shape == (270, 320)
        chroma = planes[180:].reshape(2, -1).mean(axis=1)
        assert np.abs(chroma - 128).max() > 20, chroma
        await viewer.audio.wait_for_more(15)
        assert max(int(np.abs(s.astype(int)).max()) for _, s in viewer.audio.frames) > 3000


def reason_of_the_end(log):
    """Why the only session ended, once the server has stopped."""
    records = log.finish()
    assert not [record for record in records if record["level"] in ("warning", "error")], records
    (ended,) = (record["message"] for record in records if record.get("event") == "session ended")
    return re.search(r"ended: ([^;]*);", ended)[1]


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_debians_whip_client_publishes_and_says_goodbye(server, log, debians_client, codec, tmp_path):
    command = [
        "whip-client",
        "-u",
        f"{server.url}/whip?public=studio",
        "-t",
        TOKEN,
        "-o",
        "-A",
        AUDIO,
        "-V",
        PUBLISHED[codec],
    ]

    async def go(publisher):
        async with authorized(server) as api:
            await assert_recoloured_with_audio(api, await started_session(api, log))
            publisher.send_signal(signal.SIGINT)
            await log.wait_for("session ended")
            assert await asyncio.to_thread(publisher.wait, 20) == 0

    with client(command, tmp_path / "output", env=debians_client) as publisher:
        run(go(publisher))
    assert reason_of_the_end(log) == "the client ended it"


def test_a_client_that_is_killed_is_removed_within_ten_seconds(server, log, debians_client, tmp_path):
    command = ["whip-client", "-u", f"{server.url}/whip?public=studio", "-t", TOKEN, "-o", "-n", "-V", PUBLISHED["VP8"]]

    async def go(publisher):
        async with (
            authorized(server) as api,
            whep_client(api, await started_session(api, log)) as viewer,
        ):
            await viewer.video.wait_for_more(5)
            killed_at = time.monotonic()
            publisher.kill()
            await log.wait_for("session ended")
            assert time.monotonic() - killed_at < 10

    with client(command, tmp_path / "output", env=debians_client) as publisher:
        run(go(publisher))
    # Both timeouts count from its last packet, or nearly so.
    assert reason_of_the_end(log) in ("the client stopped responding", "no video came for 7.5 s")


@functools.cache
def system_python_has_webrtc():
    code = "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import GstWebRTC"
    try:
        return subprocess.run([SYSTEM_PYTHON, "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_gstreamer_watches(server, codec, tmp_path):
    if not system_python_has_webrtc():
        missing(f"{SYSTEM_PYTHON} lacks GStreamer's WebRTC (python3-gi, gir1.2-gst-plugins-bad-1.0)")
    program = str(Path(__file__).parents[1] / "gstreamer_whep.py")

    async def go():
        async with (
            authorized(server) as api,
            whip_client(api, Camera([gray_planes(GRAY)]), Beeps(period=1)) as publisher,
        ):
            session = publisher.location.removeprefix("/whip/")
            command = [SYSTEM_PYTHON, program, f"{server.url}/whep/{session}", TOKEN, codec]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": None}
            with client(command, tmp_path / "unused", **pipes) as viewer:
                video, audio = await asyncio.wait_for(asyncio.to_thread(read_media, viewer.stdout), 60)
                rest, _ = await asyncio.to_thread(viewer.communicate, timeout=20)
                assert viewer.returncode == 0
            assert b'"ended"' in rest
            _, _, shown = await api.call("GET", f"/api/sessions/{session}")
            assert shown["viewers"] == 0
            return video, audio

    video, audio = run(go())
    assert video[-1]["size"] == [320, 180]
    assert video[-1]["means"] == pytest.approx(MAPPED, abs=3)
    assert max(event["peak"] for event in audio) > 8000


def read_media(lines):
    """The first events of a GStreamer viewer about video and audio: more than twenty of each."""
    found = {"video": [], "audio": []}
    for line in lines:
        event = json.loads(line)
        found.get(event["event"], []).append(event)
        if min(map(len, found.values())) > 20:
            return found["video"], found["audio"]
    raise AssertionError(f"it ended after {found}")


FFMPEG = """
import sys, threading, time
from fractions import Fraction
import av
import numpy as np
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
url, token, certificate, key, profile = sys.argv[1:]
options = {"authorization": token, "cert_file": certificate, "key_file": key}
sink = av.open(url, "w", format="whip", options=options)
encoder = {"preset": "ultrafast", "tune": "zerolatency", "profile": profile, "g": "25"}
video, audio = sink.add_stream("libx264", rate=25, options=encoder), sink.add_stream("libopus", rate=48000)
video.width, video.height, video.pix_fmt, audio.layout = 320, 180, "yuv420p", "stereo"
sink.start_encoding()
began, wave = time.monotonic(), (8000 * np.sin(np.arange(960) * 0.0576)).astype(np.int16).repeat(2)
for index in range(25 * 100):
    if over.is_set():
        break
    time.sleep(max(0, began + index / 25 - time.monotonic()))
    planes = np.full((270, 320), 128, np.uint8)
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = index, Fraction(1, 25)
    sink.mux(video.encode(frame))
    for part in (2 * index, 2 * index + 1):
        samples = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="stereo")
        samples.sample_rate, samples.pts, samples.time_base = 48000, part * 960, Fraction(1, 48000)
        sink.mux(audio.encode(samples))
sink.close()
"""


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_ffmpeg_publishes_and_says_goodbye(server, log, profile, tmp_path):
    """FFmpeg of 8.0 on. With GnuTLS it makes itself a certificate on the curve P-224, which nobody takes (RFC 8827,
    section 6.5, has P-256), so it is given one."""
    if "whip" not in av.formats_available:
        missing("this FFmpeg has no WHIP")
    certificate, key = write_certificate(tmp_path)
    command = [sys.executable, "-c", FFMPEG, f"{server.url}/whip?public=studio", TOKEN, str(certificate), str(key)]
    command.append(profile)

    async def go(publisher):
        async with authorized(server) as api:
            await assert_recoloured_with_audio(api, await started_session(api, log))
            publisher.stdin.close()
            await log.wait_for("session ended")
            assert await asyncio.to_thread(publisher.wait, 20) == 0, (tmp_path / "output").read_text()

    with client(command, tmp_path / "output", stdin=subprocess.PIPE) as publisher:
        run(go(publisher))
    assert reason_of_the_end(log) == "the client ended it"
