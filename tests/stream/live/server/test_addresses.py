"""Which address a request counts for."""

import pytest

from emocolor.errors import ConfigurationError
from stream.live.server.addresses import TrustedProxies, client_key, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:1234 ", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses_are_read_as_proxies_write_them(text, address):
    assert str(parse_address(text)) == address


@pytest.mark.parametrize("text", ["", "unknown", "_hidden", "1.2.3", "[::1", "1.2.3.4.5", "a:b"])
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None
    assert client_key(text) == "unknown"


def test_a_network_of_ipv6_counts_as_one_client():
    assert client_key("2001:db8::1") == client_key("2001:db8::ffff") == "2001:db8::/64"
    assert client_key("192.0.2.1") == "192.0.2.1" != client_key("192.0.2.2")


def test_only_trusted_proxies_say_who_asks():
    proxies = TrustedProxies(["127.0.0.1", "10.0.0.0/8"])
    for peer, header, client in [
        ("127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["6.6.6.6, 192.0.2.7, 10.1.1.1"], "192.0.2.7"),
        ("127.0.0.1", ["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6, unknown, 10.1.1.1"], "10.1.1.1"),
        ("192.0.2.9", ["6.6.6.6"], "192.0.2.9"),
        ("unknown", ["6.6.6.6"], "unknown"),
    ]:
        assert proxies.client_of(peer, header) == client, header
    assert TrustedProxies().client_of("127.0.0.1", ["6.6.6.6"]) == "127.0.0.1"


def test_what_is_no_network_is_refused():
    with pytest.raises(ConfigurationError, match=r"'proxy.example' is no address of a proxy"):
        TrustedProxies(["proxy.example"])
