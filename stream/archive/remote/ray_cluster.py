"""Renders pieces as Ray tasks, on this machine or on a cluster: paths and small records travel, never frames.

Ray decides where a piece is rendered, and renders it elsewhere where a node is lost. Errors of reading and writing are
tried again here, on another node if there is one; all others end the film.
"""

import contextlib
import logging
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Final

from emocolor.errors import (
    ConfigurationError,
    EmocolorError,
    MissingDependencyError,
    OutOfMemoryError,
    SinkError,
    SourceError,
)
from engines.runners.devices import wants_cuda

from ...files.stop_request import StopRequest
from ...pipeline.cores import usable_cores
from ..executors import MAX_LOST, REPORT_INTERVAL_S, STOP_INTERVAL_S, WORKER_BYTES, Tell
from ..film import FilmJob, PieceWork
from ..manifest import ManifestError
from .mirror import render

LOCAL: Final = "local"
"""The address that starts Ray on this machine, for this process alone."""
AUTO: Final = "auto"
"""The address of the cluster that this machine belongs to."""
MAX_FAILED: Final = 3
"""A piece that could not be read or written so often ends the film."""
RETRY_PAUSE_S: Final = 5.0
"""Before such a piece is tried again: a file server that restarts needs a moment."""
CONNECT_LIMIT_S: Final = 5.0
"""For the address of a cluster to accept a connection."""
END_LIMIT_S: Final = 10.0
"""For tasks to end that were cancelled; then their processes are killed."""
REPORTS: Final = 1000
"""Reports that wait for the driver; more are dropped."""
LONGEST_REASON: Final = 300
_LACKING: Final = re.compile(r"No module named '([\w.]+)'")
_NODE: Final = re.compile(r"\bip=([\w.:]+)")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster, as far as Ray tells them apart."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a worker is to do."""

    job: FilmJob
    piece: int
    cores: int
    folder: str
    """Where relative paths in options start."""
    pause_s: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a piece."""

    node: Node
    error: EmocolorError | None = None
    is_io: bool = False
    """Whether the error is one of reading or writing, which another try may not meet."""


class RayCluster:
    """Renders several pieces in parallel, each in a task that reserves cores, memory, and a GPU if nets run on one."""

    def __init__(
        self,
        address: str,
        *,
        cores: int = 1,
        memory_bytes: int = WORKER_BYTES,
        stop: StopRequest | None = None,
        retry_pause_s: float = RETRY_PAUSE_S,
    ) -> None:
        """``address`` is that of a cluster, as ``HOST:6379``, or ``local``. ``cores`` and memory are for a piece.

        Raises ``MissingDependencyError`` without Ray, and ``ConfigurationError`` where it cannot be reached.
        """
        _check_installed()
        if address not in (LOCAL, AUTO):
            _check_reachable(address)
        self._address, self._cores, self._memory_bytes = address, cores, memory_bytes
        self._stop, self._retry_pause_s = stop or StopRequest(), retry_pause_s
        self._reports: Any = None

    def finished(self, job: FilmJob, pieces: Sequence[int], tell: Tell = lambda _: None) -> Iterator[int]:
        """As an ``Executor``. Raises ``ConfigurationError`` where the cluster cannot be used."""
        if not pieces:
            return
        ray = connected(self._address)
        needs = self._needs(job)
        _check_fits(ray.nodes(), needs)
        if self._reports is None:
            self._reports = _reports(ray)
        waiting, running = deque(pieces), dict[Any, int]()
        failed, avoided = Counter[int](), defaultdict[int, set[str]](set)
        try:
            while (waiting or running) and not self._stop.is_stopping:
                while waiting:
                    piece = waiting.popleft()
                    pause_s = self._retry_pause_s if failed[piece] else 0.0
                    order = _order(job, piece, cores=self._cores, pause_s=pause_s)
                    options = {**needs, **_elsewhere(ray.nodes(), needs, avoided[piece])}
                    running[_task(ray, options).remote(order, self._reports)] = piece
                ready, _ = ray.wait(list(running), timeout=STOP_INTERVAL_S)
                for work in _taken(self._reports):
                    if work.piece in running.values():  # and not late
                        tell(work)
                for task in ready:
                    piece = running.pop(task)
                    outcome = _outcome(ray, task, piece)
                    if outcome.error is None:
                        yield piece
                        continue
                    failed[piece] += 1
                    if not outcome.is_io or failed[piece] >= MAX_FAILED:
                        raise _told(outcome, piece)
                    avoided[piece].add(outcome.node.id)
                    waiting.append(piece)
        finally:
            _end(ray, list(running))

    def _needs(self, job: FilmJob) -> dict[str, Any]:
        """What Ray reserves for each piece."""
        gpus = {"num_gpus": 1} if wants_cuda(job.settings.device) else {}
        return {"num_cpus": self._cores, "memory": self._memory_bytes, **gpus}


def connected(address: str) -> Any:
    """Ray, connected to the cluster. Raises ``ConfigurationError``."""
    # Ray would report its use to its makers otherwise. What is there already is the user's will.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return ray
    how = _starting_here() if address == LOCAL else {"address": address}
    try:
        with _signals_kept(), _quiet():
            ray.init(**how, configure_logging=False, log_to_driver=False)
    except Exception as error:  # Ray raises many kinds
        raise ConfigurationError(f"The Ray cluster at {address} cannot be used: {_one_line(error)}") from error
    return ray


def _starting_here() -> dict[str, Any]:
    """Ray for this process alone. It listens on the network and asks for a token, which it would keep in the home
    folder, were there none here."""
    if "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    return {"address": LOCAL, "num_cpus": usable_cores(), "include_dashboard": False}


def _check_installed() -> None:
    if find_spec("ray") is None:
        raise MissingDependencyError("Ray is not installed: pip install 'emocolor-stream[cluster]'.")


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes. Raises ``ConfigurationError``."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise ConfigurationError(f"{address} is no address of a Ray cluster: give HOST:PORT, {AUTO}, or {LOCAL}.")
    try:
        socket.create_connection((host, int(port)), CONNECT_LIMIT_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"No Ray cluster can be reached at {address}: {error}. Start one with 'ray start --head', or correct that."
        ) from error


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray replaces what handles SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray comments on every start."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _check_fits(nodes: Iterable[Mapping[str, Any]], needs: Mapping[str, Any]) -> None:
    """Raises ``ConfigurationError`` where no node could ever take a piece: Ray would wait for one without a word."""
    if not _fitting(nodes, needs):
        gpu = " and a GPU" if "num_gpus" in needs else ""
        raise ConfigurationError(
            f"No node of the Ray cluster has the {needs['num_cpus']} CPUs, {needs['memory'] / 1e9:.1f} GB{gpu} that a "
            "piece needs. Add one, or reserve less."
        )


def _elsewhere(nodes: Iterable[Mapping[str, Any]], needs: Mapping[str, Any], avoided: set[str]) -> dict[str, Any]:
    """Keeps a piece off nodes where it failed, unless there is no other."""
    if not avoided or avoided.issuperset(_fitting(nodes, needs)):
        return {}
    return {"label_selector": {"ray.io/node-id": f"!in({','.join(sorted(avoided))})"}}


def _fitting(nodes: Iterable[Mapping[str, Any]], needs: Mapping[str, Any]) -> set[str]:
    """The nodes that could take a piece, were they free."""
    wanted = {"CPU": needs["num_cpus"], "memory": needs["memory"], "GPU": needs.get("num_gpus", 0)}
    return {
        node["NodeID"]
        for node in nodes
        if node["Alive"] and all(node["Resources"].get(name, 0) >= count for name, count in wanted.items())
    }


def _order(job: FilmJob, piece: int, *, cores: int, pause_s: float) -> Order:
    """Paths travel whole: nodes start in other folders."""
    output = job.output.absolute() if job.store is None else job.output
    there = replace(job, input=job.input.absolute(), output=output)
    return Order(job=there, piece=piece, cores=cores, folder=os.getcwd(), pause_s=pause_s)


def _task(ray: Any, options: Mapping[str, Any]) -> Any:
    # Without retry_exceptions, Ray does a task again for lost workers alone.
    return ray.remote(render_on_node).options(**options, max_retries=MAX_LOST - 1, retry_exceptions=False)


def _reports(ray: Any) -> Any:
    """A queue that lives as long as the driver does, on its node."""
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Queue(REPORTS, actor_options={"num_cpus": 0, "scheduling_strategy": here})


def _taken(reports: Any) -> list[PieceWork]:
    """What has been reported. Raises nothing: reports are for people who watch."""
    with contextlib.suppress(Exception):
        return list(reports.get_nowait_batch(reports.qsize()))
    return []


def _outcome(ray: Any, task: Any, piece: int) -> Outcome:
    """Raises ``MissingDependencyError`` for a node without this program, ``OutOfMemoryError`` where workers died."""
    try:
        found = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        # Ray keeps neither the node nor the first error in fields of their own.
        module, address = _LACKING.search(str(error)), _NODE.search(str(error))
        if module is None:
            raise
        node = "A node" if address is None else f"The node {address[1]}"
        raise MissingDependencyError(
            f"{node} lacks the Python module {module[1]}: install the same emocolor-stream on every node."
        ) from None
    except ray.exceptions.RayError as error:
        raise OutOfMemoryError(
            f"{MAX_LOST} workers that rendered piece {piece} ended without a word. Their nodes may lack memory."
        ) from error
    assert isinstance(found, Outcome)
    return found


def _told(outcome: Outcome, piece: int) -> EmocolorError:
    """The error, with the name of the node."""
    assert outcome.error is not None
    text = f"Piece {piece} on node {outcome.node.name}: {outcome.error}"
    if isinstance(outcome.error, ManifestError):
        text += " All nodes need the same versions, nets and kind of device."
    outcome.error.args = (text,)
    return outcome.error


def _end(ray: Any, tasks: list[Any]) -> None:
    """Drop what is in work. What has not ended in time is killed."""
    for force in (False, True):
        for task in tasks:
            ray.cancel(task, force=force)
        if tasks:
            _, tasks = ray.wait(tasks, num_returns=len(tasks), timeout=END_LIMIT_S)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__


def render_on_node(order: Order, reports: Any) -> Outcome:
    """The task: it runs in a process of Ray's, on any node."""
    node = this_node()
    if order.pause_s:
        time.sleep(order.pause_s)
    with contextlib.suppress(OSError):  # a folder of the driver's machine alone
        os.chdir(order.folder)
    report = _Reporter(reports, f"{node.name}, process {os.getpid()}", order.piece)
    try:
        render(order.job, order.piece, cores=order.cores, progress=report)
    except EmocolorError as error:
        return Outcome(node=node, error=error, is_io=is_io(error))
    except OSError as error:
        failure = SinkError(f"A result cannot be read or written: {error}.")
        return Outcome(node=node, error=failure, is_io=True)
    return Outcome(node=node)


def is_io(error: EmocolorError) -> bool:
    """Whether the error came from reading or writing, and not from what was read."""
    if not isinstance(error, SourceError | SinkError):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return True
        cause = cause.__cause__
    return False


def this_node() -> Node:
    """Where this process runs: named by the host, and by the beginning of Ray's number for nodes that share one."""
    import ray

    number = str(ray.get_runtime_context().get_node_id())
    return Node(id=number, name=f"{socket.gethostname()}-{number[:4]}")


class _Reporter:
    """Reports the frames of a piece to the driver, some times a second."""

    def __init__(self, reports: Any, worker: str, piece: int) -> None:
        self._reports, self._worker, self._piece = reports, worker, piece
        self._sent = float("-inf")
        self(0)

    def __call__(self, frames: int) -> None:
        now = time.monotonic()
        if now - self._sent < REPORT_INTERVAL_S:
            return
        self._sent = now
        with contextlib.suppress(Exception):  # the queue is full, or the driver gone
            self._reports.put_nowait(PieceWork(worker=self._worker, piece=self._piece, frames=frames))
