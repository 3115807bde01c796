"""Options of live sessions, whoever runs them."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from emocolor.options import Options, Spelling, option


@dataclass(frozen=True, kw_only=True)
class LiveOptions(Options):
    """What a live session may cost, and what happens where its input is lost."""

    section: ClassVar[str] = "live"

    latency_ms: Annotated[
        float,
        option(
            "Latency to keep to: quality steps down before more is added.",
            ge=10,
            le=5000,
            unit="ms",
            cli=Spelling(flag="latency"),
        ),
    ] = 120.0
    once: Annotated[bool, option("Do not reopen a lost input or output: end instead.")] = False


@dataclass(frozen=True, kw_only=True)
class ServerOptions(Options):
    """Where the live server listens, and how much it takes on."""

    section: ClassVar[str] = "server"

    host: Annotated[
        str, option("Address to listen on; any but this machine's own needs a token.", cli=Spelling(metavar="ADDRESS"))
    ] = "127.0.0.1"
    port: Annotated[int, option("Port to listen on; 0 takes one that is free.", ge=0, le=65535)] = 8080
    max_sessions: Annotated[int, option("Publishers at a time.", ge=1, le=1000)] = 4
    max_viewers: Annotated[int, option("Clients that watch by WHEP at a time.", ge=0, le=1000)] = 8
    max_pixels: Annotated[
        int, option("Pixels of a frame; larger ones end their session.", ge=256, cli=Spelling(flag="max-pixels"))
    ] = 1920 * 1088
