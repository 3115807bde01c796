"""WHIP (RFC 9725) and WHEP, by clients that follow them."""

import asyncio
import re

import numpy as np
import pytest
from aiortc import RTCRtpSender

from stream.live.server.access import Access
from tests.stream.live.webrtc_clients import (
    Beeps,
    Camera,
    Client,
    gray_planes,
    mean_luma,
    page_client,
    running,
    tinted,
    unlimited,
    until,
    whep_client,
    whip_client,
)

pytestmark = pytest.mark.timeout(120)
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


def run(work):
    return asyncio.run(asyncio.wait_for(work, 100))


def id_of(location):
    return location.removeprefix("/whip/")


def test_one_publishes_and_two_watch(running_classifier):
    async def go():
        async with (
            running(running_classifier, controls=tinted(0.0)) as server,
            whip_client(server, Camera([gray_planes(100)]), Beeps(period=1)) as publisher,
        ):
            assert re.fullmatch(r"/whip/[\w-]{22}", publisher.location)
            answer = publisher.connection.remoteDescription.sdp
            assert answer.count("a=recvonly") == 2, "the endpoint receives only (section 4.2)"
            assert "a=candidate:" in answer, "all of the server's candidates (section 4.3.2)"
            session = id_of(publisher.location)
            async with whep_client(server, session) as one, whep_client(server, session, audio=True) as two:
                assert two.connection.remoteDescription.sdp.count("a=sendonly") == 2
                for viewer in (one, two):
                    await viewer.video.wait_for_more(5)
                    assert mean_luma(viewer.video.latest) == pytest.approx(100, abs=4)
                await two.audio.wait_for_more(20)
                assert max(np.abs(s.astype(int)).max() for _, s in two.audio.frames) > 3000
                status, _, body = await server.call("DELETE", one.location)
                assert (status, body) == (200, b"")
                assert (await server.call("DELETE", one.location))[0] == 404
                await two.video.wait_for_more(5)
                assert (await server.call("DELETE", publisher.location))[0] == 200
                assert server.publications.by_id == {}
                assert (await server.call("DELETE", publisher.location))[0] == 404

    run(go())


@pytest.mark.parametrize("mime", ["video/VP8", "video/H264"])
def test_both_codecs_go_both_ways(running_classifier, mime):
    async def go():
        async with running(running_classifier, controls=tinted(0.0)) as server:
            client = Client()
            sender = client.connection.addTransceiver(Camera([gray_planes(100)]), direction="sendonly")
            known = RTCRtpSender.getCapabilities("video").codecs
            sender.setCodecPreferences([codec for codec in known if codec.mimeType == mime])
            status, head, answer = await server.call("POST", "/whip", data=await client.offer(), headers=SDP)
            assert status == 201
            assert mime.removeprefix("video/") in answer.decode()
            await client.accept(answer.decode())
            async with whep_client(server, head["Location"].removeprefix("whip/")) as viewer:
                await viewer.video.wait_for_more(5)
                assert mean_luma(viewer.video.latest) == pytest.approx(100, abs=4)
            await client.close()

    run(go())


def test_candidates_may_trickle_in(running_classifier):
    """An offer without candidates, then a PATCH with them. Nothing else can establish this connection: the client knows
    no address of the server."""

    async def go():
        async with running(running_classifier) as server:
            client = Client()
            client.connection.addTransceiver(Camera([gray_planes(100)]), direction="sendonly")
            offer = await client.offer()
            candidates = re.findall(r"^a=(?:candidate:.*|end-of-candidates)\r?$", offer, re.MULTILINE)
            bare = re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", offer)
            status, head, answer = await server.call("POST", "/whip", data=bare, headers=SDP)
            assert status == 201
            # The client learns no candidate of the server, so the server must send the first connectivity check.
            await client.accept(re.sub(r"a=candidate:.*\r\n|a=end-of-candidates\r\n", "", answer.decode()))
            ufrag, password = (re.search(rf"a=ice-{name}:(\S+)", offer)[1] for name in ("ufrag", "pwd"))
            fragment = "\r\n".join(
                [
                    f"a=ice-ufrag:{ufrag}",
                    f"a=ice-pwd:{password}",
                    "m=video 9 UDP/TLS/RTP/SAVPF 0",
                    "a=mid:0",
                    *candidates,
                ]
            )
            headers = FRAGMENT | {"If-Match": head["ETag"]}
            status, patched, body = await server.call("PATCH", f"/{head['Location']}", data=fragment, headers=headers)
            assert (status, body) == (204, b"")
            assert "ETag" not in patched
            await client.wait_connected()
            await client.close()

    run(go())


def test_patches_are_refused_with_the_statuses_of_the_rfc(running_classifier):
    async def go():
        async with running(running_classifier) as server, whip_client(server, Camera([gray_planes(100)])) as client:
            match = {"If-Match": client.etag}
            same = "a=end-of-candidates\r\n"
            for headers, body, expected in [
                (FRAGMENT, same, 428),
                (FRAGMENT | {"If-Match": '"other"'}, same, 412),
                (SDP | match, same, 415),
                (FRAGMENT | match, "hello", 400),
                (FRAGMENT | match, "a=candidate:1", 400),
                (FRAGMENT | {"If-Match": "*"}, "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n", 422),
                (FRAGMENT | match, "a=ice-ufrag:other\r\n", 422),
                (FRAGMENT | match, same, 204),
                (FRAGMENT | {"If-Match": f'"other", {client.etag}'}, same, 204),
            ]:
                status, _, response = await server.call("PATCH", client.location, data=body, headers=headers)
                assert status == expected, (headers, body)
                assert expected == 204 or "\n" not in response["error"]
            await client.wait_connected()

    run(go())


def test_a_viewer_that_offers_to_send_is_only_sent_to(running_classifier):
    async def go():
        async with (
            running(running_classifier) as server,
            whip_client(server, Camera([gray_planes(100)])) as publisher,
            whep_client(server, id_of(publisher.location), direction="sendrecv") as viewer,
        ):
            await viewer.video.wait_for_more(3)
            assert viewer.connection.remoteDescription.sdp.count("a=sendonly") == 1

    run(go())


def test_clients_authorize_with_the_token(running_classifier):
    async def go():
        token = "a-token-of-enough-letters"
        rules = Access(token=token, requests=unlimited(), offers=unlimited())
        async with running(running_classifier, access=rules) as server:
            with pytest.raises(AssertionError, match="A token is needed"):
                async with whip_client(server, Camera([gray_planes(100)])):
                    pass
            bearer = {"Authorization": f"Bearer {token}"}
            async with whip_client(server, Camera([gray_planes(100)]), headers=bearer) as publisher:
                await publisher.wait_connected()
                assert (await server.call("DELETE", publisher.location))[0] == 401
                assert (await server.call("DELETE", publisher.location, headers=bearer))[0] == 200

    run(go())


def test_a_recording_is_refused_where_there_is_no_folder_for_it(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            with pytest.raises(AssertionError, match="does not record"):
                async with whip_client(server, Camera([gray_planes(100)]), path="/whip?record=1"):
                    pass
            assert server.publications.by_id == {}

    run(go())


def test_other_methods_follow_the_rfc(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            posted, patched = {"Accept-Post": SDP["Content-Type"]}, {"Accept-Patch": FRAGMENT["Content-Type"]}
            for path, accepted in [
                ("/whip", posted),
                ("/whip/x", patched),
                ("/whep/x", posted),
                ("/whep/x/y", patched),
            ]:
                assert (await server.call("GET", path))[0] == 204
                status, head, _ = await server.call("OPTIONS", path)
                assert status == 200
                assert {name: head[name] for name in ("Accept-Post", "Accept-Patch") if name in head} == accepted
                status, head, _ = await server.call("PUT", path)
                assert status == 405
                assert "PUT" not in head["Allow"]

    run(go())


def test_viewers_have_a_limit_and_need_something_to_watch(running_classifier):
    async def go():
        async with running(running_classifier, max_viewers=1) as server:
            with pytest.raises(AssertionError, match="no such session"):
                async with whep_client(server, "nothing"):
                    pass
            async with whip_client(server, Camera([gray_planes(100)])) as publisher:
                session = id_of(publisher.location)
                async with whep_client(server, session) as viewer:
                    await viewer.video.wait_for_more(1)
                    with pytest.raises(AssertionError, match="1 of 1 viewers are in use"):
                        async with whep_client(server, session):
                            pass
                await until(lambda: not server.publications.viewers)

    run(go())


def test_stun_servers_are_announced(running_classifier):
    async def go():
        async with (
            running(running_classifier, stun_urls=("stun:stun.example.org:3478",)) as server,
            whip_client(server, Camera([gray_planes(100)])) as client,
        ):
            assert client.links == ['<stun:stun.example.org:3478>; rel="ice-server"']

    run(go())


def test_a_session_is_private_until_its_owner_shares_it(running_classifier):
    """Nobody else lists, watches, hears, changes or ends it; what is shared can be watched and no more."""

    async def go():
        async with (
            running(running_classifier) as server,
            whip_client(server, Camera([gray_planes(100)])) as publisher,
        ):
            secret, short = id_of(publisher.location), server.publication.short_id
            assert short not in secret
            assert (await server.call("GET", "/api/sessions"))[2] == {"sessions": []}
            for guess in (short, secret[:-1], secret[:-1] + "?", "studio", "", "*"):
                with pytest.raises(AssertionError, match=r"no such session|nothing at this address"):
                    async with whep_client(server, guess):
                        pass
                for method, path in [("DELETE", f"/whip/{guess}"), ("DELETE", f"/api/sessions/{guess}")]:
                    assert (await server.call(method, path))[0] in (404, 405)
            shared = f"/api/sessions/{secret}/share"
            key = (await server.call("POST", shared, json={}))[2]["key"]
            async with whep_client(server, key) as viewer:
                await viewer.video.wait_for_more(3)
                for path in (f"/whip/{key}", f"/api/sessions/{key}", f"/api/sessions/{key}/share"):
                    assert (await server.call("DELETE", path))[0] == 404, "who watches owns nothing"
                assert (await server.call("GET", f"/api/sessions/{key}"))[0] == 404
                _, _, shown = await server.call("GET", f"/api/sessions/{secret}")
                assert shown == {"kind": "whip", "viewers": 1, "shared_as": [key]}
                assert (await server.call("GET", "/api/sessions"))[2] == {"sessions": []}, "a link is not listed"
                assert (await server.call("DELETE", shared))[0] == 204
                await until(lambda: not server.publications.viewers)
            with pytest.raises(AssertionError, match="no such session"):
                async with whep_client(server, key):
                    pass

    run(go())


def test_a_named_stream_is_public_as_long_as_its_session_lasts(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            async with whip_client(server, Camera([gray_planes(100)]), path="/whip?public=studio") as publisher:
                listed = (await server.call("GET", "/api/sessions"))[2]["sessions"]
                assert listed == [{"name": "studio", "kind": "whip", "viewers": 0}]
                assert id_of(publisher.location) not in str(listed)
                async with whep_client(server, "studio") as viewer:
                    assert viewer.location.startswith("/whep/studio/")
                    await viewer.video.wait_for_more(3)
                    assert (await server.call("DELETE", "/whip/studio"))[0] == 404
                for wrong, words in [("studio", "Another session"), ("a/b", "letters"), ("", "letters")]:
                    with pytest.raises(AssertionError, match=words):
                        async with whip_client(server, Camera([gray_planes(100)]), path=f"/whip?public={wrong}"):
                            pass
                assert len(server.publications.by_id) == 1
                assert (await server.call("DELETE", publisher.location))[0] == 200
            assert (await server.call("GET", "/api/sessions"))[2] == {"sessions": []}
            assert (await server.call("POST", "/whep/studio", data="x", headers=SDP))[0] == 404

    run(go())


def test_the_owner_of_a_page_session_shares_it_and_is_told_who_watches(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            secret = "a-secret-that-the-page-made-up-itself"
            async with page_client(server, Camera([gray_planes(100)])) as page:
                await page.wait_message(lambda m: m["type"] == "state" and m["viewers"] == 0)
                path = f"/api/sessions/{page.session}/share"
                key = (await server.call("POST", path, json={"secret": secret}))[2]["key"]
                async with whep_client(server, key) as viewer:
                    await viewer.video.wait_for_more(3)
                    await page.wait_message(lambda m: m["type"] == "state" and m["viewers"] == 1)
                for body, status in [
                    ({"secret": 1}, 400),
                    ({"public": "a", "secret": secret}, 400),
                    ({"public": "a b"}, 400),
                    ([], 400),
                ]:
                    assert (await server.call("POST", path, json=body))[0] == status
            async with page_client(server, Camera([gray_planes(100)])) as again:
                path = f"/api/sessions/{again.session}/share"
                assert (await server.call("POST", path, json={"secret": secret}))[2]["key"] == key
                async with whep_client(server, key) as viewer:
                    await viewer.video.wait_for_more(3)

    run(go())


@pytest.mark.parametrize("media_type", ["application/sdp", "application/sdp; charset=utf-8", "Application/SDP"])
def test_the_type_of_an_offer_may_have_parameters(running_classifier, media_type):
    async def go():
        async with running(running_classifier) as server:
            client = Client()
            client.connection.addTransceiver(Camera([gray_planes(100)]), direction="sendonly")
            headers = {"Content-Type": media_type}
            status, head, _ = await server.call("POST", "/whip", data=await client.offer(), headers=headers)
            assert (status, head["Content-Type"]) == (201, "application/sdp")
            assert re.fullmatch(r"whip/[\w-]{22}", head["Location"]), "relative: a proxy may have put a path before it"
            await client.close()

    run(go())
