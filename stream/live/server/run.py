"""Runs the live server, from its start to its orderly end."""

import asyncio
import contextlib
import ctypes
import errno
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web

from emocolor.errors import ConfigurationError
from stream.nets import SharedNets

from ..batched_classifier import BatchedClassifier
from ..output.recording import recordings_in
from ..quality import ControllerOptions, Quality, levels_for
from ..webrtc.publications import Publications
from ..webrtc.resources import Resources
from .app import make_app
from .connections import Connections
from .settings import ServeSettings

M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Of glibc's mallopt(3)."""
MAPPED_BYTES: Final = 1 << 17
"""Blocks of this size and larger are mapped on their own and return to the system when freed. glibc would raise that
threshold as frames come and go, and put them into its heaps, which fragment."""
MAX_ARENAS: Final = 1
"""By default glibc gives threads heaps of their own. Memory that one thread allocates and another frees fragments them,
and the process grows by megabytes an hour. With one heap its size stays constant."""
SHUTDOWN_TIMEOUT_S: Final = 2.0
"""How long requests in progress may take when the server stops."""

log = logging.getLogger(__name__)


def _print(line: str) -> None:
    print(line, flush=True)  # a pipe would keep the line back until the server stops


def run_server(settings: ServeSettings, say: Callable[[str], None] = _print) -> int:
    """Serve until SIGTERM or SIGINT, then tell the clients and finish the recordings.

    Returns the exit code: 143 after SIGTERM, 130 after SIGINT. ``say`` gets the few lines for whoever started the
    server. Raises ``ConfigurationError`` where the port is taken or the certificate cannot be used, and ``EngineError``
    or ``MissingDependencyError`` where a net cannot be used.
    """
    _limit_heap_growth()
    # aiortc logs every frame that cannot be decoded. A client may send many, and they are counted as drops anyway.
    logging.getLogger("aiortc.rtcrtpreceiver").setLevel(logging.ERROR)
    return asyncio.run(_run(settings, say))


def _limit_heap_growth() -> None:
    """Must run before the first thread starts. Other C libraries than glibc lack these settings or do not need them."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, MAX_ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)


async def _run(settings: ServeSettings, say: Callable[[str], None]) -> int:
    tls = settings.tls()
    listener = _listen(settings)
    loop = asyncio.get_running_loop()
    # Each connection encodes one video frame and one audio frame at a time, in threads of this pool.
    workers = 8 + 2 * settings.server.max_sessions + 2 * settings.server.max_viewers
    loop.set_default_executor(ThreadPoolExecutor(workers, thread_name_prefix="worker"))
    stopped: asyncio.Future[int] = loop.create_future()
    classifier, nets = BatchedClassifier(settings.analysis, device=settings.device), SharedNets(settings.device)
    analysis = settings.analysis
    levels = levels_for(analysis.net, analysis.rate_hz, analysis.passes)
    _stop_on(loop, stopped, signal.SIGTERM, 143)
    _stop_on(loop, stopped, signal.SIGINT, 130)
    try:
        await asyncio.to_thread(classifier.start, levels)
        publications = _publications(settings, classifier, nets, levels)
        runner = web.AppRunner(
            make_app(publications, settings.access(), settings.controls, settings.stun),
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )
        await runner.setup()
        assert runner.server is not None
        connections = Connections(runner.server, tls=tls, proxies=settings.proxies())
        connections.start(listener)
        _announce(settings, listener.getsockname()[1], say)
        code = await stopped
        log.info("stopping")
        await connections.stop()
        await publications.stop()
        await runner.cleanup()
        await asyncio.to_thread(classifier.close)
        return code
    finally:
        nets.close()
        listener.close()


def _publications(
    settings: ServeSettings, classifier: BatchedClassifier, nets: SharedNets, levels: Sequence[Quality]
) -> Publications:
    return Publications(
        Resources(
            classifier=classifier,
            nets=nets,
            controls=settings.controls,
            levels=levels,
            controller=ControllerOptions(budget_s=settings.live.latency_ms / 1000),
            ice_servers=settings.ice_servers(),
            max_pixels=settings.server.max_pixels,
            candidate_rule=settings.server.candidates,
            max_candidates=settings.server.max_candidates,
        ),
        max_publications=settings.server.max_sessions,
        max_viewers=settings.server.max_viewers,
        make_recording=None if settings.recordings is None else recordings_in(settings.recordings),
    )


def _listen(settings: ServeSettings) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            settings.server.host, settings.server.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family = found[0][0]
        return socket.create_server((settings.server.host, settings.server.port), family=family)
    except OSError as error:
        where = f"{settings.server.host}, port {settings.server.port}"
        taken = error.errno == errno.EADDRINUSE
        hint = "Another program uses it; choose another port." if taken else "Choose another host or port."
        raise ConfigurationError(f"Cannot listen on {where}: {error.strerror}. {hint}") from error


def _stop_on(loop: asyncio.AbstractEventLoop, stopped: "asyncio.Future[int]", number: int, code: int) -> None:
    """The first signal starts the shutdown; a second one of its kind has its default effect."""

    def stop() -> None:
        loop.remove_signal_handler(number)
        if not stopped.done():
            stopped.set_result(code)

    with contextlib.suppress(NotImplementedError):  # on Windows Ctrl-C interrupts the loop
        loop.add_signal_handler(number, stop)


def _announce(settings: ServeSettings, port: int, say: Callable[[str], None]) -> None:
    scheme = "http" if settings.certificate is None else "https"
    host = socket.gethostname() if settings.server.host in ("0.0.0.0", "::") else settings.server.host
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    token = f"#token={settings.token}" if settings.token_is_new else ""
    hint = " and enter the token" if settings.token and not settings.token_is_new else ""
    say(f"Open {address}/{token}{hint}")
    say(f"Publish by WHIP to {address}/whip?public=NAME, watch by WHEP at {address}/whep/NAME; Ctrl-C ends it.")
    if scheme == "http" and not settings.is_loopback:
        say("Browsers allow the camera over https and on localhost only; set a certificate and its key for https.")
