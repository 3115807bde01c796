"""Who renders pieces: this process, or several on this machine. Small records travel between them, never frames."""

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Protocol

from emocolor.errors import OutOfMemoryError

from ..files.stop_request import StopRequest
from ..pipeline.cores import usable_cores
from .film import FilmJob, render

MAX_LOST: Final = 3
"""A piece that so many workers did not survive is given up: it is the piece that ends them."""
STOP_INTERVAL_S: Final = 0.2
"""How often the loop that waits for workers looks whether it is to stop."""


class Executor(Protocol):
    """Renders pieces of planned films."""

    def finished(self, job: FilmJob, pieces: Sequence[int]) -> Iterator[int]:
        """Render these pieces; their numbers, as they are finished.

        Ends early at a stop, which drops the pieces in work. Raises the first error, once all work has ended.
        """
        ...


class InProcess:
    """Renders one piece after the other, here."""

    def __init__(self, stop: StopRequest | None = None) -> None:
        self._stop = stop or StopRequest()

    def finished(self, job: FilmJob, pieces: Sequence[int]) -> Iterator[int]:
        for piece in pieces:
            if self._stop.is_stopping or not render(job, piece, cores=usable_cores(), stop=self._stop):
                return
            yield piece


class Processes:
    """Renders several pieces in parallel, each in a process with its share of the cores."""

    def __init__(self, workers: int, stop: StopRequest | None = None) -> None:
        if workers < 1:
            raise ValueError(f"there cannot be {workers} workers")
        self._count, self._stop = workers, stop or StopRequest()

    def finished(self, job: FilmJob, pieces: Sequence[int]) -> Iterator[int]:
        waiting, lost = deque(pieces), Counter[int]()
        workers = [_Worker() for _ in range(min(self._count, len(pieces)))]
        cores = max(1, usable_cores() // self._count)
        try:
            while not self._stop.is_stopping:
                for index, worker in enumerate(workers):
                    if not worker.is_alive:
                        workers[index] = worker = _Worker()
                    if worker.piece is None and waiting:
                        worker.begin(job, waiting.popleft(), cores)
                busy = [worker for worker in workers if worker.piece is not None]
                if not busy:
                    return
                for worker in _ready(busy):
                    piece = worker.end()
                    if piece is not None:
                        yield piece
                        continue
                    waiting.appendleft(_again(worker.lost_piece, lost))
        finally:
            for worker in workers:
                worker.close()


class _Worker:
    """A process that renders one piece at a time."""

    def __init__(self) -> None:
        # A forked child would inherit threads' locks that nobody releases.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.piece: int | None = None
        """What it renders now."""
        self.lost_piece = -1

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def begin(self, job: FilmJob, piece: int, cores: int) -> None:
        self.connection.send((job, piece, cores))
        self.piece = piece

    def end(self) -> int | None:
        """The piece that is finished, or ``None`` where the process ended with it. Raises the piece's error."""
        assert self.piece is not None
        piece, self.piece = self.piece, None
        try:
            error = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            self.lost_piece = piece
            return None
        if error is not None:
            raise error
        return piece

    def close(self) -> None:
        """End the process, and drop what it renders."""
        if self.piece is not None:
            self._process.terminate()
        self.connection.close()
        self._process.join()


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


def _serve(connection: "Connection[Any, Any]") -> None:
    """What a worker process does: render what it is told, until nobody tells it any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job, piece, cores = connection.recv()
        except EOFError:
            return
        try:
            render(job, piece, cores=cores)
        except Exception as error:
            connection.send(error)
        else:
            connection.send(None)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def executor_for(workers: int, stop: StopRequest | None = None) -> Executor:
    """One worker is this process itself."""
    return InProcess(stop) if workers == 1 else Processes(workers, stop)
