"""Running the live server: its start and its end."""

import asyncio
import contextlib
import ctypes
import errno
import logging
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web

from emocolor.errors import ConfigurationError

from ..face_judge import BatchedClassifier
from ..output.recording import recordings_in
from ..quality import LEVELS, ControllerOptions
from ..shared_nets import SharedNets
from ..webrtc.publication import Resources
from ..webrtc.publications import Sessions
from .app import make_app
from .settings import ServeSettings

M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Of glibc's mallopt(3)."""
MAPPED_BYTES: Final = 1 << 17
"""From here on memory is mapped by itself and goes back when it is freed. glibc would raise that limit as pictures come
and go, and put them into its heaps, where they leave holes."""
MOST_ARENAS: Final = 1
"""glibc gives threads heaps of their own; what one thread allocates and another frees leaves holes in them, and the
process grows by megabytes an hour for nothing. With one heap it stays as large as it is."""
FINISH_S: Final = 2.0
"""How long requests that are being served may take when the server stops."""

log = logging.getLogger(__name__)


def _tell(line: str) -> None:
    print(line, flush=True)  # at once, into a pipe too


def run_server(settings: ServeSettings, say: Callable[[str], None] = _tell) -> int:
    """Serve until SIGTERM or SIGINT, then tell the clients and finish the recordings: 143, or 130 for SIGINT.

    ``say`` gets the few lines for whoever started it. Raises ``ConfigurationError`` where the port is taken or the
    certificate cannot be used, and ``EngineError`` or ``MissingDependencyError`` where a net cannot be.
    """
    _limit_heaps()
    # It tells of every frame that cannot be decoded; they are counted among the drops, and a client may send many.
    logging.getLogger("aiortc.rtcrtpreceiver").setLevel(logging.ERROR)
    return asyncio.run(_run(settings, say))


def _limit_heaps() -> None:
    """Before the first thread begins; other C libraries have no such thing, or no need of it."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, MOST_ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)


async def _run(settings: ServeSettings, say: Callable[[str], None]) -> int:
    tls = settings.tls()
    listener = _listen(settings)
    loop = asyncio.get_running_loop()
    # Each connection encodes one picture and one piece of sound at a time, in threads of this pool.
    workers = 8 + 2 * settings.max_sessions + 2 * settings.max_viewers
    loop.set_default_executor(ThreadPoolExecutor(workers, thread_name_prefix="worker"))
    stopped: asyncio.Future[int] = loop.create_future()
    judge, nets = BatchedClassifier(device=settings.device), SharedNets(settings.device)
    _stop_on(loop, stopped, signal.SIGTERM, 143)
    _stop_on(loop, stopped, signal.SIGINT, 130)
    try:
        await asyncio.to_thread(judge.start, LEVELS)
        sessions = _sessions(settings, judge, nets)
        runner = web.AppRunner(
            make_app(sessions, settings.access(), settings.controls, settings.stun),
            access_log=None,
            shutdown_timeout=FINISH_S,
        )
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=tls).start()
        _greet(settings, listener.getsockname()[1], say)
        code = await stopped
        log.info("stopping")
        await sessions.stop()
        await runner.cleanup()
        await asyncio.to_thread(judge.close)
        return code
    finally:
        nets.close()
        listener.close()


def _sessions(settings: ServeSettings, judge: BatchedClassifier, nets: SharedNets) -> Sessions:
    return Sessions(
        Resources(
            judge=judge,
            nets=nets,
            controls=settings.controls,
            controller=ControllerOptions(budget_s=settings.latency_ms / 1000),
            ice_servers=settings.ice_servers(),
            most_pixels=settings.max_pixels,
        ),
        most=settings.max_sessions,
        most_viewers=settings.max_viewers,
        make_recording=None if settings.recordings is None else recordings_in(settings.recordings),
    )


def _listen(settings: ServeSettings) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family = found[0][0]
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        taken = error.errno == errno.EADDRINUSE
        hint = "Another program has it; pass another --port." if taken else "Pass another --host or --port."
        raise ConfigurationError(f"Cannot listen on {where}: {error.strerror}. {hint}") from error


def _stop_on(loop: asyncio.AbstractEventLoop, stopped: "asyncio.Future[int]", number: int, code: int) -> None:
    """The first signal begins the end; a second one of its kind does what it does by default."""

    def stop() -> None:
        loop.remove_signal_handler(number)
        if not stopped.done():
            stopped.set_result(code)

    loop.add_signal_handler(number, stop)


def _greet(settings: ServeSettings, port: int, say: Callable[[str], None]) -> None:
    scheme = "http" if settings.certificate is None else "https"
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::") else settings.host
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    say(f"Open {address}/{f'#token={settings.token}' if settings.token else ''}")
    say(f"Publish by WHIP to {address}/whip, watch by WHEP at {address}/whep/SESSION; Ctrl-C ends it.")
    if scheme == "http" and not settings.is_loopback:
        say("Browsers give their cameras to pages over https and on localhost only: pass --cert and --key.")
