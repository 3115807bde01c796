"""The command ``emocolor-stream serve``: its options."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from emocolor.effects.tint import Base, TintRegion
from emocolor.errors import ConfigurationError

from .logs import configure_logging, errors_logged
from .options import DeviceOption

NETWORK, LIMITS, PICTURE = "Network", "Limits", "Picture"
"""Panels of the help."""
AUTO_TOKEN: Final = "auto"
SERVE_EPILOG: Final = (
    "Exit codes: 2 wrong option, a port that is taken or a certificate that cannot be used, 5 no folder for "
    "recordings, 6 something is not installed, 7 a net cannot be used, 130 Ctrl-C and 143 SIGTERM, both with the "
    "clients told and the recordings finished."
)


def make_serve_command(end: Callable[[Callable[[], int], int], None]) -> Callable[..., None]:
    """The command's function; ``end`` runs its work and exits, as all commands do."""

    def serve(
        host: Annotated[
            str,
            typer.Option(rich_help_panel=NETWORK, help="Address to listen on; any but this machine's needs a token."),
        ] = "127.0.0.1",
        port: Annotated[int, typer.Option(rich_help_panel=NETWORK, help="0 takes one that is free.")] = 8080,
        token: Annotated[
            str | None,
            typer.Option(rich_help_panel=NETWORK, help="What clients must know; 'auto' makes one and prints it once."),
        ] = None,
        token_file: Annotated[
            Path | None, typer.Option(rich_help_panel=NETWORK, help="The same from a file's first line.")
        ] = None,
        cert: Annotated[
            Path | None, typer.Option(rich_help_panel=NETWORK, help="TLS certificate, PEM. Cameras need https.")
        ] = None,
        key: Annotated[Path | None, typer.Option(rich_help_panel=NETWORK, help="Its private key, PEM.")] = None,
        allow_origin: Annotated[
            list[str] | None,
            typer.Option(
                rich_help_panel=NETWORK,
                metavar="ORIGIN",
                help="Another site whose pages may use the server; repeatable.",
            ),
        ] = None,
        stun: Annotated[
            list[str] | None,
            typer.Option(
                rich_help_panel=NETWORK, metavar="URL", help="STUN server, as stun:HOST:3478. None is asked otherwise."
            ),
        ] = None,
        turn: Annotated[
            str | None,
            typer.Option(rich_help_panel=NETWORK, metavar="URL", help="TURN server, as turn:HOST:3478?transport=udp."),
        ] = None,
        turn_login: Annotated[
            Path | None,
            typer.Option(rich_help_panel=NETWORK, metavar="FILE", help="File with USER:PASSWORD of the TURN server."),
        ] = None,
        max_sessions: Annotated[
            int, typer.Option(rich_help_panel=LIMITS, help="Pictures that are coloured at a time.")
        ] = 4,
        max_viewers: Annotated[int, typer.Option(rich_help_panel=LIMITS, help="Clients that watch by WHEP.")] = 8,
        max_pixels: Annotated[
            int, typer.Option(rich_help_panel=LIMITS, help="Pixels of a picture; larger ones end their session.")
        ] = 1920 * 1088,
        latency: Annotated[
            float, typer.Option(rich_help_panel=LIMITS, help="Milliseconds that may be added before quality gives way.")
        ] = 120,
        record: Annotated[
            Path | None,
            typer.Option(metavar="FOLDER", help="Let clients have their session recorded into this folder."),
        ] = None,
        effect: Annotated[
            str,
            typer.Option(rich_help_panel=PICTURE, metavar="EFFECT[:VALUE][,...]", help="What a session begins with."),
        ] = "tint",
        palette: Annotated[str, typer.Option(rich_help_panel=PICTURE, help="Palette by name.")] = "s0",
        alpha: Annotated[
            float, typer.Option(rich_help_panel=PICTURE, help="Part of the colour in the tint, 0 to 1.")
        ] = 0.5,
        base: Annotated[
            Base, typer.Option(rich_help_panel=PICTURE, help="Tint the gray picture, or its own colours.")
        ] = "gray",
        region: Annotated[
            TintRegion, typer.Option(rich_help_panel=PICTURE, help="Tint everything, faces, people, or all but people.")
        ] = "frame",
        strength: Annotated[float, typer.Option(rich_help_panel=PICTURE, help="Of style and grade, 0 to 1.")] = 1.0,
        device: DeviceOption = "auto",
        log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line.")] = False,
        verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more.")] = 0,
    ) -> None:
        """Serve a page that colours the camera's picture live, and WHIP and WHEP for other clients."""
        configure_logging(verbose, as_json=log_json)

        def work() -> int:
            from ..live.controls import Controls
            from ..live.server.run import run_server
            from ..live.server.settings import ServeSettings, new_token

            return run_server(
                ServeSettings(
                    host=host,
                    port=port,
                    token=new_token() if token == AUTO_TOKEN else _token(token, token_file),
                    certificate=cert,
                    key=key,
                    origins=tuple(allow_origin or ()),
                    stun=tuple(stun or ()),
                    turn=turn,
                    turn_login=None if turn_login is None else _login(turn_login),
                    max_sessions=max_sessions,
                    max_viewers=max_viewers,
                    max_pixels=max_pixels,
                    latency_ms=latency,
                    recordings=record,
                    device=device,
                    controls=Controls(
                        effect=effect, palette=palette, alpha=alpha, base=base, region=region, strength=strength
                    ),
                )
            )

        end(partial(errors_logged, work) if log_json else work, verbose)

    return serve


def _token(token: str | None, file: Path | None) -> str | None:
    if token is not None and file is not None:
        raise ConfigurationError("--token and --token-file both say what the token is; pass one of them.")
    return token if file is None else _first_line(file, "--token-file")


def _login(file: Path) -> tuple[str, str]:
    user, colon, password = _first_line(file, "--turn-login").partition(":")
    if not (user and colon and password):
        raise ConfigurationError(f"The first line of {file} is not USER:PASSWORD.")
    return user, password


def _first_line(file: Path, option: str) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{option}: {file} cannot be read: {error}.") from error
    if not lines:
        raise ConfigurationError(f"{option}: {file} is empty.")
    return lines[0].strip()
