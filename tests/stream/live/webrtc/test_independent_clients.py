"""WHIP and WHEP by software that shares no code with the server: Debian's simple-whip-client, GStreamer, FFmpeg.

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
from tests.stream.live.webrtc.test_publication import Beeps, plain
from tests.stream.live.webrtc_clients import Camera, Server, started, whep_client, whip_client

pytestmark = pytest.mark.timeout(150)
TOKEN = "a-token-of-enough-letters"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SYSTEM_PYTHON = "/usr/bin/python3"
GRAY, MAPPED = 100, (167, 113, 52)
"""A luma code, and the Y, Cb and Cr that the colour map ``turbo`` has for it."""
VIDEO = "videotestsrc is-live=true pattern=solid-color foreground-color=0xff808080 ! video/x-raw,format=I420,width=320,"
VIDEO += "height=180,framerate=25/1"
RTP = "! queue ! application/x-rtp,media=video,payload=96,encoding-name"
PUBLISHED = {
    "VP8": f"{VIDEO} ! vp8enc deadline=1 keyframe-max-dist=250 ! rtpvp8pay pt=96 ssrc=2 {RTP}=VP8",
    "H264": f"{VIDEO} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=250 "
    f"! video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 ssrc=2 config-interval=-1 {RTP}=H264",
}
SOUND = "audiotestsrc is-live=true ! audioconvert ! audioresample ! queue ! opusenc ! rtpopuspay pt=100 ssrc=1 "
SOUND += "! queue ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100"
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


@contextlib.contextmanager
def client(command, log, **settings):
    """A client that is killed at the latest when the block is left; its output goes to ``log``."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **settings)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()  # closes its pipe too


@contextlib.asynccontextmanager
async def watched(process):
    """What the server has, for whoever has the token."""
    async with aiohttp.ClientSession(headers=BEARER) as http:
        yield Server(process.url, None, http)


async def sessions_of(server):
    return (await server.call("GET", "/api/sessions"))[2]["sessions"]


async def session_of(server, log):
    """The one session, once it is there."""
    for _ in range(300):
        if found := await sessions_of(server):
            return found[0]["id"]
        await asyncio.sleep(0.1)
    pytest.fail(await asyncio.to_thread(log.read_text, errors="replace"))


async def seconds_until_gone(server):
    began = time.monotonic()
    while await sessions_of(server):
        assert time.monotonic() - began < 30, "the session stays"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def assert_coloured_with_sound(server, session):
    """The viewer sees a gray picture in colours, going on, and hears the tone."""
    async with whep_client(server, session, audio=True) as viewer:
        await viewer.video.wait(lambda r: r.count > 15)
        planes = viewer.video.pictures[-1][1]
        assert planes.shape == (270, 320)
        chroma = planes[180:].reshape(2, -1).mean(axis=1)
        assert np.abs(chroma - 128).max() > 20, chroma
        await viewer.audio.wait(lambda r: r.count > 15)
        assert max(int(np.abs(s.astype(int)).max()) for _, s in viewer.audio.pictures) > 3000


def reason_of_the_end(process):
    """What the server's log says, once it has stopped."""
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert not [line for line in lines if line["level"] in ("warning", "error")], lines
    (ended,) = (line["message"] for line in lines if line.get("event") == "session ended")
    return re.search(r"ended: ([^;]*);", ended)[1]


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_debians_whip_client_publishes_and_takes_its_leave(server, debians_client, codec, tmp_path):
    command = ["whip-client", "-u", f"{server.url}/whip", "-t", TOKEN, "-o", "-A", SOUND, "-V", PUBLISHED[codec]]

    async def go(publisher):
        async with watched(server) as seen:
            await assert_coloured_with_sound(seen, await session_of(seen, tmp_path / "log"))
            publisher.send_signal(signal.SIGINT)
            await seconds_until_gone(seen)
            assert await asyncio.to_thread(publisher.wait, 20) == 0

    with client(command, tmp_path / "log", env=debians_client) as publisher:
        run(go(publisher))
    assert reason_of_the_end(server) == "the client ended it"


def test_a_client_that_is_killed_is_gone_within_ten_seconds(server, debians_client, tmp_path):
    command = ["whip-client", "-u", f"{server.url}/whip", "-t", TOKEN, "-o", "-n", "-V", PUBLISHED["VP8"]]

    async def go(publisher):
        async with watched(server) as seen:
            session = await session_of(seen, tmp_path / "log")
            async with whep_client(seen, session) as viewer:
                await viewer.video.wait(lambda r: r.count > 5)
                publisher.kill()
                assert await seconds_until_gone(seen) < 10

    with client(command, tmp_path / "log", env=debians_client) as publisher:
        run(go(publisher))
    # Both clocks run from its last packet, or nearly so.
    assert reason_of_the_end(server) in ("nothing comes from the client any more", "no picture came for 7.5 s")


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
        async with watched(server) as seen, whip_client(seen, Camera([plain(GRAY)]), Beeps(period=1)) as publisher:
            session = publisher.location.removeprefix("/whip/")
            command = [SYSTEM_PYTHON, program, f"{server.url}/whep/{session}", TOKEN, codec]
            with client(command, tmp_path / "log", stdin=subprocess.PIPE) as viewer:
                for _ in range(300):
                    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()[:-1]]
                    pictures = [event for event in events if event["event"] == "video"]
                    sounds = [event["peak"] for event in events if event["event"] == "audio"]
                    if len(pictures) > 20 and len(sounds) > 20:
                        break
                    await asyncio.sleep(0.1)
                else:
                    raise AssertionError((tmp_path / "log").read_text()[-2000:])
                viewer.stdin.close()
                assert await asyncio.to_thread(viewer.wait, 20) == 0
            assert '"ended"' in (tmp_path / "log").read_text()
            assert (await sessions_of(seen))[0]["viewers"] == 0
            return pictures, sounds

    pictures, sounds = run(go())
    assert pictures[-1]["size"] == [320, 180]
    assert pictures[-1]["means"] == pytest.approx(MAPPED, abs=3)
    assert max(sounds) > 8000


FFMPEG = """
import sys, threading, time
from fractions import Fraction
import av
import numpy as np
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
url, token, certificate, key = sys.argv[1:]
options = {"authorization": token, "cert_file": certificate, "key_file": key}
sink = av.open(url, "w", format="whip", options=options)
encoder = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "25"}
video, audio = sink.add_stream("libx264", rate=25, options=encoder), sink.add_stream("libopus", rate=48000)
video.width, video.height, video.pix_fmt, audio.layout = 320, 180, "yuv420p", "stereo"
sink.start_encoding()
began, wave = time.monotonic(), (8000 * np.sin(np.arange(960) * 0.0576)).astype(np.int16).repeat(2)
for index in range(25 * 100):
    if over.is_set():
        break
    time.sleep(max(0, began + index / 25 - time.monotonic()))
    planes = np.full((270, 320), 128, np.uint8)
    picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    picture.pts, picture.time_base = index, Fraction(1, 25)
    sink.mux(video.encode(picture))
    for part in (2 * index, 2 * index + 1):
        sound = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="stereo")
        sound.sample_rate, sound.pts, sound.time_base = 48000, part * 960, Fraction(1, 48000)
        sink.mux(audio.encode(sound))
sink.close()
"""


def test_ffmpeg_publishes_and_takes_its_leave(server, tmp_path):
    """FFmpeg of 8.0 on. With GnuTLS it makes itself a certificate on the curve P-224, which nobody takes (RFC 8827,
    section 6.5, has P-256), so it is given one."""
    if "whip" not in av.formats_available:
        missing("this FFmpeg has no WHIP")
    certificate, key = write_certificate(tmp_path)
    command = [sys.executable, "-c", FFMPEG, f"{server.url}/whip", TOKEN, str(certificate), str(key)]

    async def go(publisher):
        async with watched(server) as seen:
            await assert_coloured_with_sound(seen, await session_of(seen, tmp_path / "log"))
            publisher.stdin.close()
            await seconds_until_gone(seen)
            assert await asyncio.to_thread(publisher.wait, 20) == 0, (tmp_path / "log").read_text()

    with client(command, tmp_path / "log", stdin=subprocess.PIPE) as publisher:
        run(go(publisher))
    assert reason_of_the_end(server) == "the client ended it"
