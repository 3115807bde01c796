"""The live server: over HTTP a page for browsers, WHIP and WHEP, health and metrics; video and audio over WebRTC.

    GET    /                            the page; its files under /static/
    GET    /api/options                 what can be chosen
    POST   /api/offer                   {"type": "offer", "sdp": ..., "record"?: true}: the answer, and the session's
                                        secret, which only its owner gets to know
    GET    /api/sessions                the sessions that are public: their names, kinds and numbers of viewers
    GET    /api/sessions/SECRET         one session: its kind, what it is shared as, its number of viewers
    DELETE /api/sessions/SECRET         end it
    POST   /api/sessions/SECRET/share   share it: {"public": NAME} with all clients, {} with those who get the key,
                                        {"secret": TEXT} by the key that belongs to that secret; the key or the name
    DELETE /api/sessions/SECRET/share   share it no more, and end the connections of those who watch by a key or name
    /whip, /whep                        see ``whip``
    GET    /healthz, /metrics

The secret of a session that came by WHIP is the last part of its address.
Errors are ``{"error": LINE}`` with a fitting status; see ``error_responses``.
"""

import asyncio
import functools
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from emocolor.emotions import EMOTIONS
from stream.config_files import palette_names, read_palette
from stream.schema import effects_schema

from ..controls import Controls
from ..webrtc.offers import read_offer
from ..webrtc.publication import PURPOSES
from ..webrtc.publications import Publications
from .access import CLIENT_ADDRESS, Access, add_headers, check_recording, guard
from .connections import count_requests
from .error_responses import MAX_BODY_BYTES, HttpError, respond_to_errors
from .metrics import make_registry
from .requests import read_json
from .whip import WhipRoutes

PAGE: Final = Path(__file__).parents[1] / "page"
CONTENT_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_FILE_NAME: Final = re.compile(r"[a-z0-9_-]+\.[a-z]+")


def make_app(
    publications: Publications, access: Access, controls: Controls, stun_urls: tuple[str, ...] = ()
) -> web.Application:
    """The application. ``controls`` are those that a session starts with; ``stun_urls`` are announced to clients."""
    middlewares = [count_requests, respond_to_errors, guard(access)]
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(add_headers(access))
    app.router.add_get("/", _page)
    app.router.add_get("/static/{name}", _static)
    _Api(publications, controls, stun_urls).add_to(app)
    WhipRoutes(publications, stun_urls).add_to(app)
    registry = make_registry(publications)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", _health())
    return app


class _Api:
    """The handlers of the page's requests."""

    def __init__(self, publications: Publications, controls: Controls, stun_urls: tuple[str, ...]) -> None:
        self._publications = publications
        self._controls = controls
        self._stun_urls = stun_urls

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/api/options", self._options)
        app.router.add_post("/api/offer", self._offer)
        app.router.add_get("/api/sessions", self._list)
        app.router.add_get("/api/sessions/{secret}", self._show)
        app.router.add_delete("/api/sessions/{secret}", self._end)
        app.router.add_post("/api/sessions/{secret}/share", self._share)
        app.router.add_delete("/api/sessions/{secret}/share", self._unshare)

    async def _options(self, _: web.Request) -> web.Response:
        return web.json_response(
            options(self._controls)
            | {
                "recording": self._publications.make_recording is not None,
                "ice_servers": [{"urls": url} for url in self._stun_urls],
            }
        )

    async def _offer(self, request: web.Request) -> web.Response:
        message = await read_json(request)
        sdp, record = message.get("sdp"), message.get("record", False)
        if message.get("type") != "offer" or not isinstance(sdp, str) or not isinstance(record, bool):
            raise HttpError(400, 'Send {"type": "offer", "sdp": TEXT}, and "record": true to be recorded.')
        check_recording(record, allowed=self._publications.make_recording is not None)
        candidates = self._publications.resources.candidates_of(request[CLIENT_ADDRESS])
        offer = read_offer(sdp, PURPOSES["page"], candidates)
        publication, answer = await self._publications.publish("page", offer, record=record)
        return web.json_response({"type": "answer", "sdp": answer, "session": publication.id})

    async def _list(self, _: web.Request) -> web.Response:
        found = [
            {"name": name, "kind": publication.kind, "viewers": len(publication.viewers)}
            for name, publication in self._publications.public.items()
        ]
        return web.json_response({"sessions": found})

    async def _show(self, request: web.Request) -> web.Response:
        secret = request.match_info["secret"]
        publication = self._publications.owned(secret)
        shared_as = self._publications.shared_as(secret)
        return web.json_response(
            {"kind": publication.kind, "viewers": len(publication.viewers), "shared_as": shared_as}
        )

    async def _end(self, request: web.Request) -> web.Response:
        publication = self._publications.owned(request.match_info["secret"])
        await self._publications.end(publication.id, "the page ended it")
        return web.Response(status=204)

    async def _share(self, request: web.Request) -> web.Response:
        self._publications.owned(request.match_info["secret"])
        message = await read_json(request)
        name, secret = message.get("public"), message.get("secret")
        if not (isinstance(name, str | None) and isinstance(secret, str | None)) or None not in (name, secret):
            raise HttpError(400, 'Send {"public": NAME}, {"secret": TEXT} or {}.')
        key = self._publications.share(request.match_info["secret"], name=name, key_secret=secret)
        return web.json_response({"key": key})

    async def _unshare(self, request: web.Request) -> web.Response:
        await self._publications.unshare(request.match_info["secret"])
        return web.Response(status=204)


@functools.cache
def _palettes() -> dict[str, dict[str, str]]:
    """The palettes that ship: name to emotion to ``#rrggbb``."""
    found: dict[str, dict[str, str]] = {}
    for name in palette_names():
        colors = (read_palette(name).colors * 255).round().astype(int)
        found[name] = {
            emotion: "#" + bytes(color.tolist()).hex() for emotion, color in zip(EMOTIONS, colors, strict=True)
        }
    return found


def options(controls: Controls) -> dict[str, Any]:
    """What can be chosen, effects with the JSON schema of their options, and the controls at the start."""
    return {
        "emotions": list(EMOTIONS),
        "effects": effects_schema(),
        "palettes": _palettes(),
        "controls": controls.as_message(),
    }


async def _page(_: web.Request) -> web.Response:
    return await _file("index.html")


async def _static(request: web.Request) -> web.Response:
    return await _file(request.match_info["name"])


async def _file(name: str) -> web.Response:
    """A file of the page. Names that contain a path do not match, so no other file can be read."""
    kind = CONTENT_TYPES.get(Path(name).suffix)
    path = PAGE / name
    if kind is None or not _FILE_NAME.fullmatch(name) or not path.is_file():
        raise web.HTTPNotFound
    body = await asyncio.to_thread(path.read_bytes)
    return web.Response(body=body, content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"})


def _health() -> Handler:
    """Reads nothing while it is asked: it responds even where the process may open no more files."""
    body = {"status": "ok", "version": version("emocolor-stream")}

    async def health(_: web.Request) -> web.Response:
        return web.json_response(body)

    return health
