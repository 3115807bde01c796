"""``emocolor-stream live`` with servers of others: RTSP by GStreamer, RTMP by nginx, HTTP by Python's own.

Those that are not installed are skipped, and fail where REQUIRE_LIVE_SERVERS=1. On Debian: ``apt-get install python3-gi
gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,ugly} gstreamer1.0-libav nginx-light libnginx-mod-rtmp``.
"""

import contextlib
import functools
import http.server
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from tests.stream.live.live_process import LiveProcess
from tests.stream.live.stream_server import make_stream

pytestmark = pytest.mark.timeout(200)
RED = ("--effect", "colormap:#000-#f00", "--encoder-preset", "ultrafast")
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


def live(*arguments, **options):
    """The command under way, with its log as JSON."""
    return LiveProcess(*arguments, "--log-json", **options)


def times_and_color(path):
    """Times of all frames in seconds, and how far the first one's highest red is above the highest of the others."""
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
    """Each start of RTSP has a packet without a time, and then times that count from zero."""
    if not can_serve_rtsp():
        missing("GStreamer's RTSP server is not installed (gir1.2-gst-rtsp-server-1.0 and plugins)")
    port, out = free_port(), tmp_path / "out.mkv"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(rtsp_server(port))
        command = stack.enter_context(live(f"rtsp://127.0.0.1:{port}/live", "-o", out, *RED, tapped=True))
        command.wait_for_output(40_000)
        first.kill()
        command.wait_for_log(lambda: command.events("retry"))
        stack.enter_context(rtsp_server(port))
        command.wait_for_log(lambda: len(command.events("connected")) == 2)
        command.wait_for_output(60_000)
        command.send_signal(signal.SIGTERM)
        code, log = command.finish()
        assert code == 143, log
        (summary,) = command.events("summary")
    assert summary["losses"] == 1
    assert summary["frames_repeated"] > 0
    assert "out of order" not in summary["drops"], summary
    times, redness = times_and_color(out)
    assert redness > 100
    assert np.diff(times).min() > 0
    dropped = sum(summary["outputs"][str(out)]["drops"].values())
    assert len(times) == summary["frames_out"] + summary["frames_repeated"] - dropped
    assert np.diff(times).max() < 2.5, "it went on all the time"


@contextlib.contextmanager
def rtmp_server(folder):
    """The address of nginx's application ``live``; clients try again until it listens."""
    if shutil.which("nginx") is None or not RTMP_MODULE.exists():
        missing("nginx with RTMP is not installed (apt-get install nginx-light libnginx-mod-rtmp)")
    port, settings = free_port(), folder / "nginx.conf"
    settings.write_text(RTMP_SERVER.format(module=RTMP_MODULE, folder=folder, port=port))
    with process(["nginx", "-p", folder, "-c", settings, "-e", folder / "log"]):
        yield f"rtmp://127.0.0.1:{port}/live/key"


@pytest.mark.slow
def test_a_video_goes_through_an_rtmp_server(tmp_path):
    """Published red by one, and taken from the server by another, to its end."""
    clip, out = tmp_path / "clip.ts", tmp_path / "out.mkv"
    clip.write_bytes(make_stream(60, size_wh=(320, 180)))
    (tmp_path / "nginx").mkdir()
    plain = ("--effect", "none", "--encoder-preset", "ultrafast")
    with rtmp_server(tmp_path / "nginx") as url, live(clip, "-o", url, *RED) as publisher:
        publisher.wait_for_log(lambda: publisher.events("opened"))
        with live(url, "-o", out, *plain, tapped=True) as subscriber:
            subscriber.wait_for_output(60_000)
            subscriber.send_signal(signal.SIGTERM)
            assert subscriber.finish()[0] == 143
        publisher.send_signal(signal.SIGTERM)
        code, log = publisher.finish()
    assert code == 143
    assert "key" not in log, "who knows it may publish"
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
    out = tmp_path / "out.mkv"
    with http_server(demo_clip.parent) as url, live(f"{url}/{demo_clip.name}", "-o", out, *RED) as command:
        code, log = command.finish()
        assert code == 0, log
        (summary,) = command.events("summary")
    assert summary["frames_in"] == 50
    assert times_and_color(out)[1] > 100


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("{http}/none.mp4", "404"),
        ("http://127.0.0.1:{nobody}/x.ts", "connection was refused"),
        ("rtsp://127.0.0.1:{nobody}/live", "connection was refused"),
        ("rtmp://127.0.0.1:{nobody}/live/key", "connection was refused"),
    ],
)
def test_with_once_what_cannot_be_reached_is_one_line_and_code_4(url, reason, tmp_path):
    with http_server(tmp_path) as served:
        address = url.format(http=served, nobody=free_port())
        with live(address, "-o", tmp_path / "out.mkv", "--once") as command:
            assert command.finish()[0] == 4
            (record,) = command.events("error")
    assert reason in record["message"]
    assert not (tmp_path / "out.mkv").exists()
