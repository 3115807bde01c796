"""The server over HTTP: what it tells, what it refuses, and what browsers are told to beware of."""

import asyncio
import contextlib
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from emocolor.emotions import EMOTIONS
from stream.live.controls import Controls
from stream.live.rate_limits import TokenBuckets
from stream.live.server.access import Access
from stream.live.server.requests import LARGEST
from tests.stream.live.webrtc_clients import running, unlimited

TOKEN = "a-token-of-enough-letters"
SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
def ask(running_classifier):
    """Runs questions against a server of its own: ``ask(work, access=...)`` with ``async def work(server)``."""

    def run(work, **options):
        async def go():
            async with running(running_classifier, **options) as server:
                return await asyncio.wait_for(work(server), 60)

        return asyncio.run(go())

    return run


def access(**rules):
    return Access(requests=unlimited(), offers=unlimited(), wrong_tokens=unlimited(), **rules)


def test_the_page_learns_what_can_be_chosen(ask):
    async def work(server):
        return await server.call("GET", "/api/options")

    status, _, options = ask(work, controls=Controls(alpha=0.25))
    assert status == 200
    assert options["emotions"] == list(EMOTIONS)
    assert options["palettes"]["s0"]["angry"] == "#ff0000"
    assert options["controls"] == Controls(alpha=0.25).as_message()
    assert {"effects", "regions", "bases", "styles", "recording", "ice_servers"} < set(options)
    assert options["recording"] is False


def test_the_page_and_its_files_are_there_and_nothing_else(ask):
    async def work(server):
        found = [await server.call("GET", "/")]
        names = re.findall(r'(?:href|src)="(static/[^"]+)"', found[0][2].decode())
        found += [await server.call("GET", f"/{name}") for name in names]
        assert len(names) >= 3
        assert all(status == 200 and body for status, _, body in found), names
        assert {head["Content-Type"] for _, head, _ in found} == {
            f"{kind}; charset=utf-8" for kind in ("text/html", "image/svg+xml", "text/css", "text/javascript")
        }
        for path in (
            "/static/..%2fserver.py",
            "/static/..%2fpage%2findex.html",
            "/static/%2e%2e/server.py",
            "/static/../server.py",
            "/static/..",
            "/static/.hidden",
            "/static/%00.js",
            "/static/none.js",
            "/static//etc/passwd",
            "/static/",
            "/stream/live/server/app.py",
        ):
            status, _, body = await server.call("GET", path)
            assert (status, body) == (404, {"error": "There is nothing at this address."}), path

    ask(work)


def test_every_answer_carries_the_security_headers(ask):
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


def test_errors_are_json_and_reflect_nothing(ask):
    mark = "zq1zq"

    async def work(server):
        cases = [
            ("GET", f"/{mark}", {}, 404),
            ("DELETE", f"/api/sessions/{mark}", {}, 404),
            ("DELETE", f"/whip/{mark}", {}, 404),
            ("PATCH", f"/whip/{mark}", {"headers": {"If-Match": mark}}, 404),
            ("POST", f"/whep/{mark}", {"data": mark, "headers": SDP}, 404),
            ("DELETE", "/api/offer", {}, 405),
            ("POST", "/whip", {"data": mark}, 415),
            ("POST", "/whip", {"data": mark, "headers": SDP}, 400),
            ("POST", "/whip", {"data": b"v=0\xff", "headers": SDP}, 400),
            ("POST", "/whip", {"data": b"v" * (LARGEST + 1), "headers": SDP}, 413),
            ("POST", "/whip?record=1", {"data": b"v=0", "headers": SDP}, 422),
            ("POST", "/api/offer", {"data": mark}, 415),
            ("POST", "/api/offer", {"data": mark, "headers": {"Content-Type": "application/json"}}, 400),
            ("POST", "/api/offer", {"json": [mark]}, 400),
            ("POST", "/api/offer", {"json": {"type": "offer"}}, 400),
            ("POST", "/api/offer", {"json": {"type": mark, "sdp": mark}}, 400),
            ("POST", "/api/offer", {"json": {"type": "offer", "sdp": mark}}, 400),
            ("POST", "/api/offer", {"json": {"type": "offer", "sdp": mark, "record": 1}}, 400),
            ("POST", "/api/offer", {"json": {"type": "offer", "sdp": mark, "record": True}}, 403),
        ]
        for method, path, arguments, wanted in cases:
            status, head, body = await server.call(method, path, **arguments)
            assert (status, list(body)) == (wanted, ["error"]), (path, body)
            assert head["Content-Type"].startswith("application/json")
            assert mark not in body["error"]
            assert "\n" not in body["error"]
        assert server.sessions.publications == {}

    ask(work)


def test_a_token_guards_all_but_the_page_and_the_sign_of_life(ask):
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
    async def work(server):
        wrong = {"Authorization": "Bearer wrong"}
        codes = [(await server.call("GET", "/api/options", headers=wrong))[0] for _ in range(4)]
        assert codes == [401, 401, 429, 429]
        status, head, body = await server.call("GET", "/api/options", headers=wrong)
        assert (status, head["Retry-After"]) == (429, "1000")
        assert "Too many wrong tokens" in body["error"]

    slow = TokenBuckets(per_second=0.001, burst=2)
    ask(work, access=Access(token=TOKEN, wrong_tokens=slow))


def test_requests_and_offers_have_limits(ask):
    async def work(server):
        codes = [(await server.call("POST", "/whip", data=b"x", headers=SDP))[0] for _ in range(5)]
        assert codes == [400, 400, 429, 429, 429]
        codes = [(await server.call("GET", "/healthz"))[0] for _ in range(6)]
        assert codes == [200] * 5 + [429]

    ask(
        work,
        access=Access(
            requests=TokenBuckets(per_second=0.001, burst=10), offers=TokenBuckets(per_second=0.001, burst=2)
        ),
    )


def test_other_sites_are_kept_out(ask):
    """By their origin, and by the name under which they reach this machine."""

    async def work(server):
        own = server.url.removeprefix("http://")
        for headers, wanted in [
            ({"Origin": server.url}, 200),
            ({"Origin": "https://friend.example"}, 200),
            ({"Origin": "https://foe.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": ""}, 403),
            ({"Host": "foe.example", "Origin": "http://foe.example"}, 403),
            ({"Host": own.replace("127.0.0.1", "localhost")}, 200),
        ]:
            status, head, _ = await server.call("GET", "/api/options", headers=headers)
            assert status == wanted, headers
            friend = headers.get("Origin") == "https://friend.example"
            assert head.get("Access-Control-Allow-Origin") == ("https://friend.example" if friend else None)

    rules = access(hosts=frozenset({"localhost", "127.0.0.1"}), origins=frozenset({"https://friend.example"}))
    ask(work, access=rules)


def test_preflight_of_an_allowed_origin_needs_no_token(ask):
    async def work(server):
        for origin, wanted in [("https://friend.example", 200), ("https://foe.example", 403)]:
            status, head, _ = await server.call("OPTIONS", "/whip", headers={"Origin": origin})
            assert status == wanted
            if wanted == 200:
                assert "If-Match" in head["Access-Control-Allow-Headers"]
                assert "Location" in head["Access-Control-Expose-Headers"]

    ask(work, access=access(token=TOKEN, origins=frozenset({"https://friend.example"})))


def test_a_body_that_does_not_come_is_not_waited_for(ask, monkeypatch):
    monkeypatch.setattr("stream.live.server.requests.BODY_S", 0.2)

    async def work(server):
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /whip HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/sdp\r\nContent-Length: 9\r\n\r\nv=0"
        writer.write(head.encode())
        answer = await reader.read(4096)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 408")

    ask(work)


METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "OPTIONS", "PUT", "HEAD"])
PATHS = st.sampled_from(["/whip", "/whip/x", "/whep/x", "/whep/x/y", "/api/offer", "/api/sessions/x", "/static/x"])
TAILS = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#%"), max_size=6)
KINDS = st.sampled_from(["application/sdp", "application/json", "application/trickle-ice-sdpfrag", "x/y; charset=z"])
BODIES = st.binary(max_size=60) | st.recursive(st.integers() | st.text(), st.lists).map(
    lambda v: json.dumps(v).encode()
)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(METHODS, PATHS, TAILS, KINDS, BODIES), min_size=10, max_size=20))
def test_no_request_is_an_internal_error(running_classifier, requests):
    async def go():
        async with running(running_classifier) as server:
            for method, path, tail, kind, body in requests:
                arguments = {"data": body, "headers": {"Content-Type": kind, "If-Match": "x"}}
                status, _, answer = await server.call(method, path + tail, **arguments)
                assert status < 500, answer

    asyncio.run(go())


def test_metrics_are_what_prometheus_reads(ask):
    async def work(server):
        status, head, body = await server.call("GET", "/metrics")
        assert (status, head["Content-Type"].split(";")[0]) == (200, "text/plain")
        return {family.name: family for family in text_string_to_metric_families(body.decode())}

    families = ask(work, most=3)
    assert families["emocolor_sessions_limit"].samples[0].value == 3
    assert families["emocolor_latency_seconds"].type == "histogram"
    assert families["emocolor_frames"].type == "counter"
    assert families["process_resident_memory_bytes"].samples[0].value > 1e7
