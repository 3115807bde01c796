"""Compiled nets on disk, so that a net is compiled once and not at every start.

They lie in ``$EMOCOLOR_CACHE``, else ``$XDG_CACHE_HOME/emocolor-stream``, else ``~/.cache/emocolor-stream``, one file
per engine. A file is a line of JSON (all facts that the engine was built for, when and in how many seconds, and the
SHA-256 of what follows), and the engine as its runtime serialises it: a blob of OpenVINO or a plan of TensorRT. None
of them is a pickle or TorchScript, but runtimes take both for trusted: they are parsed in native code, and a plan
holds code for the GPU. So a file is read only where it and its folder belong to the user (or to root) and nobody else
may write them, and used only where facts and hash agree.

Files are written under another name and renamed, and built under a lock, so that of several processes that want one
engine the first builds it and the others wait and load it. A cache that cannot be used is done without, and that is
said once. An engine of a net takes the place of one of the same net with other weights.
"""

import contextlib
import datetime
import fcntl
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

Engine = TypeVar("Engine")

SUFFIX: Final = ".engine"
LONGEST_HEADER: Final = 65536
"""bytes."""
LOOK_AGAIN_SECONDS: Final = 0.1
"""How often a process that waits for another one's engine looks whether it is there."""

log = logging.getLogger(__name__)
_ONE_AT_A_TIME: Final = threading.Lock()


@dataclass(frozen=True)
class EngineKey:
    """What an engine is built for. Another value of any fact makes it another engine."""

    backend: str
    net: str
    precision: str
    facts: Mapping[str, str]
    """All else that shapes it: hash of the weights, versions, processor; sizes where they are built in."""

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
    """An engine in the cache, as its first line tells; what follows is not looked at."""

    path: Path
    facts: Mapping[str, str]
    built: str
    """Date and time, local, ISO 8601."""
    seconds: float
    """How long that took."""
    size: int
    """bytes of the file."""

    def difference(self, facts: Mapping[str, str]) -> str:
        """The first fact that is another one, for people to read; empty where all agree."""
        for name, value in facts.items():
            if self.facts.get(name) != value:
                return f"built for {name} {_short(self.facts.get(name, 'unknown'))}, here is {_short(value)}"
        return ""


class EngineCache:
    """The engines in one folder, which need not exist. May be used by several threads and processes at once."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder nothing is kept."""
        self.folder = folder
        self._unspoken = threading.Semaphore(1)
        """Taken by the first complaint, for good."""

    def engine(
        self,
        key: EngineKey,
        load: Callable[[bytes], Engine],
        build: Callable[[], tuple[Engine, bytes]],
        *,
        patience_s: float = 60,
        slow: bool = False,
    ) -> Engine:
        """The engine that was kept for ``key``, loaded, or else one that is built now, and kept.

        ``load`` may refuse with ``EngineError`` what was kept: it is then built again. ``build`` gives the engine and
        what is to be kept of it. A process waits ``patience_s`` for another one that builds the same, then builds
        for itself alone. ``slow`` engines are announced before they are built. Raises what ``build`` raises.
        """
        found = self._loaded(key, load)
        if found is not None:
            return found
        path = self._path_to_write(key)
        if path is None:
            return build()[0]
        with _lock(path.with_suffix(".lock"), patience_s):
            found = self._loaded(key, load)  # another process may have built it
            if found is not None:
                return found
            minutes = "; this takes minutes" if slow else ""
            log.log(logging.WARNING if slow else logging.INFO, "building %s%s%s", key, self._why(key), minutes)
            started = time.monotonic()
            made, content = build()
            self._write(path, key, content, time.monotonic() - started)
            return made

    def holds(self, key: EngineKey) -> bool:
        """Whether there is an engine for ``key``, whole and to be trusted."""
        return self._content(key) is not None

    def entries(self) -> list[Entry]:
        """All engines, by name; files that are none are left out."""
        paths = sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder is not None and self.folder.is_dir() else []
        return [entry for entry in map(_read_entry, paths) if entry is not None]

    def remove(self, entries: list[Entry]) -> None:
        """Remove engines; raises ``EngineError`` where one cannot be removed."""
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
            log.warning("the engine %s that was kept cannot be used, and is built again: %s", key, error)
            return None

    def _content(self, key: EngineKey) -> bytes | None:
        """What was kept for ``key``, if it is there, whole, and to be trusted; else ``None``, saying why."""
        if self.folder is None:
            return None
        path = self.folder / key.file_name
        try:
            with path.open("rb") as file:
                for place, found in ((self.folder, self.folder.stat()), (path, os.fstat(file.fileno()))):
                    if reason := _distrust(found):
                        self._complain(f"{place} {reason}")
                        return None
                header, content = json.loads(file.readline(LONGEST_HEADER)), file.read()
            if header["facts"] != key.all_facts:
                raise ValueError("it was built for something else")
            if header["sha256"] != hashlib.sha256(content).hexdigest():
                raise ValueError("its hash is another one")
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain(f"{path} cannot be read: {error.strerror}")
            return None
        except (ValueError, KeyError, TypeError) as error:
            log.warning("the engine %s that was kept is damaged, and is built again: %s", path, error)
            return None
        return content

    def _path_to_write(self, key: EngineKey) -> Path | None:
        """Where the engine goes; ``None``, saying so once, where no file can be made."""
        if self.folder is None:
            return None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if reason := _distrust(self.folder.stat()):
                self._complain(f"{self.folder} {reason}")
                return None
            if not os.access(self.folder, os.W_OK):
                self._complain(f"{self.folder} cannot be written")
                return None
        except OSError as error:
            self._complain(f"{self.folder} cannot be used: {error.strerror}")
            return None
        return self.folder / key.file_name

    def _write(self, path: Path, key: EngineKey, content: bytes, seconds: float) -> None:
        header = {
            "facts": key.all_facts,
            "sha256": hashlib.sha256(content).hexdigest(),
            "built": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "seconds": round(seconds, 2),
        }
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
                try:
                    file.write(json.dumps(header).encode() + b"\n" + content)
                    file.close()
                    os.replace(file.name, path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            self._complain(f"{path.parent} cannot be written: {error.strerror}")
            return
        superseded = [entry for entry in self.entries() if _differs_in_weights_alone(entry.facts, key.all_facts)]
        with contextlib.suppress(EngineError):
            self.remove(superseded)

    def _why(self, key: EngineKey) -> str:
        """What keeps the engine of the same name from being used, if there is one."""
        same = [entry for entry in self.entries() if key.all_facts.items() >= _named(entry.facts).items()]
        return f" ({same[-1].difference(key.facts)})" if same else ""

    def _complain(self, what: str) -> None:
        if self._unspoken.acquire(blocking=False):
            log.warning("compiled nets are not kept: %s.", what)


def user_cache() -> EngineCache:
    """The user's cache, one object per folder and process."""
    with _ONE_AT_A_TIME:
        return _cache_in(_user_folder())


def _user_folder() -> Path | None:
    if folder := os.environ.get("EMOCOLOR_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The XDG base directory specification has relative paths ignored.
        return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "emocolor-stream"
    except RuntimeError:  # there is no home
        return None


@cache
def _cache_in(folder: Path | None) -> EngineCache:
    return EngineCache(folder)


def _distrust(found: os.stat_result) -> str:
    """Why what lies there may be somebody else's work; empty where it may not."""
    if found.st_uid not in (os.getuid(), 0):
        return "belongs to another user"
    return "can be written by others; chmod go-w fixes that" if found.st_mode & 0o022 else ""


@contextlib.contextmanager
def _lock(path: Path, patience_s: float) -> Iterator[None]:
    """Hold a lock that ends with the process if nothing else ends it; goes on without it when patience ends.

    That is harmless: who builds without the lock builds the same, and files are put in place by renaming.
    """
    file = _acquire(path, patience_s)
    try:
        yield
    finally:
        if file is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(file)


def _acquire(path: Path, patience_s: float) -> int | None:
    deadline, said = time.monotonic() + patience_s, False
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_ino == path.stat().st_ino:
                return file
        except (BlockingIOError, FileNotFoundError):
            pass  # another process or thread has it, or had it and has removed the file
        except OSError:  # a file system without locks
            os.close(file)
            return None
        os.close(file)
        if time.monotonic() > deadline:
            return None
        if not said:
            log.info("%s is being built already; waiting for it", path.stem)
            said = True
        time.sleep(LOOK_AGAIN_SECONDS)


def _read_entry(path: Path) -> Entry | None:
    try:
        with path.open("rb") as file:
            header: dict[str, Any] = json.loads(file.readline(LONGEST_HEADER))
        return Entry(
            path=path,
            facts=dict(header["facts"]),
            built=str(header["built"]),
            seconds=float(header["seconds"]),
            size=path.stat().st_size,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _differs_in_weights_alone(facts: Mapping[str, str], others: Mapping[str, str]) -> bool:
    return facts.keys() == others.keys() and [name for name in facts if facts[name] != others[name]] == ["weights"]


def _named(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: facts.get(name, "") for name in ("backend", "net", "precision")}


def _short(value: str) -> str:
    """Hashes are told apart by their first digits."""
    return value[:12] if re.fullmatch("[0-9a-f]{64}", value) else value
