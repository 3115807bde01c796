"""What a server may be started with."""

import re

import pytest

from emocolor.errors import ConfigurationError, SinkError
from stream.live.server.app import options
from stream.live.server.settings import ServeSettings, new_token
from stream.live.settings import LiveOptions, ServerOptions
from tests.stream.live.certificates import write_certificate

TOKEN = "a-token-of-enough-letters"


def test_alone_it_is_open_to_this_machine_only():
    settings = ServeSettings()
    assert settings.is_loopback
    assert settings.access().token is None
    assert settings.access().hosts == {"localhost", "127.0.0.1", "::1"}
    assert settings.ice_servers() == ()
    assert settings.tls() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host):
    assert ServeSettings(server=ServerOptions(host=host)).is_loopback


def test_with_a_token_any_name_may_be_used():
    settings = ServeSettings(server=ServerOptions(host="0.0.0.0"), token=TOKEN)
    assert not settings.is_loopback
    assert (settings.access().token, settings.access().hosts) == (TOKEN, None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"server": ServerOptions(host="0.0.0.0")}, "The host 0.0.0.0 lets others in.*--token auto"),
        ({"server": ServerOptions(host="::")}, "needs? a token|need a token"),
        ({"server": ServerOptions(host="example.org")}, "need a token"),
        ({"token": "short"}, "at least 16"),
        ({"token": "letters and a space in it"}, "letters, digits"),
        ({"token": "ümlaut-ümlaut-ümlaut"}, "letters, digits"),
        ({"certificate": "a.pem"}, "--cert and --key belong together"),
        ({"key": "a.pem"}, "--cert and --key belong together"),
        ({"origins": ("example.org",)}, "'example.org' is no origin"),
        ({"origins": ("https://example.org/",)}, "no path"),
        ({"origins": ("ftp://example.org",)}, "no origin"),
        ({"stun": ("stun.example.org",)}, "stun:HOST:3478"),
        ({"stun": ("turn:example.org",)}, "stun:HOST:3478"),
        ({"turn": "stun:example.org"}, "turn:HOST:3478"),
        ({"turn": "turn:example.org:3478"}, "--turn-login"),
    ],
)
def test_what_cannot_be_is_told_before_anything_opens(values, words):
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


def test_ice_servers_are_those_that_were_named():
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


def test_new_tokens_are_good_and_different():
    one, two = new_token(), new_token()
    assert one != two
    assert ServeSettings(token=one).token == one
    assert len(one) >= 32


def test_the_controls_of_the_command_are_those_of_a_session():
    settings = ServeSettings()
    assert options(settings.controls)["controls"]["alpha"] == settings.controls.alpha
