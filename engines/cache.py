"""Compiled nets on disk, so that a net is compiled once and not at every start.

The cache is the folder ``$EMOCOLOR_CACHE``, else ``$XDG_CACHE_HOME/emocolor-stream``, else
``~/.cache/emocolor-stream``, with one file per engine. A file is one line of JSON (all facts that the engine was built
for, when and in how many seconds, and the SHA-256 of what follows), then the engine as its runtime serialises it: a
blob of OpenVINO or a plan of TensorRT.

**Trust.** Neither is a pickle or TorchScript, but the runtimes trust both: they are parsed in native code, and a plan
holds code for the GPU. A file is therefore read only if it and its folder belong to the user (or to root) and nobody
else may write to them, and it is used only if facts and hash agree.

**Several processes.** A file is written under a temporary name and renamed, and it is built under a lock: the first
process builds, the others wait and load. If the cache cannot be used, the program goes on without it and warns once.
A new engine replaces one of the same net with other weights.
"""

import contextlib
import datetime
import glob
import hashlib
import json
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from emocolor.errors import EngineError

from .regular_files import NotRegularError, open_regular, read_bounded
from .system_files import HAS_OWNERS, NO_LINKS, NO_WAIT, RENAMES_OPEN_FILES, lock

Engine = TypeVar("Engine")

SUFFIX: Final = ".engine"
PART: Final = ".part"
MAX_HEADER_BYTES: Final = 65536
MAX_FILE_BYTES: Final = 2**31
POLL_INTERVAL_S: Final = 0.1
"""Between two attempts at a lock that another process holds. ``flock`` can wait, but not with a time limit."""

log = logging.getLogger(__name__)
_USER_CACHE_LOCK: Final = threading.Lock()
"""``functools.cache`` alone may call its function in two threads, and two caches would each warn."""


@dataclass(frozen=True)
class EngineKey:
    """What an engine is built for. If any fact differs, it is another engine."""

    backend: str
    net: str
    precision: str
    facts: Mapping[str, str]
    """All else that shapes it: hash of the weights, versions, CPU or GPU, and sizes if they are built in."""

    @property
    def all_facts(self) -> dict[str, str]:
        return {"backend": self.backend, "net": self.net, "precision": self.precision, **self.facts}

    @property
    def file_name(self) -> str:
        digest = hashlib.sha256(json.dumps(self.all_facts, sort_keys=True).encode()).hexdigest()
        net = re.sub(r"[^A-Za-z0-9_-]", "_", self.net)[:40]
        return f"{self.backend}-{net}-{self.precision}-{digest[:16]}{SUFFIX}"

    def __str__(self) -> str:
        return f"{self.net} for {self.backend} in {self.precision}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An engine in the cache as its header describes it; the engine itself is not read."""

    path: Path
    facts: Mapping[str, str]
    built: str
    """Local date and time, ISO 8601."""
    seconds: float
    """How long the build took."""
    size: int
    """Size of the file in bytes."""

    def difference(self, facts: Mapping[str, str]) -> str:
        """The first fact that differs, as text for people; empty if all agree."""
        for name, value in facts.items():
            if self.facts.get(name) != value:
                return f"built for {name} {_short(self.facts.get(name, 'unknown'))}, here is {_short(value)}"
        return ""


class EngineCache:
    """The engines in one folder, which need not exist yet. Safe for several threads and processes at a time."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder nothing is kept."""
        self.folder = folder
        self._first_warning = threading.Semaphore(1)
        """Taken by the first warning and never released."""

    def engine(
        self,
        key: EngineKey,
        load: Callable[[bytes], Engine],
        build: Callable[[], tuple[Engine, bytes]],
        *,
        max_wait_s: float = 60,
        slow: bool = False,
    ) -> Engine:
        """Load the engine that was kept for ``key``, or build it and keep it.

        ``load`` may refuse the stored bytes with ``EngineError``; the engine is then built again. ``build`` returns
        the engine and the bytes to store. If another process is building the same engine, this one waits up to
        ``max_wait_s``, then builds its own. A ``slow`` build is announced by a warning. Raises what ``build`` raises.
        """
        found = self._loaded(key, load)
        if found is not None:
            return found
        path = self._path_to_write(key)
        if path is None:
            return build()[0]
        with _lock(path.with_suffix(".lock"), max_wait_s):
            found = self._loaded(key, load)  # another process may have built it
            if found is not None:
                return found
            level, note = (logging.WARNING, "; this takes minutes") if slow else (logging.INFO, "")
            log.log(level, "building %s%s%s", key, self._rebuild_reason(key), note)
            started = time.monotonic()
            made, content = build()
            self._write(path, key, content, time.monotonic() - started)
            return made

    def holds(self, key: EngineKey) -> bool:
        """Whether there is an engine for ``key`` that is complete and can be trusted."""
        return self._content(key) is not None

    def entries(self) -> list[Entry]:
        """All engines, sorted by file name. Other files are left out."""
        try:
            paths = sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder is not None else []
        except OSError:  # a folder that cannot be read
            paths = []
        return [entry for entry in map(_read_entry, paths) if entry is not None]

    def remove(self, entries: list[Entry]) -> None:
        """Remove engines. Raises ``EngineError`` if one cannot be removed."""
        for entry in entries:
            try:
                entry.path.unlink(missing_ok=True)
            except OSError as error:
                raise EngineError(f"{entry.path} cannot be removed: {error.strerror}.") from error

    def _loaded(self, key: EngineKey, load: Callable[[bytes], Engine]) -> Engine | None:
        content = self._content(key)
        if content is None:
            return None
        try:
            return load(content)
        except EngineError as error:
            log.warning("the cached engine %s cannot be used and is built again: %s", key, error)
            return None

    def _content(self, key: EngineKey) -> bytes | None:
        """The bytes stored for ``key`` if they are complete and can be trusted; else ``None``, after a warning."""
        if self.folder is None:
            return None
        path = self.folder / key.file_name
        try:
            with open_regular(path) as file:
                for place, found in ((self.folder, self.folder.stat()), (path, os.fstat(file.fileno()))):
                    if reason := _distrust(found):
                        self._warn_once(f"{place} {reason}")
                        return None
                header = json.loads(file.readline(MAX_HEADER_BYTES))
                content = read_bounded(file, MAX_FILE_BYTES)
            if header["facts"] != key.all_facts:
                raise ValueError("it was built for other facts")
            if header["sha256"] != hashlib.sha256(content).hexdigest():
                raise ValueError("its hash differs")
        except FileNotFoundError:
            return None
        except NotRegularError as error:
            log.warning("the cached engine %s is damaged and is built again: %s", path, error.strerror)
            return None
        except OSError as error:
            self._warn_once(f"{path} cannot be read: {error.strerror}")
            return None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            log.warning("the cached engine %s is damaged and is built again: %s", path, error)
            return None
        return content

    def _path_to_write(self, key: EngineKey) -> Path | None:
        """Where the engine goes; ``None`` if no file can be made there, after a warning."""
        if self.folder is None:
            return None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if reason := _distrust(self.folder.stat()):
                self._warn_once(f"{self.folder} {reason}")
                return None
            if not os.access(self.folder, os.W_OK):
                self._warn_once(f"{self.folder} cannot be written")
                return None
        except OSError as error:
            self._warn_once(f"{self.folder} cannot be used: {error.strerror}")
            return None
        return self.folder / key.file_name

    def _write(self, path: Path, key: EngineKey, content: bytes, seconds: float) -> None:
        header = {
            "facts": key.all_facts,
            "sha256": hashlib.sha256(content).hexdigest(),
            "built": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "seconds": round(seconds, 2),
        }
        prefix = f".{path.name}."
        _remove_leftovers(path.parent, prefix)
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=prefix, suffix=PART, delete=False) as file:
                try:
                    with contextlib.suppress(OSError):  # a file system without locks
                        lock(file.fileno())
                    file.write(json.dumps(header).encode() + b"\n" + content)
                    file.flush()
                    if not RENAMES_OPEN_FILES:
                        file.close()
                    os.replace(file.name, path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            self._warn_once(f"{path.parent} cannot be written: {error.strerror}")
            return
        superseded = [entry for entry in self.entries() if _differs_only_in_weights(entry.facts, key.all_facts)]
        with contextlib.suppress(EngineError):  # an old file costs space and nothing else
            self.remove(superseded)

    def _rebuild_reason(self, key: EngineKey) -> str:
        """Why the engine of the same name cannot be used, in brackets; empty if there is none."""
        same = [entry for entry in self.entries() if key.all_facts.items() >= _identity(entry.facts).items()]
        return f" ({same[-1].difference(key.facts)})" if same else ""

    def _warn_once(self, reason: str) -> None:
        if self._first_warning.acquire(blocking=False):
            log.warning("compiled nets are not kept: %s.", reason)


def user_cache() -> EngineCache:
    """The user's cache, one object per folder and process."""
    with _USER_CACHE_LOCK:
        return _cache_in(_user_folder())


def _user_folder() -> Path | None:
    if folder := os.environ.get("EMOCOLOR_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The XDG base directory specification says to ignore relative paths.
        return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "emocolor-stream"
    except RuntimeError:  # the user has no home
        return None


@cache
def _cache_in(folder: Path | None) -> EngineCache:
    return EngineCache(folder)


def _distrust(found: os.stat_result) -> str:
    """Why a file or folder may be the work of another user; empty if it cannot be."""
    if not HAS_OWNERS:
        return ""
    if found.st_uid not in (os.getuid(), 0):
        return "belongs to another user"
    return "can be written by others; chmod go-w fixes that" if found.st_mode & 0o022 else ""


@contextlib.contextmanager
def _lock(path: Path, max_wait_s: float) -> Iterator[None]:
    """Hold a lock, which a process that dies releases; after ``max_wait_s`` go on without it.

    Going on is harmless: a process without the lock builds the same engine, and files are put in place by renaming.
    """
    file = _acquire(path, max_wait_s)
    try:
        yield
    finally:
        if file is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(file)


def _remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove temporary files whose process was killed: nobody locks them any more."""
    for left in folder.glob(f"{glob.escape(prefix)}*{PART}"):
        with contextlib.suppress(OSError):
            file = os.open(left, os.O_RDWR | NO_LINKS | NO_WAIT)
            try:
                lock(file)
                left.unlink()
            finally:
                os.close(file)


def _acquire(path: Path, max_wait_s: float) -> int | None:
    deadline, announced = time.monotonic() + max_wait_s, False
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o600)
        except OSError:
            return None
        try:
            lock(file)
            # The last holder removes the file, so this lock may be on a file that is no longer there.
            if os.fstat(file).st_ino == path.stat().st_ino:
                return file
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError:  # a file system without locks
            os.close(file)
            return None
        os.close(file)
        if time.monotonic() > deadline:
            return None
        if not announced:
            log.info("%s is being built already; waiting for it", path.stem)
            announced = True
        time.sleep(POLL_INTERVAL_S)


def _read_entry(path: Path) -> Entry | None:
    try:
        with open_regular(path) as file:
            header: dict[str, Any] = json.loads(file.readline(MAX_HEADER_BYTES))
        facts = {str(name): str(value) for name, value in header["facts"].items()}
        if not all(_identity(facts).values()):
            return None
        return Entry(
            path=path,
            facts=facts,
            built=str(header["built"]),
            seconds=float(header["seconds"]),
            size=path.stat().st_size,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _differs_only_in_weights(facts: Mapping[str, str], others: Mapping[str, str]) -> bool:
    return facts.keys() == others.keys() and [name for name in facts if facts[name] != others[name]] == ["weights"]


def _identity(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: facts.get(name, "") for name in ("backend", "net", "precision")}


def _short(value: str) -> str:
    """A hash by its first digits, which are enough to tell two apart."""
    return value[:12] if re.fullmatch("[0-9a-f]{64}", value) else value
