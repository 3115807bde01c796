"""Which addresses of clients are used, and how many connectivity checks go out to them."""

import pytest

from stream.live.webrtc.remote_candidates import (
    CHECKS_EARNED,
    MAX_ADDRESSES,
    MAX_UNPROVED,
    MAX_UNPROVED_PER_ADDRESS,
    UNPROVED_BURST,
    UNPROVED_PER_S,
    CheckBudget,
    RemoteCandidates,
    kind_of,
)

OWN = {"127.0.0.1": "loopback", "::1": "loopback", "192.168.1.7": "private", "8.8.8.8": "public"}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        *OWN.items(),
        ("::ffff:10.0.0.1", "private"),
        ("169.254.1.1", "private"),
        ("fe80::1", "private"),
        ("fd00::1", "private"),
        ("100.64.1.1", "private"),
        ("2600::1", "public"),
        ("224.0.0.1", "special"),
        ("255.255.255.255", "special"),
        ("0.0.0.0", "special"),
        ("::", "special"),
        ("ff02::1", "special"),
        ("example.org", None),
        ("", None),
    ],
)
def test_kinds_of_addresses(address, kind):
    assert kind_of(address) == kind


@pytest.mark.parametrize(
    ("client", "used"),
    [
        ("127.0.0.1", {"127.0.0.1", "::1", "192.168.1.7"}),
        ("192.168.1.9", {"192.168.1.7"}),
        ("9.9.9.9", {"8.8.8.8"}),
        ("", set(OWN)),
    ],
)
def test_only_addresses_of_the_clients_own_kind_are_used(client, used):
    candidates = RemoteCandidates(client)
    assert {address for address in OWN if candidates.accept(address, 5000)} == used
    assert candidates.refused == len(OWN) - len(used)


def test_other_rules_are_stricter_or_wider():
    own = RemoteCandidates("192.168.1.7", rule="same-address")
    assert [own.accept(address, 5000) for address in OWN] == [False, False, True, False]
    wide = RemoteCandidates("192.168.1.7", rule="any")
    assert all(wide.accept(address, 5000) for address in OWN)
    assert not wide.accept("224.0.0.1", 5000)


def test_the_number_of_addresses_is_limited_and_repetitions_do_not_count():
    candidates = RemoteCandidates(limit=3)
    ports = [5000, 5001, 5000, 5002, 5003, 5001]
    assert [candidates.accept("192.168.1.7", port) for port in ports] == [True, True, True, True, False, True]


VICTIM = ("192.0.2.1", 53)


def test_silent_addresses_get_few_checks_at_a_bounded_rate():
    budget = CheckBudget()
    sent = sum(budget.take((f"192.0.2.{k % 200}", 53), k / 1000) for k in range(10_000))
    assert sent == MAX_UNPROVED
    burst = sum(CheckBudget().take(VICTIM, 0.0) for _ in range(3))
    assert burst == 3
    budget, times = CheckBudget(), [k / 100 for k in range(300)]
    sent_at = [now for k, now in enumerate(times) if budget.take((f"192.0.2.{k % 200}", 53), now)]
    in_a_second = [now for now in sent_at if now < 1]
    assert len(in_a_second) <= UNPROVED_BURST + UNPROVED_PER_S


def test_one_address_gets_few_checks():
    budget = CheckBudget()
    assert sum(budget.take(VICTIM, float(k)) for k in range(100)) == MAX_UNPROVED_PER_ADDRESS


def test_what_comes_from_an_address_earns_it_little_more():
    """Sources of packets can be forged, even by who knows the password."""
    budget = CheckBudget()
    while budget.take(VICTIM, 0.0):
        pass
    for _ in range(50):
        assert budget.receive(VICTIM)
        assert sum(budget.take(VICTIM, 0.0) for _ in range(10)) == CHECKS_EARNED


def test_an_address_that_has_responded_is_checked_without_limit():
    budget = CheckBudget()
    budget.prove(VICTIM)
    assert all(budget.take(VICTIM, 0.0) for _ in range(1000))


def test_checks_come_from_a_bounded_number_of_addresses():
    budget = CheckBudget()
    taken = [budget.receive(("192.0.2.1", port)) for port in range(1000)]
    assert taken.count(True) == MAX_ADDRESSES
    budget.prove(("192.0.2.1", 999))
    assert budget.receive(("192.0.2.1", 999))
