"""Which films are to be rendered, and under which names: files, folders and lists, and a template for the outputs."""

import contextlib
import fnmatch
import os
import string
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from emocolor.errors import ConfigurationError, SourceError, nearest

from ..media.locations import is_standard_stream
from ..settings import RawValues
from .film import FOLDER_ENDING, FilmJob

FILM_SUFFIXES: Final = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gxf", ".m2p", ".m2ts", ".m2v", ".m4v", ".mj2",
    ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".rm", ".rmvb",
    ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
})  # fmt: skip
"""Endings of what counts as a film in a folder."""
DEFAULT_NAME: Final = "{relative}"
DEFAULT_SUFFIX: Final = ".mp4"
FIELDS: Final = ("stem", "suffix", "parent", "relative")
"""What a template for names may hold, in braces."""

Warn = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FoundFilm:
    """A film, and where it lay."""

    path: Path
    relative: PurePath
    """Below the folder in which it was found; of a film that was named itself, its name."""


@dataclass(frozen=True, kw_only=True)
class FilmSearch:
    """The films that files and folders stand for."""

    inputs: Sequence[Path]
    """A folder stands for all films below it, a file for itself, whatever its ending."""
    output: Path | None
    """The folder of finished films, unless that is behind a URL: it is not searched. Neither is what is hidden, nor are
    pieces."""
    patterns: Sequence[str] = ()
    """Choose films in folders by their names, in place of ``FILM_SUFFIXES``; one that holds a slash, by their paths."""

    def __post_init__(self) -> None:
        """Raises ``ConfigurationError`` for a folder that is input and output."""
        for folder in self.folders:
            if self.output is not None and os.path.realpath(folder) == os.path.realpath(self.output):
                raise ConfigurationError(
                    f"{folder} is the folder of finished films as well, which would be taken for films to render. "
                    "Write to another folder, such as one in it."
                )

    @property
    def folders(self) -> list[Path]:
        """The inputs that are folders."""
        return [path for path in self.inputs if os.path.isdir(path)]

    def find(self, warn: Warn = lambda text: None) -> list[FoundFilm]:
        """All films, each once, those of a folder in the order of their paths.

        ``warn`` is told which folders below cannot be read. Raises ``SourceError`` for such a folder that was named.
        """
        found: dict[str, FoundFilm] = {}
        for path in self.inputs:
            films = self._below(path, warn) if os.path.isdir(path) else _itself(path)
            for film in films:
                found.setdefault(os.path.abspath(film.path), film)
        return list(found.values())

    def _below(self, top: Path, warn: Warn) -> Iterator[FoundFilm]:
        def on_error(error: OSError) -> None:
            text = f"The folder {error.filename} cannot be read: {error.strerror}."
            if os.path.abspath(error.filename) == os.path.abspath(top):
                raise SourceError(text) from error
            warn(f"{text} Films in it are left out.")

        output = None if self.output is None else os.path.realpath(self.output)
        for parent, folders, names in os.walk(top, onerror=on_error):
            folder = Path(parent)
            folders[:] = sorted(name for name in folders if _is_searched(folder / name, output))
            for name in sorted(names):
                film = FoundFilm(path=folder / name, relative=(folder / name).relative_to(top))
                if not name.startswith(".") and self._is_chosen(film) and os.path.isfile(film.path):
                    yield film

    def _is_chosen(self, film: FoundFilm) -> bool:
        if not self.patterns:
            return film.path.suffix.lower() in FILM_SUFFIXES
        whole = film.relative.as_posix()
        return any(fnmatch.fnmatchcase(whole if "/" in one else film.path.name, one) for one in self.patterns)


@dataclass(frozen=True, kw_only=True)
class OutputNames:
    """What the outputs of films are called."""

    folder: Path
    template: str = DEFAULT_NAME
    """Where an output goes below the folder, without its ending: text with fields of the film in braces.

    ``{stem}`` is its name without ending, ``{suffix}`` that ending with its dot, ``{parent}`` the folder in which it
    lies, and ``{relative}`` its path below the folder that was searched, without ending.
    """
    suffix: str = DEFAULT_SUFFIX
    """The ending of all outputs, which decides about their container."""
    store: str | None = None
    """A URL below which the folder lies."""

    def __post_init__(self) -> None:
        """Raises ``ConfigurationError``."""
        if not self.suffix.startswith(".") or "/" in self.suffix:
            raise ConfigurationError(f"The ending of outputs begins with a dot, as .mkv does; got '{self.suffix}'.")
        _check_fields(self.template)
        if (ending := PurePath(self.template).suffix.lower()) in FILM_SUFFIXES:
            raise ConfigurationError(
                f"The name '{self.template}' ends in {ending}. Leave that out: outputs get an ending of their own."
            )
        if not _lies_below(PurePath(self.template.format_map(dict.fromkeys(FIELDS, "film")))):
            raise ConfigurationError(
                f"The name '{self.template}' leads out of the folder of finished films. Choose one that stays in it."
            )

    def path_of(self, film: FoundFilm) -> Path:
        """Raises ``ConfigurationError`` for a film whose name leads out of the folder."""
        name = PurePath(
            self.template.format(
                stem=film.path.stem,
                suffix=film.path.suffix,
                parent=film.path.absolute().parent.name,
                relative=film.relative.with_suffix("").as_posix(),
            )
        )
        if not _lies_below(name):
            raise ConfigurationError(f"The output of {film.path} would be '{name}'. Rename it, or choose another name.")
        return self.folder / name.with_name(name.name + self.suffix)


def film_jobs(films: Iterable[FoundFilm], names: OutputNames, values: RawValues) -> list[FilmJob]:
    """A job for each film. Raises ``ConfigurationError`` where two films would have the same output."""
    taken: dict[Path, FilmJob] = {}
    for film in films:
        job = FilmJob(input=film.path, output=names.path_of(film), values=values, store=names.store)
        if other := taken.get(job.output):
            raise ConfigurationError(
                f"{other.input} and {job.input} would both become {job.output}. Rename one, write to two folders, or "
                "give names that tell them apart, such as '{relative}{suffix}'."
            )
        taken[job.output] = job
    return list(taken.values())


def with_folders(jobs: Iterable[FilmJob]) -> Iterator[FilmJob]:
    """The jobs, for each of which the folder of its output is made when its turn comes."""
    for job in jobs:
        if job.store is None:
            with contextlib.suppress(OSError):  # what is wrong with it is the failure of this film alone
                job.output.parent.mkdir(parents=True, exist_ok=True)
        yield job


def read_list(path: Path) -> list[Path]:
    """The paths in a list, one a line, relative to its folder; ``-`` is standard input, relative to this folder.

    Blank lines are skipped, and those that begin with ``#``. Raises ``SourceError``, and ``ConfigurationError`` for a
    file that is no list.
    """
    is_piped = is_standard_stream(str(path))
    try:
        content = sys.stdin.buffer.read() if is_piped else path.read_bytes()
    except OSError as error:
        raise SourceError(f"The list {path} cannot be read: {error.strerror}.") from error
    if b"\0" in content:
        raise ConfigurationError(f"{path} is no list of films: it is not text. Write one path a line.")
    lines = [os.fsdecode(line.strip()) for line in content.removeprefix(b"\xef\xbb\xbf").splitlines()]
    base = Path() if is_piped else path.parent
    return [base / line for line in lines if line and not line.startswith("#")]


def _check_fields(template: str) -> None:
    """Raises ``ConfigurationError``."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ConfigurationError(f"The name '{template}' cannot be used: {error}. A brace itself is two.") from error
    for _, field, form, conversion in parts:
        if field is not None and field not in FIELDS:
            raise ConfigurationError(f"Unknown field '{field}' in the name '{template}'{nearest(field, FIELDS)}")
        if form or conversion:
            raise ConfigurationError(f"The field '{field}' in the name '{template}' takes no format. Leave that out.")


def _lies_below(name: PurePath) -> bool:
    return not name.is_absolute() and ".." not in name.parts and bool(name.name)


def _itself(path: Path) -> Iterator[FoundFilm]:
    yield FoundFilm(path=path, relative=PurePath(path.name))


def _is_searched(folder: Path, output: str | None) -> bool:
    hidden = folder.name.startswith(".") or folder.name.endswith(FOLDER_ENDING)
    return not hidden and os.path.realpath(folder) != output
