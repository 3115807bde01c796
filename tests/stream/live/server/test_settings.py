"""The settings of a server, and what it refuses to start with."""

import re

import pytest

from emocolor.errors import ConfigurationError, SinkError
from stream.live.server.settings import ServeSettings, new_token
from stream.settings import LiveOptions, ServerOptions
from tests.stream.live.certificates import write_certificate

TOKEN = "a-token-of-enough-letters"


def test_by_default_only_this_machine_has_access():
    settings = ServeSettings()
    assert settings.is_loopback
    assert settings.access().token is None
    assert settings.access().hosts == {"localhost", "127.0.0.1", "::1"}
    assert settings.ice_servers() == ()
    assert settings.tls() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host):
    assert ServeSettings(server=ServerOptions(host=host)).is_loopback


def test_with_a_token_any_host_name_may_be_used():
    settings = ServeSettings(server=ServerOptions(host="0.0.0.0"), token=TOKEN)
    assert not settings.is_loopback
    assert (settings.access().token, settings.access().hosts) == (TOKEN, None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"server": ServerOptions(host="0.0.0.0")}, "The host 0.0.0.0 lets other machines in.*'auto'"),
        ({"server": ServerOptions(host="::")}, "clients need a token"),
        ({"server": ServerOptions(host="example.org")}, "clients need a token"),
        ({"token": "short"}, "at least 16"),
        ({"token": "letters and a space in it"}, "letters, digits"),
        ({"token": "ümlaut-ümlaut-ümlaut"}, "letters, digits"),
        ({"certificate": "a.pem"}, "A certificate and its key belong together"),
        ({"key": "a.pem"}, "A certificate and its key belong together"),
        ({"origins": ("example.org",)}, "'example.org' is no origin"),
        ({"origins": ("https://example.org/",)}, "without a path"),
        ({"origins": ("ftp://example.org",)}, "no origin"),
        ({"stun": ("stun.example.org",)}, "stun:HOST:3478"),
        ({"stun": ("turn:example.org",)}, "stun:HOST:3478"),
        ({"turn": "stun:example.org"}, "turn:HOST:3478"),
        ({"turn": "turn:example.org:3478"}, "a user and a password"),
    ],
)
def test_bad_settings_are_refused_before_anything_opens(values, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        ServeSettings(**values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("group", "values", "words"),
    [
        (ServerOptions, {"port": 70000}, "server port must be a whole number between 0 and 65535, got 70000"),
        (ServerOptions, {"max_sessions": 0}, "server max_sessions must be a whole number between 1 and 1000, got 0"),
        (ServerOptions, {"max_viewers": -1}, "server max_viewers must be a whole number between 0 and 1000, got -1"),
        (LiveOptions, {"latency_ms": 0}, "live latency_ms must be a number between 10 and 5000, got 0"),
    ],
)
def test_options_have_their_bounds(group, values, words):
    with pytest.raises(ConfigurationError, match=words):
        group(**values)


def test_a_folder_for_recordings_must_be_there(tmp_path):
    with pytest.raises(SinkError, match="does not exist"):
        ServeSettings(recordings=tmp_path / "none")
    assert ServeSettings(recordings=tmp_path).recordings == tmp_path


def test_ice_servers_are_those_of_the_settings():
    settings = ServeSettings(
        stun=("stun:stun.example.org:3478",),
        turn="turn:turn.example.org:3478?transport=tcp",
        turn_login=("me", "secret"),
    )
    stun, turn = settings.ice_servers()
    assert stun.urls == "stun:stun.example.org:3478"
    assert (turn.username, turn.credential) == ("me", "secret")
    assert "secret" not in repr(settings)


def test_a_certificate_must_fit_its_key(tmp_path):
    certificate, key = write_certificate(tmp_path)
    assert ServeSettings(certificate=certificate, key=key).tls() is not None
    other = tmp_path / "other"
    other.mkdir()
    _, wrong = write_certificate(other)
    (tmp_path / "text.pem").write_text("no certificate")
    for pair in [(certificate, wrong), (key, certificate), (tmp_path / "text.pem", key), (tmp_path / "none.pem", key)]:
        with pytest.raises(ConfigurationError, match=re.escape(str(pair[0]))) as caught:
            ServeSettings(certificate=pair[0], key=pair[1]).tls()
        assert "\n" not in str(caught.value)


def test_generated_tokens_are_valid_and_different():
    one, two = new_token(), new_token()
    assert one != two
    assert ServeSettings(token=one).token == one
    assert len(one) >= 32
    assert len({one, two, ServeSettings(token="auto").token, ServeSettings(token="auto").token}) == 4
