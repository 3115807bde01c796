"""The settings of a live server: where it listens, who may use it, and what clients get."""

import ipaddress
import re
import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri

from emocolor.errors import ConfigurationError, SinkError
from engines.runners.devices import Device

from ...settings import AnalysisOptions, LiveOptions, ServerOptions
from ..controls import Controls
from .access import Access
from .addresses import TrustedProxies

MIN_TOKEN_CHARACTERS: Final = 16
AUTO_TOKEN: Final = "auto"
"""In place of a token, has one generated."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The settings of one server.

    Raises ``ConfigurationError`` for what cannot be, and ``SinkError`` where there is no folder for recordings.
    """

    server: ServerOptions = field(default_factory=ServerOptions)
    live: LiveOptions = field(default_factory=LiveOptions)
    analysis: AnalysisOptions = field(default_factory=AnalysisOptions)
    token: str | None = field(default=None, repr=False)
    """What clients must know; ``"auto"`` generates one."""
    token_is_new: bool = False
    """Whether nobody knows the token yet, so that it must be shown once; set for one that is generated here."""
    certificate: Path | None = None
    """PEM, with its chain."""
    key: Path | None = None
    """PEM."""
    origins: tuple[str, ...] = ()
    """Origins, such as ``https://example.org``, whose pages may use the server besides its own page."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of reverse proxies, whose ``X-Forwarded-For`` tells the client's address."""
    stun: tuple[str, ...] = ()
    """STUN servers, as ``stun:HOST:3478``."""
    turn: str | None = None
    """A TURN server, as ``turn:HOST:3478?transport=udp``."""
    turn_login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password."""
    recordings: Path | None = None
    """A folder; ``None`` where nothing may be recorded."""
    device: Device = "auto"
    controls: Controls = field(default_factory=Controls)

    def __post_init__(self) -> None:
        if self.token == AUTO_TOKEN:
            object.__setattr__(self, "token", new_token())
            object.__setattr__(self, "token_is_new", True)
        self._check_token()
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("A certificate and its key belong together; set both, or neither.")
        self._check_origins()
        self.proxies()
        if self.recordings is not None and not self.recordings.is_dir():
            raise SinkError(f"The folder {self.recordings} for recordings does not exist; create it first.")
        self._check_ice_servers()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.server.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.server.host).is_loopback
        except ValueError:
            return False

    def access(self) -> Access:
        """The access rules. Without a token, only names of this machine may be used."""
        local = frozenset({"localhost", "127.0.0.1", "::1", self.server.host})
        return Access(
            token=self.token,
            hosts=None if self.token else local,
            origins=frozenset(self.origins),
            proxies=self.proxies(),
        )

    def proxies(self) -> TrustedProxies:
        """The trusted proxies."""
        return TrustedProxies(self.trusted_proxies)

    def ice_servers(self) -> tuple[RTCIceServer, ...]:
        """The STUN and TURN servers."""
        user, password = self.turn_login or (None, None)
        turn = () if self.turn is None else (RTCIceServer(self.turn, username=user, credential=password),)
        return (*(RTCIceServer(url) for url in self.stun), *turn)

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, if there is a certificate. Raises ``ConfigurationError`` for one that cannot be used."""
        if self.certificate is None or self.key is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        for path in (self.certificate, self.key):
            if not path.is_file():
                raise ConfigurationError(f"There is no file {path}; the certificate and its key are PEM files.")
        try:
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise ConfigurationError(f"{self.certificate} and {self.key} cannot be used for TLS: {reason}.") from error
        return context

    def _check_token(self) -> None:
        if self.token is None:
            if not self.is_loopback:
                raise ConfigurationError(
                    f"The host {self.server.host} lets other machines in, so clients need a token; "
                    f"set the token, or '{AUTO_TOKEN}' to have one generated."
                )
        elif len(self.token) < MIN_TOKEN_CHARACTERS or not _TOKEN.fullmatch(self.token):
            raise ConfigurationError(
                f"A token has at least {MIN_TOKEN_CHARACTERS} characters, letters, digits and ._~+/- only; "
                f"set another one, or '{AUTO_TOKEN}' to have one generated."
            )

    def _check_origins(self) -> None:
        for origin in self.origins:
            parts = urlsplit(origin)
            if f"{parts.scheme}://{parts.netloc}" != origin or parts.scheme not in ("http", "https"):
                raise ConfigurationError(f"'{origin}' is no origin; write it as https://example.org, without a path.")

    def _check_ice_servers(self) -> None:
        for url in self.stun:
            _check_ice_url(url, ("stun",), "stun:HOST:3478")
        if self.turn is not None:
            _check_ice_url(self.turn, ("turn", "turns"), "turn:HOST:3478?transport=udp")
            if self.turn_login is None:
                raise ConfigurationError("A TURN server needs a login: a user and a password.")


def _check_ice_url(url: str, schemes: tuple[str, ...], example: str) -> None:
    try:
        valid = parse_stun_turn_uri(url)["scheme"] in schemes
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(f"'{url}' is no {schemes[0].upper()} server; write it as {example}.")


def new_token() -> str:
    """A random token of 192 bits, in characters that need no quoting in shells and URLs."""
    return secrets.token_urlsafe(24)
