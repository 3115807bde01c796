"""The plan of a film, as JSON lines that people can read: a header, a line for each piece, and a line that ends it.

Everything that a piece depends on stands in it, so whoever renders a piece gets the same frames. A piece is named by a
hash of all that: what is on the disk under that name is valid, and nothing else is.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec

from emocolor.errors import ConfigurationError, SourceError

from ..media.source_info import Damage
from .frame_times import PtsList

SCHEMA: Final = 2
"""Version of the format; a manifest of another one is planned anew."""
SAMPLE_BYTES: Final = 1 << 20
"""So much of the beginning, and of the end, of an input tells it from others of its size."""
BETWEEN: Final = 30
BETWEEN_BYTES: Final = 1 << 15
"""Samples in between, and the bytes of each."""

Start = Literal["film", "cut", "joint"]
"""Where a piece starts: with the film, at a cut, or within a long shot."""


class ManifestError(ConfigurationError):
    """A manifest cannot be used: it is damaged, unfinished, or of another version."""


@dataclass(frozen=True, kw_only=True)
class InputIdentity:
    """Tells whether an input is still the one that was planned."""

    path: str
    bytes: int
    modified_ns: int
    sample_sha256: str
    """Of its beginning, its end, and samples in between."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """Raises ``SourceError`` where the input is gone or cannot be read."""
        digest = hashlib.sha256()
        try:
            status = path.stat()
            with path.open("rb") as file:
                for start, length in _samples(status.st_size):
                    file.seek(start)
                    digest.update(file.read(length))
        except OSError as error:
            raise SourceError(f"Cannot read {path}: {error.strerror}.") from error
        return cls(
            path=str(path.resolve()),
            bytes=status.st_size,
            modified_ns=status.st_mtime_ns,
            sample_sha256=digest.hexdigest(),
        )

    def differs_from(self, other: "InputIdentity") -> bool:
        """Whether they are two films; a copy at another place, or of another date, is the same one."""
        return (self.bytes, self.sample_sha256) != (other.bytes, other.sample_sha256)

    def is_at(self, path: Path) -> bool:
        """Whether it lies there now; a file whose size and date are the same is not read. Raises ``SourceError``."""
        with contextlib.suppress(OSError):
            status = path.stat()
            if (status.st_size, status.st_mtime_ns) == (self.bytes, self.modified_ns):
                return True
        return not self.differs_from(InputIdentity.of(path))


def _samples(size: int) -> Iterator[tuple[int, int]]:
    """Where the samples of a file of that size start, and how long they are."""
    yield 0, SAMPLE_BYTES
    for number in range(1, BETWEEN + 1):
        yield size * number // (BETWEEN + 1), BETWEEN_BYTES
    yield max(0, size - SAMPLE_BYTES), SAMPLE_BYTES


@dataclass(frozen=True, kw_only=True)
class Header:
    """What all pieces of a film have in common."""

    input: InputIdentity
    values: dict[str, Any]
    """Raw values of the options, as presets hold them; see :mod:`stream.settings`. What of them decides frames stands
    in ``depends_on`` too."""
    depends_on: dict[str, str]
    """What decides the frames beside the input; see :mod:`stream.archive.changes`."""
    time_base: str
    """Unit of all times, in seconds, as a fraction."""
    seeks: bool
    """Whether pieces can be found by a seek; else all before them is decoded and dropped."""
    has_colors: bool | None = None
    """Whether the film is in colour, where an effect asks."""
    schema: int = SCHEMA

    @property
    def unit(self) -> Fraction:
        return Fraction(self.time_base)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A run of frames that is rendered and encoded by itself."""

    index: int
    start: Start
    times: PtsList
    """Of its frames."""
    cuts: tuple[int, ...] = ()
    """Times of the frames that start a shot."""

    def to_json(self) -> dict[str, Any]:
        return {"piece": self.index, "start": self.start, "times": self.times.to_json(), "cuts": list(self.cuts)}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A complete plan."""

    header: Header
    pieces: tuple[Piece, ...] = field(repr=False)
    warnings: tuple[str, ...] = ()
    """What a user should know about the input, one line each."""
    damage: Damage = field(default_factory=Damage)
    """Of the input's video."""

    @property
    def frame_count(self) -> int:
        return sum(len(piece.times) for piece in self.pieces)

    def seconds_of(self, piece: Piece) -> float:
        """From the first frame of the piece to that of the next, or to its own last one."""
        return float((self.end_of(piece) - piece.times.first) * self.header.unit)

    def end_of(self, piece: Piece) -> int:
        """The time of the next piece's first frame; after the last piece, that of its last frame."""
        following = self.pieces[piece.index + 1 : piece.index + 2]
        return following[0].times.first if following else piece.times.last

    def key_of(self, piece: Piece) -> str:
        """Names the piece's file: a hash of everything that decides its content."""
        header = self.header
        film = [header.input.sample_sha256, header.depends_on, header.time_base, header.seeks, header.has_colors]
        content = [SCHEMA, film, piece.to_json()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def write_lines(manifest: Manifest) -> Iterator[str]:
    """The lines of a manifest."""
    yield json.dumps({"film": msgspec.to_builtins(manifest.header)})
    for piece in manifest.pieces:
        yield json.dumps(piece.to_json())
    end = {"pieces": len(manifest.pieces), "frames": manifest.frame_count}
    yield json.dumps({"end": end, "warnings": manifest.warnings, "damage": msgspec.to_builtins(manifest.damage)})


def read_manifest(path: Path) -> Manifest:
    """Raises ``ManifestError`` where it is damaged, and ``OSError`` where it cannot be read."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        header = msgspec.convert(json.loads(lines[0])["film"], Header)
        pieces = tuple(_piece(json.loads(line)) for line in lines[1:-1])
        last = json.loads(lines[-1])
        _check(header, pieces, last["end"])
        warnings, damage = tuple(map(str, last["warnings"])), msgspec.convert(last["damage"], Damage)
    except (ValueError, LookupError, TypeError, msgspec.ValidationError) as error:
        raise ManifestError(f"The manifest {path} is damaged or unfinished: {_first_line(error)}.") from error
    return Manifest(header=header, pieces=pieces, warnings=warnings, damage=damage)


def _piece(stored: Any) -> Piece:
    if stored["start"] not in ("film", "cut", "joint"):
        raise ValueError(f"a piece starts at {stored['start']!r}")
    return Piece(
        index=int(stored["piece"]),
        start=stored["start"],
        times=PtsList.from_json(stored["times"]),
        cuts=tuple(int(cut) for cut in stored["cuts"]),
    )


def _check(header: Header, pieces: tuple[Piece, ...], end: Any) -> None:
    """Raises ``ValueError`` where the parts do not fit each other."""
    if header.schema != SCHEMA:
        raise ValueError(f"it has version {header.schema} and not {SCHEMA}")
    if header.unit <= 0:
        raise ValueError("its unit of time is not positive")
    if end != {"pieces": len(pieces), "frames": sum(len(piece.times) for piece in pieces)} or not pieces:
        raise ValueError("its last line does not match its pieces")
    last = None
    for index, piece in enumerate(pieces):
        if piece.index != index or (last is not None and piece.times.first <= last):
            raise ValueError(f"piece {index} is out of order")
        last = piece.times.last


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
