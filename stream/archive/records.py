"""What was rendered into a piece's files, in a small record beside them.

A piece counts as rendered when its record is there, which is written last. Its hashes tell pieces that were damaged or
mixed up, however alike these look.
"""

import contextlib
import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import av
import msgspec

from ..files.output_file import write_whole
from ..media.packets import Packet

RECORD_SUFFIX: Final = ".json"

State = Literal["absent", "damaged", "rendered"]


@dataclass(frozen=True, kw_only=True)
class PieceFiles:
    """Where a piece's results lie once they are whole."""

    video: Path
    timeline: Path | None

    @property
    def key(self) -> str:
        """Names the piece; see :meth:`~stream.archive.manifest.Manifest.key_of`."""
        return self.video.stem

    @property
    def record(self) -> Path:
        return self.video.with_suffix(RECORD_SUFFIX)

    def remove(self) -> None:
        for path in (self.record, self.video, self.timeline):
            if path is not None:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class PieceRecord:
    """What a rendered piece is."""

    piece: str
    """Its key."""
    bytes: int
    """Of its video."""
    video_sha256: str
    """Of the packets of its video."""
    timeline_sha256: str | None
    order: list[int]
    """Of its packets: the rank of each in presentation, as they are decoded."""
    encoder: str
    """Hash of what the encoder wrote before all packets."""
    analyses: int = 0
    """Frames that were analysed."""
    faces: bool = False
    """Whether any face was seen."""
    warnings: tuple[str, ...] = ()
    """What a user should know, one line each."""

    @property
    def delay(self) -> int:
        """By how many frames decoding leads presentation."""
        return max((decoded - rank for decoded, rank in enumerate(self.order)), default=0)


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What is to be known of a piece beside its files."""

    analyses: int
    faces: bool
    warnings: tuple[str, ...]


class PieceVideo:
    """The packets of a piece's video, read once."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises ``av.FFmpegError`` and ``OSError``, as reading does."""
        self._container = av.open(str(path))
        self.stream = self._container.streams.video[0]
        self._digest = hashlib.sha256()

    def packets(self) -> Iterator[Packet]:
        """In decoding order. Raises ``LookupError`` for a packet without a time."""
        for packet in self._container.demux(self.stream):
            if packet.size:
                self._digest.update(struct.pack("<qq", pts_of(packet), packet.size))
                self._digest.update(memoryview(packet))
                yield packet

    @property
    def sha256(self) -> str:
        """Of the packets that were read so far."""
        return self._digest.hexdigest()

    @property
    def encoder(self) -> str:
        """Hash of what the encoder wrote before all packets."""
        context = self.stream.codec_context
        found = (context.name, context.extradata, context.width, context.height, context.pix_fmt)
        return hashlib.sha256(repr(found).encode()).hexdigest()

    def close(self) -> None:
        self._container.close()


def pts_of(packet: Packet) -> int:
    """A packet without a presentation time is presented when it is decoded, as in AVI."""
    pts = packet.dts if packet.pts is None else packet.pts
    if pts is None:
        raise LookupError("a packet has no time")
    return int(pts)


def ranks_of(times: Sequence[int]) -> list[int]:
    """The rank in presentation of each packet; those of one time, as containers round, stay as decoded."""
    ranks = [0] * len(times)
    for rank, index in enumerate(sorted(range(len(times)), key=lambda index: times[index])):
        ranks[index] = rank
    return ranks


def write_record(files: PieceFiles, observed: Observed) -> None:
    """Read the piece's files once, and record what they are. Raises ``SinkError``, and what reading them raises."""
    video = PieceVideo(files.video)
    try:
        times = [pts_of(packet) for packet in video.packets()]
        record = PieceRecord(
            piece=files.key,
            bytes=files.video.stat().st_size,
            video_sha256=video.sha256,
            timeline_sha256=None if files.timeline is None else sha256_of(files.timeline.read_bytes()),
            order=ranks_of(times),
            encoder=video.encoder,
            analyses=observed.analyses,
            faces=observed.faces,
            warnings=observed.warnings,
        )
    finally:
        video.close()
    write_whole(files.record, json.dumps(msgspec.to_builtins(record)).encode() + b"\n", overwrite=True)


def read_record(files: PieceFiles) -> PieceRecord | None:
    """The record of a piece that was rendered, and whose files have the size that it states; else ``None``."""
    with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        record = msgspec.json.decode(files.record.read_bytes(), type=PieceRecord)
        timeline_is_there = files.timeline is None or (record.timeline_sha256 is not None and files.timeline.exists())
        if record.piece == files.key and files.video.stat().st_size == record.bytes and timeline_is_there:
            return record
    return None


def state_of(files: PieceFiles) -> State:
    """Whether the piece is rendered, as far as that shows without reading its files."""
    if read_record(files) is not None:
        return "rendered"
    return "damaged" if files.record.exists() else "absent"


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
