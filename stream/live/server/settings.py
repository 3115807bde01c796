"""How the live server is reached, by whom, and what it gives them."""

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
from engines.runners.selection import Device

from ..controls import Controls
from .access import Access

SHORTEST_TOKEN: Final = 16
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The settings of one server. They check themselves: ``ConfigurationError`` says what to mend."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 for any that is free."""
    token: str | None = None
    certificate: Path | None = None
    """PEM, with its chain."""
    key: Path | None = None
    origins: tuple[str, ...] = ()
    """Of other sites' pages that may use the server, as ``https://example.org``."""
    stun: tuple[str, ...] = ()
    turn: str | None = None
    turn_login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password."""
    max_sessions: int = 4
    max_viewers: int = 8
    max_pixels: int = 1920 * 1088
    latency_ms: float = 120
    """What a session may add before it gives up quality."""
    recordings: Path | None = None
    """A folder; ``None`` where nothing may be recorded."""
    device: Device = "auto"
    controls: Controls = field(default_factory=Controls)

    def __post_init__(self) -> None:
        if self.token is None and not self.is_loopback:
            raise ConfigurationError(
                f"--host {self.host} lets others in, so they need a token: pass --token auto to have one made, "
                "or --token-file FILE."
            )
        if self.token is not None and not (len(self.token) >= SHORTEST_TOKEN and _TOKEN.fullmatch(self.token)):
            raise ConfigurationError(
                f"A token has at least {SHORTEST_TOKEN} characters, letters, digits and ._~+/- only; "
                "--token auto makes a good one."
            )
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("--cert and --key belong together: pass both, or neither.")
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"--port must lie between 0 and 65535, got {self.port}.")
        for name, least in (("max_sessions", 1), ("max_viewers", 0), ("max_pixels", 64 * 64), ("latency_ms", 1)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"--{name.replace('_', '-').removesuffix('-ms')} must be at least {least}.")
        for origin in self.origins:
            parts = urlsplit(origin)
            if f"{parts.scheme}://{parts.netloc}" != origin or parts.scheme not in ("http", "https"):
                raise ConfigurationError(f"'{origin}' is no origin; write it as https://example.org, with no path.")
        if self.recordings is not None and not self.recordings.is_dir():
            raise SinkError(f"The folder {self.recordings} for recordings does not exist. Make it first.")
        self._check_ice()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def access(self) -> Access:
        local = frozenset({"localhost", "127.0.0.1", "::1", self.host})
        return Access(token=self.token, hosts=None if self.token else local, origins=frozenset(self.origins))

    def ice_servers(self) -> tuple[RTCIceServer, ...]:
        user, password = self.turn_login or (None, None)
        turn = () if self.turn is None else (RTCIceServer(self.turn, username=user, credential=password),)
        return (*(RTCIceServer(url) for url in self.stun), *turn)

    def tls(self) -> ssl.SSLContext | None:
        """Raises ``ConfigurationError`` where the certificate cannot be used."""
        if self.certificate is None or self.key is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        for path in (self.certificate, self.key):
            if not path.is_file():
                raise ConfigurationError(f"There is no file {path}. --cert and --key name PEM files.")
        try:
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise ConfigurationError(f"{self.certificate} and {self.key} cannot be used for TLS: {reason}.") from error
        return context

    def _check_ice(self) -> None:
        for url, kinds in [
            *((url, ("stun",)) for url in self.stun),
            *([(self.turn, ("turn", "turns"))] if self.turn else []),
        ]:
            try:
                known = parse_stun_turn_uri(url)["scheme"] in kinds
            except ValueError:
                known = False
            if not known:
                example = "stun:HOST:3478" if "stun" in kinds else "turn:HOST:3478?transport=udp"
                raise ConfigurationError(f"'{url}' is no address of such a server; write it as {example}.")
        if self.turn is not None and self.turn_login is None:
            raise ConfigurationError("--turn needs --turn-login FILE, a file with USER:PASSWORD.")


def new_token() -> str:
    """192 bits, in letters that need no quoting."""
    return secrets.token_urlsafe(24)
