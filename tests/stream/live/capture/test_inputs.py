"""What a user may name as an input, and what is refused before anything is opened."""

import pytest

from emocolor.errors import ConfigurationError, SourceError
from stream.live.capture import inputs
from stream.live.capture.inputs import parse_input


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """A folder in place of /dev, with two cameras."""
    for name in ("video0", "video2", "videodev", "null"):
        (tmp_path / name).touch()
    monkeypatch.setattr(inputs, "DEVICES", tmp_path)
    monkeypatch.setattr(inputs.sys, "platform", "linux")
    return tmp_path


def test_cameras_are_numbered_from_zero(devices):
    assert parse_input("webcam").location == str(devices / "video0")
    camera = parse_input("webcam:2", size="1280x720", fps=30)
    assert (camera.location, camera.kind, camera.comes_back) == (str(devices / "video2"), "camera", True)
    wanted = {"video_size": "1280x720", "framerate": "30"}
    assert camera.options == ({**wanted, "input_format": "mjpeg"}, wanted), "JPEG first, then what the camera gives"


def test_a_camera_that_is_not_there_names_those_that_are(devices):
    with pytest.raises(SourceError, match=r"no camera .*video1\. There are: webcam:0, webcam:2\."):
        parse_input("webcam:1")
    for name in ("video0", "video2"):
        (devices / name).unlink()
    with pytest.raises(SourceError, match=r"There is no camera: no .*/video\* exists\. Plug one in"):
        parse_input("webcam")


def test_elsewhere_cameras_are_refused(monkeypatch):
    monkeypatch.setattr(inputs.sys, "platform", "darwin")
    with pytest.raises(SourceError, match="Linux alone"):
        parse_input("webcam")


@pytest.mark.parametrize(
    ("url", "options", "silence_s"),
    [
        ("rtsp://camera.local/main", {"rtsp_transport": "tcp"}, 10),
        ("rtmp://host/live/key", {}, 10),
        ("http://host/stream.ts", {}, 10),
        ("https://host/live/index.m3u8?token=1", {}, 30),
        ("udp://239.0.0.1:1234", {"overrun_nonfatal": "1"}, 10),
    ],
)
def test_network_addresses(url, options, silence_s):
    source = parse_input(url)
    (given,) = source.options
    assert (source.kind, source.comes_back, source.silence_s) == ("network", True, silence_s)
    assert options.items() <= given.items()
    assert "fflags" not in given, "what FFmpeg reads while it looks for streams is kept"


def test_a_terminal_is_no_input(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(SourceError, match="Nothing is piped"):
        parse_input("-")


def test_passwords_are_not_shown():
    assert parse_input("rtsp://me:secret@host/x").shown == "rtsp://me:***@host/x"


def test_files_and_pipes(tmp_path):
    clip = tmp_path / "a clip.mp4"
    clip.touch()
    assert (parse_input(str(clip)).kind, parse_input(str(clip)).comes_back) == ("file", False)
    assert parse_input(f"file:{clip}").kind == "file"
    assert (parse_input("-").kind, parse_input("-").location) == ("pipe", "pipe:0")
    (tmp_path / "0007.png").touch()
    assert parse_input(f"{tmp_path}/%04d.png").options == ({"start_number": "7"},)


@pytest.mark.parametrize(
    ("text", "more", "error", "words"),
    [
        ("none.mp4", {}, SourceError, "there is no such file"),
        ("frames/%04d.png", {}, SourceError, "no file matches"),
        (".", {}, SourceError, "it is a folder"),
        ("srt://host:9000", {}, SourceError, "the protocol 'srt' is not supported; use one of .*rtsp"),
        ("webcam:front", {}, ConfigurationError, "webcam:1 for the second"),
        ("webcam:-1", {}, ConfigurationError, "webcam:1 for the second"),
        ("webcam", {"size": "720p"}, ConfigurationError, "'720p' is no size"),
        ("webcam", {"size": "0x720"}, ConfigurationError, "is no size"),
        ("webcam", {"size": "99999x720"}, ConfigurationError, "is no size"),
        ("webcam", {"fps": 0.0}, ConfigurationError, "--fps must lie above 0"),
        ("webcam", {"fps": float("nan")}, ConfigurationError, "--fps must lie above 0"),
        ("rtsp://host/x", {"size": "1280x720"}, ConfigurationError, "are for cameras; rtsp://host/x"),
        ("none.mp4", {"fps": 30.0}, ConfigurationError, "are for cameras"),
    ],
)
def test_what_cannot_be_is_refused(text, more, error, words, devices):
    with pytest.raises(error, match=words):
        parse_input(text, **more)
