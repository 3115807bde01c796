"""The live server: a page for browsers, WHIP and WHEP, signs of life and metrics, over HTTP; pictures by WebRTC.

    GET    /                   the page; its files under /static/
    GET    /api/options        what can be chosen
    POST   /api/offer          {"type": "offer", "sdp": ..., "record"?: true}: the answer and the session's id
    GET    /api/sessions       the ids of what is published
    DELETE /api/sessions/ID    the end of a session
    /whip, /whep               see ``whip``
    GET    /healthz, /metrics

Errors are ``{"error": LINE}`` with a fitting status.
"""

import asyncio
import functools
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from emocolor.effects.tint import Base, TintRegion
from emocolor.emotions import EMOTIONS
from stream.config_files import palette_names, read_palette
from stream.effect_chain import EFFECTS

from ..controls import AUTO, Controls
from ..webrtc.offers import read_offer
from ..webrtc.publication import PURPOSES
from ..webrtc.publications import Sessions
from .access import Access, Refusal, add_headers, guard
from .metrics import make_registry
from .requests import LARGEST, answer_errors, check_recording, read_json
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
    sessions: Sessions, access: Access, controls: Controls, stun_urls: tuple[str, ...] = ()
) -> web.Application:
    """The application over ``sessions``. ``controls`` are those that a session begins with."""
    app = web.Application(middlewares=[answer_errors, guard(access)], client_max_size=LARGEST)
    app.on_response_prepare.append(add_headers(access))
    app.router.add_get("/", _page)
    app.router.add_get("/static/{name}", _static)
    _Api(sessions, controls, stun_urls).add_to(app)
    WhipRoutes(sessions, stun_urls).add_to(app)
    registry = make_registry(sessions)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", _health)
    return app


class _Api:
    """What the page asks for."""

    def __init__(self, sessions: Sessions, controls: Controls, stun_urls: tuple[str, ...]) -> None:
        self._sessions = sessions
        self._controls = controls
        self._stun_urls = stun_urls

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/api/options", self._options)
        app.router.add_post("/api/offer", self._offer)
        app.router.add_get("/api/sessions", self._list)
        app.router.add_delete("/api/sessions/{id}", self._end)

    async def _options(self, _: web.Request) -> web.Response:
        return web.json_response(
            options(self._controls)
            | {
                "recording": self._sessions.make_recording is not None,
                "ice_servers": [{"urls": url} for url in self._stun_urls],
            }
        )

    async def _offer(self, request: web.Request) -> web.Response:
        message = await read_json(request)
        sdp, record = message.get("sdp"), message.get("record", False)
        if message.get("type") != "offer" or not isinstance(sdp, str) or not isinstance(record, bool):
            raise Refusal(400, 'Send {"type": "offer", "sdp": TEXT}, and "record": true to be recorded.')
        check_recording(self._sessions, record)
        publication, answer = await self._sessions.publish("page", read_offer(sdp, PURPOSES["page"]), record=record)
        return web.json_response({"type": "answer", "sdp": answer, "session": publication.id})

    async def _list(self, _: web.Request) -> web.Response:
        found = [
            {"id": publication.id, "kind": publication.kind, "viewers": len(publication.viewers)}
            for publication in self._sessions.publications.values()
        ]
        return web.json_response({"sessions": found})

    async def _end(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in self._sessions.publications:
            raise Refusal(404, "There is no such session.")
        await self._sessions.end(name, "the page ended it")
        return web.Response(status=204)


@functools.cache
def _palettes() -> dict[str, dict[str, str]]:
    """Name to emotion to ``#rrggbb``, of the palettes that ship."""
    found: dict[str, dict[str, str]] = {}
    for name in palette_names():
        colors = (read_palette(name).colors * 255).round().astype(int)
        found[name] = {
            emotion: "#" + bytes(color.tolist()).hex() for emotion, color in zip(EMOTIONS, colors, strict=True)
        }
    return found


def options(controls: Controls) -> dict[str, Any]:
    """What can be chosen, and what is chosen at the start."""
    return {
        "emotions": list(EMOTIONS),
        "effects": list(EFFECTS),
        "palettes": _palettes(),
        "regions": list(get_args(TintRegion)),
        "bases": list(get_args(Base)),
        "styles": [AUTO, *EMOTIONS],
        "controls": controls.as_message(),
    }


async def _page(_: web.Request) -> web.Response:
    return await _file("index.html")


async def _static(request: web.Request) -> web.Response:
    return await _file(request.match_info["name"])


async def _file(name: str) -> web.Response:
    """A file of the page. Names with a path in them do not match, so nothing else can be had."""
    kind = CONTENT_TYPES.get(Path(name).suffix)
    path = PAGE / name
    if kind is None or not _FILE_NAME.fullmatch(name) or not path.is_file():
        raise web.HTTPNotFound
    body = await asyncio.to_thread(path.read_bytes)
    return web.Response(body=body, content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"})


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "version": version("emocolor-stream")})
