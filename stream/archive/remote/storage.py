"""A folder behind a URL that fsspec knows, such as ``s3://bucket/films``: files appear there when they are whole."""

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from emocolor.errors import ConfigurationError, MissingDependencyError, SinkError

from ...redaction import redacted

PUT_WHOLE: Final = frozenset({"s3", "gs", "abfs", "az", "oci", "oss", "memory"})
"""Protocols whose files appear whole or not at all; with others they are written under another name and renamed."""
LONGEST_REASON: Final = 200
EXTRA: Final = "pip install 'emocolor-stream[cluster]'"


class StorageError(SinkError):
    """What lies behind a URL cannot be read or written."""


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file behind a URL."""

    name: str
    """Its path in the folder."""
    size: int
    modified: float
    """In seconds since 1970; 0 where its file system does not tell."""


class Storage:
    """A folder behind a URL. Its methods raise ``StorageError``."""

    def __init__(self, url: str) -> None:
        """Raises ``MissingDependencyError`` without the packages for its protocol, and ``ConfigurationError``."""
        self.name = redacted(url)
        """For messages, without passwords."""
        self._files, self._folder = _file_system(url, self.name)
        protocol = self._files.protocol
        self._puts_whole = not PUT_WHOLE.isdisjoint([protocol] if isinstance(protocol, str) else protocol)

    def sizes(self) -> dict[str, int]:
        """Names of its files, with their sizes; none where there is no such folder."""
        with self._telling("read", self.name):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._folder, detail=True)
            except FileNotFoundError:
                return {}
            files = [entry for entry in found if entry["type"] == "file"]
            return {str(entry["name"]).rpartition("/")[2]: int(entry["size"]) for entry in files}

    def files_below(self) -> list[StoredFile]:
        """All its files, and those of folders in it."""
        with self._telling("read", self.name):
            self._files.invalidate_cache()
            found = self._files.find(self._folder, detail=True)
            start = len(self._files._strip_protocol(self._folder).rstrip("/")) + 1
            return [
                StoredFile(name=str(path)[start:], size=int(entry["size"]), modified=_date_of(entry))
                for path, entry in found.items()
            ]

    def size(self, name: str) -> int | None:
        """Of one file; ``None`` where it is not there."""
        with self._telling("read", f"{self.name}/{name}"):
            self._files.invalidate_cache()
            try:
                return int(self._files.info(self._path(name))["size"])
            except FileNotFoundError:
                return None

    def get(self, name: str, path: Path) -> None:
        """Copy a file of it to ``path``."""
        with self._telling("read", f"{self.name}/{name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(self._path(name), str(path))

    def get_all(self, names: Iterable[str], folder: Path) -> None:
        """Copy files of it into ``folder``, several at a time where its file system can."""
        paths = {name: folder / name for name in names}
        with self._telling("read", self.name):
            for path in paths.values():
                path.parent.mkdir(parents=True, exist_ok=True)
            if paths:
                self._files.get([self._path(name) for name in paths], [str(path) for path in paths.values()])

    def put(self, path: Path, name: str) -> None:
        """Copy a file into it, in place of what is there under that name."""
        with self._telling("write", f"{self.name}/{name}"):
            place = self._path(name)
            if self._puts_whole:
                # Without makedirs, which would make a bucket that was misspelled.
                self._files.put_file(str(path), place)
                return
            self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
            part = f"{place}.{secrets.token_hex(4)}.part"
            try:
                self._files.put_file(str(path), part)
                self._files.mv(part, place)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._files.rm_file(part)
                raise

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone already are no error."""
        for name in names:
            with self._telling("remove", f"{self.name}/{name}"), contextlib.suppress(FileNotFoundError):
                self._files.rm_file(self._path(name))

    def remove_all(self) -> None:
        """Remove its files, and the folder itself where there are such things."""
        self.remove(self.sizes())
        with contextlib.suppress(Exception):  # no folders there, or something else in it
            self._files.rmdir(self._folder)

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    @contextlib.contextmanager
    def _telling(self, deed: str, what: str) -> Iterator[None]:
        """File systems raise errors of their own, beside ``OSError``."""
        try:
            yield
        except Exception as error:
            raise StorageError(f"Cannot {deed} {what}: {_reason(error)}.") from error


def _date_of(entry: Mapping[str, Any]) -> float:
    for name in ("LastModified", "last_modified", "updated", "mtime", "created"):
        found = entry.get(name)
        if isinstance(found, datetime):
            return found.timestamp()
        if isinstance(found, int | float):
            return float(found)
    return 0.0


def _reason(error: Exception) -> str:
    first = redacted(str(error).strip().partition("\n")[0])
    return first[:LONGEST_REASON].rstrip(".") or type(error).__name__


def _file_system(url: str, name: str) -> tuple[Any, str]:
    """fsspec's file system, and the folder's path there."""
    try:
        from fsspec.core import url_to_fs

        files, folder = url_to_fs(url)
    except ImportError as error:
        in_extra = url.startswith(("s3:", "s3a:")) or (error.name or "").startswith("fsspec")
        hint = EXTRA if in_extra else str(error)
        raise MissingDependencyError(f"Results at {name} need another package: {hint}.") from error
    except ValueError as error:
        raise ConfigurationError(f"Results cannot be written to {name}: {_reason(error)}.") from error
    except Exception as error:  # some connect now
        raise StorageError(f"Cannot reach {name}: {_reason(error)}.") from error
    return files, str(folder).rstrip("/")
