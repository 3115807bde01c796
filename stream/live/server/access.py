"""Access to the server: hosts, origins, the token, rate limits, and the security headers that browsers get.

- *Host*: without a token, requests must name this machine (``localhost`` and its addresses). Otherwise a web page
  anywhere could reach a server on the visitor's machine through a host name that resolves there (DNS rebinding).
- *Origin*: a browser's request from another site's page is refused, unless that origin is allowed.
- *Token*: ``Authorization: Bearer TOKEN`` (RFC 6750), compared in constant time; wrong ones are counted per client.
- *Limits*: requests and offers per second and client. The size of a request is limited by the server.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..clock import SYSTEM_CLOCK, Clock
from ..rate_limits import TokenBuckets
from .error_responses import HttpError

OPEN_ROUTES: Final = ("/", "/static/{name}", "/healthz")
"""Routes without a token: the page, which finds its token in the fragment of its address, and the health check."""
SECURITY_HEADERS: Final = {
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


@dataclass(frozen=True, kw_only=True)
class Access:
    """The access rules of one server."""

    token: str | None = None
    hosts: frozenset[str] | None = None
    """Host names that requests may use; ``None`` for any, which only a token makes safe."""
    origins: frozenset[str] = frozenset()
    """Origins, such as ``https://example.org``, whose pages may use this server besides its own page."""
    requests: TokenBuckets = field(default_factory=lambda: TokenBuckets(per_second=20, burst=100))
    offers: TokenBuckets = field(default_factory=lambda: TokenBuckets(per_second=1, burst=10))
    wrong_tokens: TokenBuckets = field(default_factory=lambda: TokenBuckets(per_second=0.2, burst=10))
    clock: Clock = SYSTEM_CLOCK

    def check(self, request: web.Request) -> None:
        """Raises ``HttpError`` where the rules do not allow a request."""
        if self.hosts is not None and (request.url.host or "") not in self.hosts:
            raise HttpError(403, "Without a token, this server accepts requests to localhost only.")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self.origins and urlsplit(origin).netloc != request.host:
            raise HttpError(403, "This page's origin may not use the server. Add it to the server's allowed origins.")
        self._take(self.requests, request, "Too many requests.")
        if request.method == "POST":
            self._take(self.offers, request, "Too many offers.")
        resource = request.match_info.route.resource
        if request.method != "OPTIONS" and (resource is None or resource.canonical not in OPEN_ROUTES):
            self._check_token(request)

    def _check_token(self, request: web.Request) -> None:
        if self.token is None:
            return
        bucket, now = self.wrong_tokens.of(_client(request)), self.clock.now()
        if wait := bucket.wait_s(now):
            raise _too_many("Too many wrong tokens.", wait)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.encode(errors="surrogateescape"), self.token.encode())
        if not (same and scheme.lower() == "bearer"):
            bucket.take(now)
            raise HttpError(
                401, "A token is needed: send the header Authorization: Bearer TOKEN.", {"WWW-Authenticate": "Bearer"}
            )

    def _take(self, buckets: TokenBuckets, request: web.Request, text: str) -> None:
        bucket, now = buckets.of(_client(request)), self.clock.now()
        if not bucket.take(now):
            raise _too_many(text, bucket.wait_s(now))


def guard(access: Access) -> Middleware:
    """A middleware that refuses what ``access`` does not allow."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        access.check(request)
        return await handler(request)

    return check


def add_headers(access: Access) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A signal handler that adds the security headers to every response, and CORS headers for allowed origins."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(SECURITY_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("Origin")
        if origin is not None and origin in access.origins:
            response.headers.update({"Access-Control-Allow-Origin": origin, **CORS_HEADERS})

    return add


def check_recording(wanted: bool, *, allowed: bool) -> None:
    """Raises ``HttpError`` where a client asks for a recording and the server makes none."""
    if wanted and not allowed:
        raise HttpError(403, "This server does not record: no folder for recordings is set.")


def _too_many(text: str, wait_s: float) -> HttpError:
    return HttpError(429, f"{text} Wait {wait_s:.0f} s.", {"Retry-After": f"{max(1, round(wait_s))}"})


def _client(request: web.Request) -> str:
    """The address that limits apply to; for IPv6 the /64 network, since a client can use all addresses of it."""
    try:
        address = ipaddress.ip_address(request.remote or "")
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
