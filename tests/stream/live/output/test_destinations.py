"""Where a live video may go, and what is refused before anything is opened."""

import pytest

from emocolor.errors import ConfigurationError, SinkError
from stream.live.output.destinations import parse_output


def parsed(text, *, format_name=None, overwrite=False, source="in.mp4"):
    return parse_output(str(text), format_name=format_name, overwrite=overwrite, source=source)


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.mkv", "matroska"), ("a.mp4", "mp4"), ("a.mov", "mov"), ("a.ts", "mpegts"), ("a.flv", "flv")],
)
def test_files_are_written_under_their_own_name(name, format, tmp_path):
    place = parsed(tmp_path / name)
    assert (place.kind, place.name, place.format, place.stream_format) == ("file", str(tmp_path / name), format, format)
    assert list(tmp_path.iterdir()) == [], "nothing is made yet"


def test_network_outputs():
    place = parsed("rtmp://me:secret@host/app/key")
    assert (place.kind, place.format, place.shown) == ("network", "flv", "rtmp://me:***@host/app/***")
    assert parsed("udp://239.0.0.1:1234").format == "mpegts"
    rtsp = parsed("rtsp://host/name")
    assert (rtsp.format, rtsp.stream_format) == ("rtsp", "mpegts")


@pytest.mark.parametrize(
    "url", ["rtmp://host/app/secret", "RTMPS://host:443/app/secret?auth=1", "rtmp://host/app/a/secret"]
)
def test_stream_keys_are_not_shown(url):
    place = parsed(url)
    assert "secret" not in place.shown
    assert place.shown.endswith("/app/***")
    assert place.name == url


def test_standard_output_is_matroska_by_default():
    assert (parsed("-").kind, parsed("-").format) == ("pipe", "matroska")
    assert parsed("-", format_name="mp4").options["movflags"] == "frag_keyframe+empty_moov+default_base_moof"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("a.avi", ConfigurationError, r"would be avi, .* Use \.mkv, \.mp4"),
        ("a.png", ConfigurationError, "would be image2"),
        ("a.xyz", ConfigurationError, "belongs to no video format"),
        ("no/such/a.mkv", SinkError, "does not exist"),
        ("there.mkv", SinkError, "option output.overwrite"),
        ("srt://host:1", ConfigurationError, "'srt'"),
    ],
)
def test_what_cannot_be_is_refused(name, error, message, tmp_path):
    (tmp_path / "there.mkv").touch()
    with pytest.raises(error, match=message):
        parsed(name if ":" in name else tmp_path / name)


def test_rules_of_overwriting(tmp_path):
    there = tmp_path / "there.mkv"
    there.write_bytes(b"x")
    assert parsed(there, overwrite=True).name == str(there)
    assert there.read_bytes() == b"x"
    with pytest.raises(SinkError, match="the input itself"):
        parsed(there, overwrite=True, source=str(there))


def test_video_is_not_poured_into_a_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(SinkError, match="is a terminal"):
        parsed("-")
