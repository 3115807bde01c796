"""WHIP to publish (RFC 9725) and WHEP to watch (draft-ietf-wish-whep), for OBS, browsers and other clients.

    POST   /whip                            an offer: 201, the answer, the session's address in Location;
                                            ?record=1 records, ?public=NAME lets all clients watch under that name
    POST   /whep/KEY                        the same for a viewer
    PATCH  /whip/SECRET, /whep/KEY/VIEWER   trickle ICE: 204
    DELETE /whip/SECRET, /whep/KEY/VIEWER   the end: 200

SECRET and VIEWER cannot be guessed: whoever knows the address that came with the answer owns the session, or that
viewer's connection. KEY is a public name, a key that the owner has shared (see ``app``), or the owner's secret.
Addresses in Location are relative to that of the request, since a proxy may have put something before it.

aiortc cannot restart ICE, so a PATCH that asks for it gets 422 (RFC 9725, section 4.3). GET gets 204, as these
resources have no representation (section 4.1).
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from emocolor.errors import NotFoundError

from ..webrtc.offers import Offer, Purpose, read_fragment, read_offer
from ..webrtc.peer import Peer
from ..webrtc.publication import PURPOSES
from ..webrtc.publications import Publications
from ..webrtc.viewers import Viewer
from .access import CLIENT_ADDRESS, check_recording
from .error_responses import HttpError
from .requests import read_text

SDP_TYPE: Final = "application/sdp"
FRAGMENT_TYPE: Final = "application/trickle-ice-sdpfrag"
_POSTED: Final = {"Accept-Post": SDP_TYPE}
_PATCHED: Final = {"Accept-Patch": FRAGMENT_TYPE}
"""What endpoints accept (RFC 9725, section 4.2), and what sessions accept (RFC 5789, section 3.1)."""


class WhipRoutes:
    """The handlers of both protocols, for the publications of one server."""

    def __init__(self, publications: Publications, stun_urls: tuple[str, ...] = ()) -> None:
        """``stun_urls`` are announced to clients (RFC 9725, section 4.6)."""
        self._publications = publications
        self._stun_urls = stun_urls

    def add_to(self, app: web.Application) -> None:
        whip, session, whep, viewer = "/whip", "/whip/{secret}", "/whep/{key}", "/whep/{key}/{viewer}"
        app.router.add_post(whip, self._publish)
        app.router.add_post(whep, self._watch)
        for path, remove in ((session, self._unpublish), (viewer, self._unwatch)):
            app.router.add_patch(path, self._trickle)
            app.router.add_delete(path, remove)
        for path, accepted in ((whip, _POSTED), (whep, _POSTED), (session, _PATCHED), (viewer, _PATCHED)):
            app.router.add_get(path, _no_content)
            app.router.add_options(path, _announce(accepted))

    async def _publish(self, request: web.Request) -> web.Response:
        offer = await self._read_offer(request, PURPOSES["whip"])
        record = request.query.get("record") == "1"
        check_recording(record, allowed=self._publications.make_recording is not None)
        public = request.query.get("public")
        publication, answer = await self._publications.publish("whip", offer, record=record, public=public)
        return self._created(f"whip/{publication.id}", answer, publication.peer)

    async def _watch(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        self._publications.watched(key)
        offer = await self._read_offer(request, "watch")
        name, answer = await self._publications.watch(key, offer)
        return self._created(f"{key}/{name}", answer, self._viewer(key, name).peer)

    async def _unpublish(self, request: web.Request) -> web.Response:
        await self._publications.end(self._publications.owned(request.match_info["secret"]).id, "the client ended it")
        return web.Response()

    async def _unwatch(self, request: web.Request) -> web.Response:
        key, name = request.match_info["key"], request.match_info["viewer"]
        self._viewer(key, name)
        await self._publications.watched(key).viewers.remove(name, "the client ended it")
        return web.Response()

    async def _trickle(self, request: web.Request) -> web.Response:
        peer = self._peer(request)
        tag = request.headers.get("If-Match")
        if tag is None:
            raise HttpError(428, "Send the session's entity tag in If-Match.")
        tags = [part.strip() for part in tag.split(",")]
        if tag != "*" and peer.etag not in tags:
            raise HttpError(412, "If-Match names another ICE session.")
        fragment = read_fragment(await read_text(request, FRAGMENT_TYPE))
        if tag == "*" or fragment.ufrag not in (None, peer.remote_ufrag):
            raise HttpError(422, "ICE cannot be restarted here. End the session and start a new one.")
        await peer.add_candidates(fragment.candidates)
        return web.Response(status=204)

    async def _read_offer(self, request: web.Request, purpose: Purpose) -> Offer:
        candidates = self._publications.resources.candidates_of(request[CLIENT_ADDRESS])
        return read_offer(await read_text(request, SDP_TYPE), purpose, candidates)

    def _viewer(self, key: str, name: str) -> Viewer:
        viewer = self._publications.watched(key).viewers.by_id.get(name)
        if viewer is None:
            raise NotFoundError("There is no such viewer.")
        return viewer

    def _peer(self, request: web.Request) -> Peer:
        """The publisher's, or the viewer's where the path names one."""
        names = request.match_info
        if "viewer" in names:
            return self._viewer(names["key"], names["viewer"]).peer
        return self._publications.owned(names["secret"]).peer

    def _created(self, location: str, answer: str, peer: Peer) -> web.Response:
        # As bytes: aiohttp would add a character set to the type of a text, and SDP has no such parameter.
        response = web.Response(status=201, body=answer.encode(), content_type=SDP_TYPE)
        response.headers.update({"Location": location, "ETag": peer.etag})
        for url in self._stun_urls:
            response.headers.add("Link", f'<{url}>; rel="ice-server"')
        return response


async def _no_content(_: web.Request) -> web.Response:
    return web.Response(status=204)


def _announce(accepted: Mapping[str, str]) -> Handler:
    """A handler that tells what a resource accepts."""

    async def options(_: web.Request) -> web.Response:
        return web.Response(headers=accepted)

    return options
