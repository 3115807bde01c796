"""The command ``emocolor-stream serve``: its options."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from emocolor.errors import ConfigurationError

from ..settings import AnalysisOptions, JobSettings, LiveOptions, RawValues, ServerOptions, chain_of, section_of
from .ending import Verbose, end
from .layers import OverlayFlag, PresetOption, SavePreset, applicable, raw_values, save_preset
from .live import LogJson
from .logs import configure_logging, errors_logged
from .parameters import chain_parameter, flags_for, parameters_of, with_parameters

SERVER: Final = "Server"
SERVE_EPILOG: Final = (
    "Exit codes: 2 wrong option, a port that is taken or a certificate that cannot be used, 5 no folder for "
    "recordings, 6 something is not installed, 7 a net cannot be used, 130 Ctrl-C and 143 SIGTERM, both with the "
    "clients told and the recordings finished."
)


def _of_server(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, rich_help_panel=SERVER, metavar=metavar, help=help)


Token = Annotated[
    str | None, _of_server("--token", help="What clients must know; 'auto' makes one and prints it once.")
]
TokenFile = Annotated[Path | None, _of_server("--token-file", help="The same from a file's first line.")]
Certificate = Annotated[Path | None, _of_server("--cert", help="TLS certificate, PEM. Cameras need https.")]
Key = Annotated[Path | None, _of_server("--key", help="Its private key, PEM.")]
Origins = Annotated[
    list[str] | None,
    _of_server("--allow-origin", metavar="ORIGIN", help="Another site whose pages may use the server; repeatable."),
]
TrustedProxies = Annotated[
    list[str] | None,
    _of_server(
        "--trusted-proxy",
        metavar="ADDRESS",
        help="A reverse proxy whose X-Forwarded-For tells the client's address; a network too; repeatable.",
    ),
]
Stun = Annotated[
    list[str] | None,
    _of_server("--stun", metavar="URL", help="STUN server, as stun:HOST:3478. None is asked otherwise."),
]
Turn = Annotated[str | None, _of_server("--turn", metavar="URL", help="TURN server, as turn:HOST:3478?transport=udp.")]
TurnLogin = Annotated[
    Path | None, _of_server("--turn-login", metavar="FILE", help="File with USER:PASSWORD of the TURN server.")
]
Record = Annotated[
    Path | None, typer.Option("--record", metavar="FOLDER", help="Let clients record their session into this folder.")
]


@dataclass(frozen=True, kw_only=True)
class _Access:
    """Who may reach the server, and how: what is no option of presets."""

    token: str | None
    certificate: Path | None
    key: Path | None
    origins: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    stun: tuple[str, ...]
    turn: str | None
    turn_login: tuple[str, str] | None
    recordings: Path | None


def read_access(
    *,
    token: Token = None,
    token_file: TokenFile = None,
    cert: Certificate = None,
    key: Key = None,
    allow_origin: Origins = None,
    trusted_proxy: TrustedProxies = None,
    stun: Stun = None,
    turn: Turn = None,
    turn_login: TurnLogin = None,
    record: Record = None,
) -> _Access:
    """What the flags stand for, files with secrets read. Raises ``ConfigurationError``."""
    return _Access(
        token=_token(token, token_file),
        certificate=cert,
        key=key,
        origins=tuple(allow_origin or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        stun=tuple(stun or ()),
        turn=turn,
        turn_login=None if turn_login is None else _login(turn_login),
        recordings=record,
    )


def serve_command() -> Callable[..., None]:
    """The function of ``emocolor-stream serve``."""
    flags = flags_for([JobSettings, AnalysisOptions, LiveOptions, ServerOptions], only=("device", "live.latency_ms"))
    of_access = parameters_of(read_access)

    def serve(
        *,
        preset: PresetOption = None,
        effect: str | None = None,
        overlay: OverlayFlag = False,
        save: SavePreset = None,
        log_json: LogJson = False,
        verbose: Verbose = 0,
        **others: Any,
    ) -> None:
        configure_logging(verbose, as_json=log_json)

        def work() -> int:
            values = raw_values(flags, others, base={}, preset=preset, effect=effect, overlay=overlay)
            save_preset(save, values, (AnalysisOptions, LiveOptions, ServerOptions))
            access = read_access(**{one.name: others[one.name] for one in of_access})
            return _run(applicable(values, flags), access)

        end(partial(errors_logged, work) if log_json else work, verbose)

    chain = chain_parameter()
    own = [chain if one.name == chain.name else one for one in parameters_of(serve)]
    return with_parameters(serve, serve, [*of_access, *own, *(flag.parameter for flag in flags)])


def _run(values: RawValues, access: _Access) -> int:
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
            **vars(access),
        )
    )


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
