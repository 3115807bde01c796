"""What a user may name as an input, and what is refused before anything is opened."""

import pytest

from emocolor.errors import ConfigurationError, SourceError
from stream.live.capture.inputs import parse_input
from stream.media.source import SourceOptions


@pytest.fixture
def devices(tmp_path):
    """A folder in place of /dev, with two cameras."""
    for name in ("video0", "video2", "videodev", "null"):
        (tmp_path / name).touch()
    return {"devices": tmp_path, "system": "linux"}


def test_cameras_are_numbered_from_zero(devices, tmp_path):
    assert parse_input("webcam", **devices).location == str(tmp_path / "video0")
    camera = parse_input("webcam:2", size="1280x720", fps=30, **devices)
    assert (camera.location, camera.kind, camera.reopens) == (str(tmp_path / "video2"), "camera", True)
    wanted = {"video_size": "1280x720", "framerate": "30"}
    assert camera.options == ({**wanted, "input_format": "mjpeg"}, wanted), "JPEG first, then what the camera has"


def test_a_missing_camera_names_those_that_are_there(devices, tmp_path):
    with pytest.raises(SourceError, match=r"no camera .*video1\. There are: webcam:0, webcam:2\."):
        parse_input("webcam:1", **devices)
    for name in ("video0", "video2"):
        (tmp_path / name).unlink()
    with pytest.raises(SourceError, match=r"There is no camera: no .*/video\* exists\. Connect one"):
        parse_input("webcam", **devices)


def test_on_other_systems_cameras_are_refused(devices):
    with pytest.raises(SourceError, match="Video4Linux2, which 'darwin' lacks"):
        parse_input("webcam", **devices | {"system": "darwin"})


@pytest.mark.parametrize(
    ("url", "options", "timeout_s"),
    [
        ("rtsp://camera.local/main", {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"}, 10),
        ("rtmp://host/live/key", {}, 10),
        ("http://host/stream.ts", {}, 10),
        ("https://host/live/index.m3u8?token=1", {}, 30),
        ("udp://239.0.0.1:1234", {"overrun_nonfatal": "1"}, 10),
    ],
)
def test_network_addresses(url, options, timeout_s):
    source = parse_input(url)
    (given,) = source.options
    assert (source.kind, source.reopens, source.timeout_s) == ("network", True, timeout_s)
    assert options.items() <= given.items()
    assert "fflags" not in given, "what FFmpeg reads while it probes is kept"


def test_a_terminal_is_no_input(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(SourceError, match="Nothing is piped"):
        parse_input("-")


def test_passwords_are_not_shown():
    assert parse_input("rtsp://me:secret@host/x").shown == "rtsp://me:***@host/x"


def test_files_and_pipes(tmp_path):
    clip = tmp_path / "a clip.mp4"
    clip.touch()
    assert (parse_input(str(clip)).kind, parse_input(str(clip)).reopens) == ("file", False)
    assert parse_input(f"file:{clip}").kind == "file"
    assert (parse_input("-").kind, parse_input("-").location) == ("pipe", "pipe:0")
    (tmp_path / "0007.png").touch()
    assert parse_input(f"{tmp_path}/%04d.png").options[0]["start_number"] == "7"


@pytest.mark.parametrize(
    ("text", "more", "error", "message"),
    [
        ("none.mp4", {}, SourceError, "there is no such file"),
        ("frames/%04d.png", {}, SourceError, "no file matches"),
        (".", {}, SourceError, "it is a folder"),
        ("srt://host:9000", {}, SourceError, "the protocol 'srt' is not supported; use one of .*rtsp"),
        ("webcam:front", {}, ConfigurationError, "webcam:1 for the second"),
        ("webcam:-1", {}, ConfigurationError, "webcam:1 for the second"),
        ("webcam", {"size": "720p"}, ConfigurationError, "'720p' is no size"),
        ("webcam", {"size": "0x720"}, ConfigurationError, "is no size of a camera"),
        ("webcam", {"size": "99999x720"}, ConfigurationError, "is no size of a camera"),
        ("webcam", {"fps": 0.0}, ConfigurationError, "frame rate must be above 0 and at most 240 fps"),
        ("webcam", {"fps": float("nan")}, ConfigurationError, "frame rate must be above 0 and at most 240 fps"),
        ("rtsp://host/x", {"size": "1280x720"}, ConfigurationError, "Only cameras .* not rtsp://host/x"),
        ("none.mp4", {"fps": 30.0}, ConfigurationError, "Only cameras .* not none.mp4"),
    ],
)
def test_what_cannot_be_read_is_refused(text, more, error, message, devices):
    with pytest.raises(error, match=message):
        parse_input(text, **more, **devices)


def test_options_of_the_input_reach_ffmpeg():
    options = SourceOptions(max_pixels=1000, probesize=50_000, analyzeduration=7, protocol_whitelist="tcp,http")
    source = parse_input("http://127.0.0.1/x", options=options)
    assert source.max_pixels == 1000
    assert source.options == ({"probesize": "50000", "analyzeduration": "7", "protocol_whitelist": "tcp,http"},)


def test_what_comes_from_the_network_reads_no_files(make_clip):
    (network,) = parse_input("http://127.0.0.1/x.m3u8").options
    assert "file" not in network["protocol_whitelist"].split(",")
    (file,) = parse_input(str(make_clip())).options
    assert file["protocol_whitelist"] == "file,crypto,data"


def test_an_sdp_file_is_an_input_of_the_network_where_that_is_asked_for(tmp_path):
    path = tmp_path / "camera.sdp"
    path.write_text("v=0")
    with pytest.raises(SourceError, match=r"option input\.protocol_whitelist to file,rtp,udp"):
        parse_input(str(path))
    source = parse_input(str(path), options=SourceOptions(protocol_whitelist="file,rtp,udp"))
    assert (source.kind, source.format, source.timeout_s, source.reopens) == ("network", "sdp", 10, True)
    with pytest.raises(SourceError, match="there is no such file"):
        parse_input(str(tmp_path / "other.sdp"), options=SourceOptions(protocol_whitelist="file,rtp,udp"))
