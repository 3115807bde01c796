"""Access to the server: hosts, origins, the token, rate limits, and the security headers that browsers get.

- *Host*: without a token, requests must name this machine (``localhost`` and its addresses). Otherwise a web page
  anywhere could reach a server on the visitor's machine through a host name that resolves there (DNS rebinding).
- *Origin*: a browser's request from another site's page is refused, unless that origin is allowed.
- *Token*: ``Authorization: Bearer TOKEN`` (RFC 6750), compared in constant time; wrong ones are counted per client.
- *Limits*: requests and offers per second and client. The size of a request is limited by the server.

Requests with the right token have limits of their own, so that nobody who shares a client's address, as behind NAT, can
lock it out. Only the proxies that are trusted may say on whose behalf they ask.
"""

import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..clock import SYSTEM_CLOCK, Clock
from ..rate_limits import TokenBuckets
from .addresses import UNKNOWN, TrustedProxies, client_key
from .error_responses import HttpError

CLIENT_ADDRESS: Final = web.RequestKey("client_address", str)
"""Of a request that was let through: the address of the client that made it, also behind a trusted proxy."""
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
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")


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
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    clock: Clock = SYSTEM_CLOCK

    def check(self, request: web.Request) -> None:
        """Raises ``HttpError`` where the rules do not allow a request."""
        host = _host_name(request.host)
        if self.hosts is not None and host not in self.hosts:
            raise HttpError(403, "Without a token, this server accepts requests to localhost only.")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self.origins and _netloc(origin) != request.host:
            raise HttpError(403, "This page's origin may not use the server. Add it to the server's allowed origins.")
        authorized = self._has_token(request)
        client = f"{client_key(self.client_of(request))}{' with the token' if authorized else ''}"
        self._take(self.requests, client, "Too many requests.")
        resource = request.match_info.route.resource
        is_open = request.method == "OPTIONS" or (resource is not None and resource.canonical in OPEN_ROUTES)
        if not (authorized or is_open):
            self._take(self.wrong_tokens, client, "Too many wrong tokens.")
            raise HttpError(
                401, "A token is needed: send the header Authorization: Bearer TOKEN.", {"WWW-Authenticate": "Bearer"}
            )
        if request.method == "POST":
            self._take(self.offers, client, "Too many offers.")

    def client_of(self, request: web.Request) -> str:
        """The address of the client; of a trusted proxy's request, the one that the proxy names."""
        return self.proxies.client_of(request.remote or UNKNOWN, request.headers.getall("X-Forwarded-For", ()))

    def _has_token(self, request: web.Request) -> bool:
        """Whether a request has the right token, or none is needed."""
        if self.token is None:
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.encode(errors="surrogateescape"), self.token.encode())
        return same and scheme.lower() == "bearer"

    def _take(self, buckets: TokenBuckets, client: str, text: str) -> None:
        bucket, now = buckets.of(client), self.clock.now()
        if not bucket.take(now):
            raise _too_many(text, bucket.wait_s(now))


def guard(access: Access) -> Middleware:
    """A middleware that refuses what ``access`` does not allow."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        access.check(request)
        request[CLIENT_ADDRESS] = access.client_of(request)
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


def _host_name(header: str) -> str:
    """The name in a ``Host`` header, without port and brackets. Raises ``HttpError``."""
    parts = _HOST.fullmatch(header)
    if parts is None or int(parts[2] or 0) > 65535:
        raise HttpError(400, "The Host header is malformed.")
    return parts[1].strip("[]").lower()


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
