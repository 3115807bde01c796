"""``emocolor-stream live`` with servers of others: RTSP by GStreamer, RTMP by nginx, HTTP by Python's own.

Those that are not installed are skipped, and fail where REQUIRE_LIVE_SERVERS=1. On Debian: ``apt-get install python3-gi
gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,ugly} gstreamer1.0-libav nginx-light libnginx-mod-rtmp``.
"""

import contextlib
import functools
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from tests.stream.live.stream_server import make_stream

pytestmark = pytest.mark.timeout(200)
COMMAND = [sys.executable, "-m", "stream.cli", "live", "--log-json"]
PATIENCE_S = 90
RED = ("--effect", "colormap:#000-#f00", "--preset", "ultrafast")
SYSTEM_PYTHON = "/usr/bin/python3"
RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
RTSP_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0"), gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
server.set_address("127.0.0.1"), server.set_service(sys.argv[1])
factory.set_launch(
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0 pt=96 "
    "audiotestsrc is-live=true ! avenc_aac ! rtpmp4gpay name=pay1 pt=97 )"
)
server.get_mount_points().add_factory("/live", factory), server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""
RTMP_SERVER = """
load_module {module};
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
events {{}}
rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}
"""


def missing(reason):
    if os.environ.get("REQUIRE_LIVE_SERVERS") == "1":
        pytest.fail(f"{reason}, and REQUIRE_LIVE_SERVERS=1")
    pytest.skip(reason)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def process(command, **settings):
    """Killed at the latest when the block is left."""
    made = subprocess.Popen([str(part) for part in command], **settings)
    try:
        yield made
    finally:
        made.kill()
        made.communicate()


@contextlib.contextmanager
def live(log, *arguments):
    """The command under way; ``log`` gets its lines."""
    with log.open("wb") as out, process([*COMMAND, *arguments], stderr=out) as made:
        yield made


def lines_of(log):
    """What is written of the log, up to the last whole line."""
    return [json.loads(line) for line in log.read_bytes().split(b"\n")[:-1]]


def events(log, name):
    return [line for line in lines_of(log) if line.get("event") == name]


def until(found, log):
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def times_and_color(path):
    """Times of all pictures in seconds, and how far the first one's highest red is above the highest of the others."""
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    red, green, blue = frames[0][1].reshape(-1, 3).max(axis=0).astype(int)
    return [at for at, _ in frames], red - max(green, blue)


@functools.cache
def can_serve_rtsp():
    code = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    tools = [["gst-inspect-1.0", name] for name in ("x264enc", "rtph264pay", "avenc_aac")]
    try:
        done = [subprocess.run(one, check=False, capture_output=True) for one in [[SYSTEM_PYTHON, "-c", code], *tools]]
    except OSError:
        return False
    return all(one.returncode == 0 for one in done)


@contextlib.contextmanager
def rtsp_server(port):
    with process([SYSTEM_PYTHON, "-c", RTSP_SERVER, port], stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        yield server


@pytest.mark.slow
def test_an_rtsp_server_dies_and_comes_back(tmp_path):
    """Each beginning of RTSP has a packet without a time, and then times that count from nought."""
    if not can_serve_rtsp():
        missing("GStreamer's RTSP server is not installed (gir1.2-gst-rtsp-server-1.0 and plugins)")
    port, log, out = free_port(), tmp_path / "log", tmp_path / "out.mkv"
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(rtsp_server(port))
        with live(log, f"rtsp://127.0.0.1:{port}/live", "-o", out, *RED) as command:
            until(lambda: events(log, "opened"), log)
            time.sleep(2)
            first.kill()
            until(lambda: events(log, "retry"), log)
            servers.enter_context(rtsp_server(port))
            until(lambda: len(events(log, "connected")) == 2, log)
            time.sleep(3)
            command.send_signal(signal.SIGTERM)
            assert command.wait(PATIENCE_S) == 143
    (summary,) = events(log, "summary")
    assert summary["losses"] == 1
    assert summary["frames_held"] > 0
    assert "out of order" not in summary["drops"], summary
    times, redness = times_and_color(out)
    assert redness > 100
    assert np.diff(times).min() > 0
    assert len(times) == summary["frames_out"] + summary["frames_held"] - sum(
        drops for output in summary["outputs"].values() for drops in output["drops"].values()
    )
    assert np.diff(times).max() < 2.5, "it went on all the time"


@contextlib.contextmanager
def rtmp_server(folder):
    """The address of nginx's application ``live``."""
    if shutil.which("nginx") is None or not RTMP_MODULE.exists():
        missing("nginx with RTMP is not installed (apt-get install nginx-light libnginx-mod-rtmp)")
    port, settings = free_port(), folder / "nginx.conf"
    settings.write_text(RTMP_SERVER.format(module=RTMP_MODULE, folder=folder, port=port))
    with process(["nginx", "-p", folder, "-c", settings, "-e", folder / "log"]) as server:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"rtmp://127.0.0.1:{port}/live/key"


@pytest.mark.slow
def test_a_picture_goes_through_an_rtmp_server(tmp_path):
    """Published red by one, and taken from the server by another, to its end."""
    clip, published, taken, out = (tmp_path / name for name in ("clip.ts", "published", "taken", "out.mkv"))
    clip.write_bytes(make_stream(60, size_wh=(320, 180)))
    (tmp_path / "nginx").mkdir()
    with rtmp_server(tmp_path / "nginx") as url, live(published, clip, "-o", url, *RED) as publisher:
        until(lambda: events(published, "opened"), published)
        plain = ("--effect", "none", "--preset", "ultrafast")
        with live(taken, url, "-o", out, *plain) as taker:
            until(lambda: events(taken, "opened"), taken)
            time.sleep(3)
            taker.send_signal(signal.SIGTERM)
            assert taker.wait(PATIENCE_S) == 143
        publisher.send_signal(signal.SIGTERM)
        assert publisher.wait(PATIENCE_S) == 143
    assert "key" not in published.read_text(), "who knows it may publish"
    times, redness = times_and_color(out)
    assert len(times) > 10
    assert redness > 60
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(audio=0)) > 10


@contextlib.contextmanager
def http_server(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_film_on_an_http_server_plays_to_its_end(demo_clip, tmp_path):
    log, out = tmp_path / "log", tmp_path / "out.mkv"
    with http_server(demo_clip.parent) as url, live(log, f"{url}/{demo_clip.name}", "-o", out, *RED) as command:
        assert command.wait(PATIENCE_S) == 0, log.read_text()
    (summary,) = events(log, "summary")
    assert summary["frames_in"] == 50
    assert times_and_color(out)[1] > 100


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{http}/none.mp4", "404"),
        ("http://127.0.0.1:{nobody}/x.ts", "connection was refused"),
        ("rtsp://127.0.0.1:{nobody}/live", "connection was refused"),
        ("rtmp://127.0.0.1:{nobody}/live/key", "connection was refused"),
    ],
)
def test_with_once_what_cannot_be_had_is_one_line_and_code_4(url, words, tmp_path):
    log = tmp_path / "log"
    with http_server(tmp_path) as served:
        address = url.format(http=served, nobody=free_port())
        with live(log, address, "-o", tmp_path / "out.mkv", "--once") as command:
            assert command.wait(PATIENCE_S) == 4
    (line,) = (line for line in lines_of(log) if line["level"] == "error")
    assert words in line["message"]
    assert not (tmp_path / "out.mkv").exists()
