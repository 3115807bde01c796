"""Who may ask the server for what: hosts, origins, the token, limits of size and rate, and what browsers are told.

- *Host*: without a token, requests must name this machine (``localhost`` and its addresses). Else a web page anywhere
  could reach a server on the visitor's own machine by a name of its own that resolves there (DNS rebinding).
- *Origin*: a browser's request from another site's page is refused, unless that origin was allowed.
- *Token*: ``Authorization: Bearer TOKEN`` (RFC 6750), compared in constant time; wrong ones are counted per client.
- *Limits*: requests and offers a second per client; the size of a request is bounded by the server.
"""

import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..rate_limits import TokenBuckets

OPEN_ROUTES: Final = ("/", "/static/{name}", "/healthz")
"""What needs no token: the page, which finds its token in its address' fragment, and the sign of life."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self' blob:; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), geolocation=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "emocolor-stream",
}
CORS_HEADERS: Final = {
    "Access-Control-Allow-Methods": "DELETE, OPTIONS, PATCH, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Expose-Headers": "ETag, Link, Location, Retry-After",
    "Vary": "Origin",
}


class Refusal(Exception):
    """A request that is not served; its text is one line that says what to do."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True, kw_only=True)
class Access:
    """The rules of one server."""

    token: str | None = None
    hosts: frozenset[str] | None = None
    """Names that requests may be addressed to; ``None`` for any, which only a token makes safe."""
    origins: frozenset[str] = frozenset()
    """Origins of web pages, as ``https://example.org``, that may use this server besides its own page."""
    requests: TokenBuckets = field(default_factory=lambda: TokenBuckets(per_second=20, burst=100))
    offers: TokenBuckets = field(default_factory=lambda: TokenBuckets(per_second=1, burst=10))
    wrong_tokens: TokenBuckets = field(default_factory=lambda: TokenBuckets(per_second=0.2, burst=10))

    def check(self, request: web.Request) -> None:
        """Raises ``Refusal``."""
        if self.hosts is not None and (request.url.host or "") not in self.hosts:
            raise Refusal(403, "This server answers to localhost only. Start it with --token to use other names.")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self.origins and urlsplit(origin).netloc != request.host:
            raise Refusal(403, "This page's origin may not use the server. Allow it with --allow-origin.")
        _take(self.requests, request, "Too many requests.")
        if request.method == "POST":
            _take(self.offers, request, "Too many connections were asked for.")
        resource = request.match_info.route.resource
        if request.method != "OPTIONS" and (resource is None or resource.canonical not in OPEN_ROUTES):
            self._check_token(request)

    def _check_token(self, request: web.Request) -> None:
        if self.token is None:
            return
        bucket, now = self.wrong_tokens.of(_client(request)), time.monotonic()
        if wait := bucket.wait_s(now):
            raise _too_many("Too many wrong tokens.", wait)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.encode(errors="surrogateescape"), self.token.encode())
        if not (same and scheme.lower() == "bearer"):
            bucket.take(now)
            raise Refusal(
                401, "A token is needed: send the header Authorization: Bearer TOKEN.", {"WWW-Authenticate": "Bearer"}
            )


def guard(access: Access) -> Middleware:
    """A middleware that lets through what ``access`` allows."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        access.check(request)
        return await handler(request)

    return check


def add_headers(access: Access) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A signal handler that puts the security headers on every answer, and CORS headers for allowed origins."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("Origin")
        if origin is not None and origin in access.origins:
            response.headers.update({"Access-Control-Allow-Origin": origin, **CORS_HEADERS})

    return add


def _take(allowances: TokenBuckets, request: web.Request, text: str) -> None:
    bucket, now = allowances.of(_client(request)), time.monotonic()
    if not bucket.take(now):
        raise _too_many(text, bucket.wait_s(now))


def _too_many(text: str, wait_s: float) -> Refusal:
    return Refusal(429, f"{text} Wait {wait_s:.0f} s.", {"Retry-After": f"{max(1, round(wait_s))}"})


def _client(request: web.Request) -> str:
    """The address that limits apply to: of IPv6 the network, since a client has a whole one."""
    try:
        address = ipaddress.ip_address(request.remote or "")
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
