"""Who may use the server: hosts, origins, tokens, rate limits; and the headers that protect browsers."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.live.rate_limits import TokenBuckets
from stream.live.server.access import Access, check_recording
from stream.live.server.addresses import TrustedProxies
from stream.live.server.error_responses import HttpError
from tests.stream.live.manual_clock import ManualClock
from tests.stream.live.webrtc_clients import running, unlimited

TOKEN = "a-token-of-enough-letters"
SDP = {"Content-Type": "application/sdp"}
ALLOWED, OTHER = "https://allowed.example", "https://other.example"


def access(**rules):
    return Access(**({"requests": unlimited(), "offers": unlimited(), "wrong_tokens": unlimited()} | rules))


def test_every_response_carries_the_security_headers(ask):
    async def work(server):
        for method, path in [("GET", "/"), ("GET", "/api/options"), ("GET", "/nowhere"), ("PUT", "/whip")]:
            _, head, _ = await server.call(method, path)
            policy = dict(part.split(" ", 1) for part in head["Content-Security-Policy"].split("; "))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
            assert head["X-Content-Type-Options"] == "nosniff"
            assert head["Referrer-Policy"] == "no-referrer"
            assert head["Server"] == "emocolor-stream"

    ask(work)


def test_a_token_guards_all_but_the_page_and_the_health_check(ask):
    async def work(server):
        good = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("/", "/static/app.js", "/healthz"):
            assert (await server.call("GET", path))[0] == 200
        for method, path in [
            ("GET", "/api/options"),
            ("GET", "/api/sessions"),
            ("GET", "/metrics"),
            ("GET", "/nowhere"),
            ("POST", "/whip"),
            ("POST", "/whep/x"),
            ("POST", "/api/offer"),
            ("DELETE", "/whip/x"),
        ]:
            for wrong in (
                {},
                {"Authorization": TOKEN},
                {"Authorization": f"Bearer {TOKEN[:-1]}"},
                {"Authorization": f"Basic {TOKEN}"},
            ):
                status, head, body = await server.call(method, path, headers=wrong)
                assert (status, head["WWW-Authenticate"]) == (401, "Bearer"), path
                assert "Authorization: Bearer" in body["error"]
            assert (await server.call(method, path, headers=good))[0] not in (401, 403)
        assert (await server.call("GET", "/api/sessions", headers=good))[2] == {"sessions": []}

    ask(work, access=access(token=TOKEN))


def test_guessing_tokens_is_slowed_down(ask):
    clock = ManualClock()

    async def work(server):
        wrong = {"Authorization": "Bearer wrong"}
        codes = [(await server.call("GET", "/api/options", headers=wrong))[0] for _ in range(4)]
        assert codes == [401, 401, 429, 429]
        status, head, body = await server.call("GET", "/api/options", headers=wrong)
        assert (status, head["Retry-After"]) == (429, "1000")
        assert "Too many wrong tokens" in body["error"]
        clock.advance(1000)
        assert (await server.call("GET", "/api/options", headers=wrong))[0] == 401

    ask(work, access=access(token=TOKEN, wrong_tokens=TokenBuckets(per_second=0.001, burst=2), clock=clock))


def test_requests_and_offers_have_limits(ask):
    async def work(server):
        codes = [(await server.call("POST", "/whip", data=b"x", headers=SDP))[0] for _ in range(5)]
        assert codes == [400, 400, 429, 429, 429]
        codes = [(await server.call("GET", "/healthz"))[0] for _ in range(6)]
        assert codes == [200] * 5 + [429]

    requests, offers = TokenBuckets(per_second=1, burst=10), TokenBuckets(per_second=1, burst=2)
    ask(work, access=access(requests=requests, offers=offers, clock=ManualClock()))


def test_other_sites_are_kept_out(ask):
    """By their origin, and by the host name with which they reach this machine."""

    async def work(server):
        own = server.url.removeprefix("http://")
        for headers, expected in [
            ({"Origin": server.url}, 200),
            ({"Origin": ALLOWED}, 200),
            ({"Origin": OTHER}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": ""}, 403),
            ({"Host": "other.example", "Origin": "http://other.example"}, 403),
            ({"Host": own.replace("127.0.0.1", "localhost")}, 200),
        ]:
            status, head, _ = await server.call("GET", "/api/options", headers=headers)
            assert status == expected, headers
            allowed = ALLOWED if headers.get("Origin") == ALLOWED else None
            assert head.get("Access-Control-Allow-Origin") == allowed

    ask(work, access=access(hosts=frozenset({"localhost", "127.0.0.1"}), origins=frozenset({ALLOWED})))


def test_the_preflight_of_an_allowed_origin_needs_no_token(ask):
    async def work(server):
        for origin, expected in [(ALLOWED, 200), (OTHER, 403)]:
            status, head, _ = await server.call("OPTIONS", "/whip", headers={"Origin": origin})
            assert status == expected
            if expected == 200:
                assert "If-Match" in head["Access-Control-Allow-Headers"]
                assert "Location" in head["Access-Control-Expose-Headers"]

    ask(work, access=access(token=TOKEN, origins=frozenset({ALLOWED})))


def test_recording_must_be_allowed_where_it_is_wanted():
    check_recording(False, allowed=False)
    check_recording(True, allowed=True)
    with pytest.raises(HttpError, match="does not record") as caught:
        check_recording(True, allowed=False)
    assert caught.value.status == 403


def test_the_right_token_is_not_locked_out_by_wrong_ones_from_its_address(ask):
    async def work(server):
        wrong, right = {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN}"}
        codes = [(await server.call("GET", "/api/options", headers=wrong))[0] for _ in range(8)]
        assert codes == [401, 401, 429, 429, 429, 429, 429, 429]
        for _ in range(4):
            assert (await server.call("GET", "/api/options", headers=right))[0] == 200
        assert (await server.call("GET", "/api/options", headers=wrong))[0] == 429
        assert (await server.call("GET", "/api/options", headers=right))[0] == 200

    rules = {"wrong_tokens": TokenBuckets(per_second=0.001, burst=2), "requests": TokenBuckets(per_second=1, burst=8)}
    ask(work, access=access(token=TOKEN, clock=ManualClock(), **rules))


def test_limits_apply_to_the_client_behind_a_trusted_proxy(ask):
    async def codes(server, *clients):
        found = []
        for client in clients:
            status, _, _ = await server.call("GET", "/healthz", headers={"X-Forwarded-For": client})
            found.append(status)
        return found

    async def trusting(server):
        assert await codes(server, "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2") == [200, 200, 429, 200]

    async def not_trusting(server):
        assert await codes(server, "192.0.2.1", "192.0.2.2", "192.0.2.3") == [200, 200, 429]

    for work, proxies in [(trusting, TrustedProxies(["127.0.0.1"])), (not_trusting, TrustedProxies())]:
        requests = TokenBuckets(per_second=1, burst=2)
        ask(work, access=access(requests=requests, proxies=proxies, clock=ManualClock()))


HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
NEARLY = st.sampled_from(["localhost:99999", "[::1", "http://[", "http://localhost:x", "Bearer", "Bearer \xff", "null"])


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from(["Host", "Origin", "Authorization", "X-Forwarded-For"]), HEADER_TEXT | NEARLY),
        min_size=20,
        max_size=40,
    )
)
def test_no_header_is_an_internal_error(running_classifier, headers):
    async def go():
        rules = access(token=TOKEN, hosts=frozenset({"localhost", "127.0.0.1"}), proxies=TrustedProxies(["127.0.0.1"]))
        async with running(running_classifier, access=rules) as server:
            for name, value in headers:
                status, _, _ = await server.call("GET", "/api/options", headers={name: value})
                assert status in (200, 400, 401, 403), (name, value)

    asyncio.run(go())
