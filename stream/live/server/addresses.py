"""Addresses of clients: which one a request comes from, also behind proxies, and which ones count as one client."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final

from emocolor.errors import ConfigurationError

UNKNOWN: Final = "unknown"
_WITH_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([0-9.]+))(?::[0-9]+)?")
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> IPAddress | None:
    """The address, with or without a port; IPv4 addresses in IPv6 form are IPv4. ``None`` where it is none."""
    parts = _WITH_PORT.fullmatch(text.strip())
    host = (parts[1] or parts[2]) if parts else text.strip()
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_key(address: str) -> str:
    """What limits apply to: the address; for IPv6 its /64 network, since a client can use all addresses of that."""
    parsed = parse_address(address)
    if parsed is None:
        return UNKNOWN
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


class TrustedProxies:
    """The reverse proxies whose word about the client's address counts."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Addresses such as ``127.0.0.1``, or networks such as ``10.0.0.0/8``. Raises ``ConfigurationError``."""
        self._networks = [_network(text) for text in networks]

    def __contains__(self, address: str) -> bool:
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def client_of(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """The address of the client behind ``peer``, which made the connection.

        ``forwarded_for`` are the values of the header ``X-Forwarded-For``. They are read from their end, as long as
        who wrote them is trusted: what stands before that may be the client's invention.
        """
        hops = [hop for value in forwarded_for for hop in value.split(",")]
        client = peer
        while client in self and hops:
            hop = parse_address(hops.pop())
            if hop is None:
                break
            client = str(hop)
        return client


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigurationError(
            f"'{text}' is no address of a proxy; write it as 127.0.0.1, or as a network such as 10.0.0.0/8."
        ) from None
