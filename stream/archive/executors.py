"""Who renders pieces: this process, or several on this machine. Small records travel between them, never frames."""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Protocol, cast

from emocolor.errors import OutOfMemoryError
from engines.runners.devices import Device

from ..files.stop_request import StopRequest
from ..pipeline.cores import usable_cores, usable_memory
from .film import FilmJob, PieceWork
from .gpus import gpu_of_worker, gpus_for, see_alone
from .remote.mirror import Mirror, render

MAX_LOST: Final = 3
"""A piece that so many workers did not survive is given up: it is the piece that ends them."""
WORKER_BYTES: Final = 1_500_000_000
"""Memory of a worker: 0.45 GB at 640x360, 0.25 GB more for look-ahead at larger sizes, and as much again to spare."""
STOP_INTERVAL_S: Final = 0.2
"""How often the loop that waits for workers looks whether it is to stop."""
REPORT_INTERVAL_S: Final = 0.5
"""How often a worker process reports the frames of its piece."""
HERE: Final = "this process"

Tell = Callable[[PieceWork], None]


class Executor(Protocol):
    """Renders pieces of planned films."""

    def finished(self, job: FilmJob, pieces: Sequence[int], tell: Tell = ...) -> Iterator[int]:
        """Render these pieces; their numbers, as they are finished.

        ``tell`` is called when a piece is begun, and may be called as it proceeds. Ends early at a stop, which drops
        the pieces in work. Raises the first error, once all work has ended.
        """
        ...


class InProcess:
    """Renders one piece after the other, here."""

    def __init__(self, stop: StopRequest | None = None) -> None:
        self._stop = stop or StopRequest()

    def finished(self, job: FilmJob, pieces: Sequence[int], tell: Tell = lambda _: None) -> Iterator[int]:
        for piece in pieces:

            def on_frames(frames: int, piece: int = piece) -> None:
                tell(PieceWork(worker=HERE, piece=piece, frames=frames))

            if self._stop.is_stopping:
                return
            on_frames(0)
            if not render(job, piece, cores=usable_cores(), stop=self._stop, progress=on_frames):
                return
            yield piece


class Processes:
    """Renders several pieces in parallel, each in a process with its share of the cores, and of the GPUs."""

    def __init__(self, workers: int, stop: StopRequest | None = None) -> None:
        if workers < 1:
            raise ValueError(f"there cannot be {workers} workers")
        self._count, self._stop = workers, stop or StopRequest()

    def finished(self, job: FilmJob, pieces: Sequence[int], tell: Tell = lambda _: None) -> Iterator[int]:
        waiting, lost = deque(pieces), Counter[int]()
        gpus, cores = gpus_for(job.settings.device), max(1, usable_cores() // self._count)
        workers = [_Worker(number, gpus) for number in range(min(self._count, len(pieces)))]
        try:
            while not self._stop.is_stopping:
                for index, worker in enumerate(workers):
                    if not worker.is_alive:
                        workers[index] = worker = _Worker(index, gpus)
                    if worker.piece is None and waiting:
                        worker.begin(job, waiting.popleft(), cores)
                        tell(worker.work(0))
                busy = [worker for worker in workers if worker.piece is not None]
                if not busy:
                    return
                for worker in _ready(busy):
                    try:
                        frames = worker.receive()
                    except _WorkerLost:
                        waiting.appendleft(_again(worker.end(), lost))
                        continue
                    if frames is None:
                        yield worker.end()
                    else:
                        tell(worker.work(frames))
        finally:
            for worker in workers:
                worker.close()


class _WorkerLost(Exception):
    """A process ended with its piece."""


class _Worker:
    """A process that renders one piece at a time."""

    def __init__(self, number: int, gpus: Sequence[str]) -> None:
        self._name = f"process {number + 1}"
        # A forked child would inherit threads' locks that nobody releases.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, gpu_of_worker(number, gpus)), daemon=True)
        self._process.start()
        theirs.close()
        self.piece: int | None = None
        """What it renders now."""

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def begin(self, job: FilmJob, piece: int, cores: int) -> None:
        self.connection.send((job, piece, cores))
        self.piece = piece

    def receive(self) -> int | None:
        """Frames of the piece so far, or ``None`` where it is finished.

        Raises the piece's error, and ``_WorkerLost``.
        """
        try:
            report = self.connection.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise _WorkerLost from error
        if isinstance(report, Exception):
            raise report
        return cast("int | None", report)

    def work(self, frames: int) -> PieceWork:
        """What it does now."""
        assert self.piece is not None
        return PieceWork(worker=self._name, piece=self.piece, frames=frames)

    def end(self) -> int:
        """The piece that it renders no more."""
        assert self.piece is not None
        piece, self.piece = self.piece, None
        return piece

    def close(self) -> None:
        """End the process, and drop what it renders."""
        if self.piece is not None:
            self._process.terminate()
        self.connection.close()
        self._process.join()


class Mirrored:
    """Lets another executor render pieces whose results go behind a URL, and fetches each when it is finished."""

    def __init__(self, executor: Executor, mirror: Mirror) -> None:
        self._executor, self._mirror = executor, mirror

    def finished(self, job: FilmJob, pieces: Sequence[int], tell: Tell = lambda _: None) -> Iterator[int]:
        manifest = self._mirror.put_plan()
        for piece in self._executor.finished(self._mirror.job, pieces, tell):
            self._mirror.fetch_piece(manifest, piece)
            yield piece


def _ready(workers: Sequence[_Worker]) -> list[_Worker]:
    """The workers that have something to say; none where the time to look for a stop has come."""
    connections = wait([worker.connection for worker in workers], STOP_INTERVAL_S)
    return [worker for worker in workers if worker.connection in connections]


def _again(piece: int, lost: Counter[int]) -> int:
    """The piece, to be rendered once more. Raises ``OutOfMemoryError`` where that is useless."""
    lost[piece] += 1
    if lost[piece] >= MAX_LOST:
        raise OutOfMemoryError(
            f"{MAX_LOST} processes that rendered piece {piece} ended without a word. "
            "The machine may lack memory: try fewer workers."
        )
    return piece


def _serve(connection: "Connection[Any, Any]", gpu: str | None) -> None:
    """What a worker process does: render what it is told, until nobody tells it any more."""
    see_alone(gpu)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job, piece, cores = connection.recv()
        except EOFError:
            return
        try:
            render(job, piece, cores=cores, progress=_Reports(connection))
        except Exception as error:
            connection.send(error)
        else:
            connection.send(None)


class _Reports:
    """Sends the frames of a piece, some times a second."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection, self._sent = connection, time.monotonic()

    def __call__(self, frames: int) -> None:
        now = time.monotonic()
        if now - self._sent >= REPORT_INTERVAL_S:
            self._sent = now
            self._connection.send(frames)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def default_workers(device: Device = "auto", *, cores: int | None = None, free_bytes: int | None = None) -> int:
    """A worker for each GPU that nets run on, else for each core, but no more than have room in memory.

    Pieces by two workers with a core each take no more CPU time than by one with two cores, and leave none of it idle
    where a stage waits for another. Raises what :func:`~engines.runners.devices.wants_cuda` raises.
    """
    wanted = len(gpus_for(device)) or cores or usable_cores()
    return max(1, min(wanted, (usable_memory() if free_bytes is None else free_bytes) // WORKER_BYTES))


def executor_for(workers: int, stop: StopRequest | None = None) -> Executor:
    """One worker is this process itself."""
    return InProcess(stop) if workers == 1 else Processes(workers, stop)
