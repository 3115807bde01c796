"""The routes of the server over HTTP, and what they refuse."""

import asyncio
import json
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emocolor.effects import EFFECTS
from emocolor.emotions import EMOTIONS
from stream.live.server.app import options
from stream.live.server.error_responses import MAX_BODY_BYTES
from stream.live.server.settings import ServeSettings
from tests.stream.live.webrtc_clients import running, tinted

SDP = {"Content-Type": "application/sdp"}


def test_the_page_learns_what_can_be_chosen(ask):
    async def work(server):
        return await server.call("GET", "/api/options")

    status, _, options = ask(work, controls=tinted(0.25))
    assert status == 200
    assert options["emotions"] == list(EMOTIONS)
    assert options["palettes"]["s0"]["angry"] == "#ff0000"
    assert options["controls"] == tinted(0.25).as_message()
    assert [effect["name"] for effect in options["effects"]] == list(EFFECTS)
    assert options["recording"] is False
    assert options["ice_servers"] == []


def test_the_controls_at_the_start_are_those_of_the_settings():
    settings = ServeSettings()
    assert options(settings.controls)["controls"] == settings.controls.as_message()


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
            ("POST", "/whip", {"data": b"v" * (MAX_BODY_BYTES + 1), "headers": SDP}, 413),
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
        for method, path, arguments, expected in cases:
            status, head, body = await server.call(method, path, **arguments)
            assert (status, list(body)) == (expected, ["error"]), (path, body)
            assert head["Content-Type"].startswith("application/json")
            assert mark not in body["error"]
            assert "\n" not in body["error"]
        assert server.publications.by_id == {}

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
                status, _, response = await server.call(method, path + tail, **arguments)
                assert status < 500, response

    asyncio.run(go())
