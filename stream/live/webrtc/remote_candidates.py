"""Where connectivity checks go to: which of the addresses that a client names, and how many packets.

The server would send STUN packets to any address that an offer names, and so could be made to probe the network that
it stands in, or to flood others. It need not: where the server can be reached, the client's own checks come in, and
their source is checked in turn (RFC 8445, section 7.3.1.4).
"""

import ipaddress
from collections import Counter
from typing import Final, Literal

from ..rate_limits import TokenBucket

CandidateRule = Literal["same-kind", "same-address", "any"]
AddressKind = Literal["loopback", "private", "public", "special"]

MAX_UNPROVED: Final = 64
"""Checks of one connection that go to addresses from which nothing has come."""
MAX_UNPROVED_PER_ADDRESS: Final = 12
UNPROVED_PER_S: Final = 20
UNPROVED_BURST: Final = 32
CHECKS_EARNED: Final = 2
"""Checks to an address for each authenticated one that came from there: its source may be forged, so that little more
goes out than came in."""
MAX_EARNED: Final = 8
MAX_ADDRESSES: Final = 64
"""From which checks are taken."""

SHARED_SPACE: Final = ipaddress.ip_network("100.64.0.0/10")
"""Of carriers' NAT (RFC 6598)."""
_KINDS_OF_CLIENT: Final[dict[str, tuple[AddressKind, ...]]] = {
    "loopback": ("loopback", "private"),
    "private": ("private",),
    "public": ("public",),
}


def kind_of(address: str) -> AddressKind | None:
    """The kind of an address; multicast, broadcast and the like are special. ``None`` for what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if parsed.is_loopback:
        return "loopback"
    if parsed.is_multicast or parsed.is_unspecified or (parsed.version == 4 and parsed.is_reserved):
        return "special"
    shared = parsed.version == 4 and parsed in SHARED_SPACE
    return "private" if parsed.is_private or parsed.is_link_local or shared else "public"


class RemoteCandidates:
    """Decides which candidates of one client are used; remembers how many were."""

    def __init__(self, client: str = "", *, rule: CandidateRule = "same-kind", limit: int = 32) -> None:
        """``client`` is the address that the offer came from; where it is not known, any kind will do.

        ``rule`` allows addresses of the client's own kind (on this machine, on this network, or elsewhere), that
        address alone, or any. ``limit`` is their number.
        """
        self._client = client
        self._rule = rule
        self._limit = limit
        self._used: set[tuple[str, int]] = set()
        self.refused = 0
        """Candidates that are not used."""

    def accept(self, address: str, port: int) -> bool:
        """Whether to use a candidate; it counts from then on."""
        if (address, port) in self._used:
            return True
        if not self._allows(address) or len(self._used) >= self._limit:
            self.refused += 1
            return False
        self._used.add((address, port))
        return True

    def _allows(self, address: str) -> bool:
        kind, own = kind_of(address), kind_of(self._client)
        if kind is None or kind == "special":
            return False
        if self._rule == "any" or own is None:
            return True
        if self._rule == "same-address":
            return ipaddress.ip_address(address) == ipaddress.ip_address(self._client)
        return kind in _KINDS_OF_CLIENT.get(own, ())


class CheckBudget:
    """How many connectivity checks one connection may send to addresses that have not responded yet.

    Times are passed in, in seconds.
    """

    def __init__(self) -> None:
        self._bucket = TokenBucket(per_second=UNPROVED_PER_S, burst=UNPROVED_BURST)
        self._proved: set[tuple[str, int]] = set()
        self._earned: Counter[tuple[str, int]] = Counter()
        self._sent: Counter[tuple[str, int]] = Counter()

    def prove(self, address: tuple[str, int]) -> None:
        """An authenticated response came from there: the client is there."""
        self._proved.add(address)

    def receive(self, address: tuple[str, int]) -> bool:
        """An authenticated check came from there: whether to take it."""
        if address not in self._earned and len(self._earned) >= MAX_ADDRESSES:
            return address in self._proved
        self._earned[address] = min(MAX_EARNED, self._earned[address] + CHECKS_EARNED)
        return True

    def take(self, address: tuple[str, int], now: float) -> bool:
        """Whether a check may go there now; it counts then."""
        if address in self._proved:
            return True
        if self._earned[address] > 0:
            self._earned[address] -= 1
            return True
        full = self._sent.total() >= MAX_UNPROVED or self._sent[address] >= MAX_UNPROVED_PER_ADDRESS
        if full or not self._bucket.take(now):
            return False
        self._sent[address] += 1
        return True
