"""The command ``emocolor-stream serve``: its options."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from emocolor.errors import ConfigurationError

from ..live.settings import LiveOptions, ServerOptions
from ..settings import AnalysisOptions, JobSettings, RawValues, chain_of, section_of
from .ending import Verbose, end
from .layers import OverlayFlag, PresetOption, SavePreset, applicable, raw_values, save_preset
from .live import LogJson
from .logs import configure_logging, errors_logged
from .parameters import chain_parameter, flags_for, parameters_of, with_parameters

SERVER: Final = "Server"
AUTO_TOKEN: Final = "auto"
SERVE_EPILOG: Final = (
    "Exit codes: 2 wrong option, a port that is taken or a certificate that cannot be used, 5 no folder for "
    "recordings, 6 something is not installed, 7 a net cannot be used, 130 Ctrl-C and 143 SIGTERM, both with the "
    "clients told and the recordings finished."
)


def serve_command() -> Callable[..., None]:
    """The function of ``emocolor-stream serve``."""
    flags = flags_for([JobSettings, AnalysisOptions, LiveOptions, ServerOptions], only=("device", "live.latency_ms"))

    def serve(
        *,
        token: Annotated[
            str | None,
            typer.Option(
                "--token", rich_help_panel=SERVER, help="What clients must know; 'auto' makes one and prints it once."
            ),
        ] = None,
        token_file: Annotated[
            Path | None,
            typer.Option("--token-file", rich_help_panel=SERVER, help="The same from a file's first line."),
        ] = None,
        cert: Annotated[
            Path | None,
            typer.Option("--cert", rich_help_panel=SERVER, help="TLS certificate, PEM. Cameras need https."),
        ] = None,
        key: Annotated[Path | None, typer.Option("--key", rich_help_panel=SERVER, help="Its private key, PEM.")] = None,
        allow_origin: Annotated[
            list[str] | None,
            typer.Option(
                "--allow-origin",
                rich_help_panel=SERVER,
                metavar="ORIGIN",
                help="Another site whose pages may use the server; repeatable.",
            ),
        ] = None,
        stun: Annotated[
            list[str] | None,
            typer.Option(
                "--stun",
                rich_help_panel=SERVER,
                metavar="URL",
                help="STUN server, as stun:HOST:3478. None is asked otherwise.",
            ),
        ] = None,
        turn: Annotated[
            str | None,
            typer.Option(
                "--turn", rich_help_panel=SERVER, metavar="URL", help="TURN server, as turn:HOST:3478?transport=udp."
            ),
        ] = None,
        turn_login: Annotated[
            Path | None,
            typer.Option(
                "--turn-login",
                rich_help_panel=SERVER,
                metavar="FILE",
                help="File with USER:PASSWORD of the TURN server.",
            ),
        ] = None,
        record: Annotated[
            Path | None,
            typer.Option("--record", metavar="FOLDER", help="Let clients record their session into this folder."),
        ] = None,
        preset: PresetOption = None,
        effect: str | None = None,
        overlay: OverlayFlag = False,
        save: SavePreset = None,
        log_json: LogJson = False,
        verbose: Verbose = 0,
        **others: Any,
    ) -> None:
        """Serve a page that recolours the camera live, and WHIP and WHEP for other clients."""
        configure_logging(verbose, as_json=log_json)

        def work() -> int:
            values = raw_values(flags, others, base={}, preset=preset, effect=effect, overlay=overlay)
            save_preset(save, values, (AnalysisOptions, LiveOptions, ServerOptions))
            return _run(
                applicable(values, flags),
                token=_token(token, token_file),
                certificate=cert,
                key=key,
                origins=tuple(allow_origin or ()),
                stun=tuple(stun or ()),
                turn=turn,
                turn_login=None if turn_login is None else _login(turn_login),
                recordings=record,
            )

        end(partial(errors_logged, work) if log_json else work, verbose)

    chain = chain_parameter()
    own = [chain if one.name == chain.name else one for one in parameters_of(serve)]
    return with_parameters(serve, serve, [*own, *(flag.parameter for flag in flags)])


def _run(values: RawValues, **access: Any) -> int:
    from ..live.controls import Controls
    from ..live.server.run import run_server
    from ..live.server.settings import ServeSettings

    return run_server(
        ServeSettings(
            server=section_of(ServerOptions, values),
            live=section_of(LiveOptions, values),
            analysis=section_of(AnalysisOptions, values),
            controls=Controls.of(chain_of(values)),
            device=values.get("device", "auto"),
            **access,
        )
    )


def _token(token: str | None, file: Path | None) -> str | None:
    if token is not None and file is not None:
        raise ConfigurationError("--token and --token-file both say what the token is; pass one of them.")
    if token == AUTO_TOKEN:
        from ..live.server.settings import new_token

        return new_token()
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
