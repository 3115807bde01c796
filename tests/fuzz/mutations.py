"""How a file is damaged: what transfers, disks, recorders and ill-meaning people do to it."""

import random
from collections.abc import Callable, Sequence
from typing import Final

Mutation = Callable[[bytearray, random.Random], None]
"""Changes a file in place."""

NUMBERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""What fields of formats overflow at."""
TRANSPORT_PACKET: Final = 188
"""Bytes of a packet of MPEG-TS."""
HEADER: Final = 4096
"""Bytes at the start in which most formats say what they hold."""


def flip_bits(content: bytearray, chance: random.Random) -> None:
    """A few bits, anywhere."""
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def damage_header(content: bytearray, chance: random.Random) -> None:
    """A few bytes at the start."""
    for _ in range(chance.choice((1, 2, 4, 8))):
        content[chance.randrange(min(HEADER, len(content)))] = chance.randrange(256)


def add_noise(content: bytearray, chance: random.Random) -> None:
    """A stretch of random bytes."""
    start, size = _stretch(content, chance)
    content[start : start + size] = chance.randbytes(size)


def clear(content: bytearray, chance: random.Random) -> None:
    """A stretch of zeros, as a disk leaves one."""
    start, size = _stretch(content, chance)
    content[start : start + size] = bytes(size)


def truncate(content: bytearray, chance: random.Random) -> None:
    """The end is missing."""
    del content[chance.randrange(len(content)) + 1 :]


def behead(content: bytearray, chance: random.Random) -> None:
    """The start is missing, as of a stream that somebody joined late."""
    del content[: chance.randrange(len(content))]


def cut_out(content: bytearray, chance: random.Random) -> None:
    """A stretch is missing."""
    start, size = _stretch(content, chance)
    del content[start : start + min(size, len(content) - 1)]


def repeat(content: bytearray, chance: random.Random) -> None:
    """A stretch comes twice."""
    start, size = _stretch(content, chance)
    content[start:start] = content[start : start + size]


def swap(content: bytearray, chance: random.Random) -> None:
    """Two stretches change places."""
    first, size = _stretch(content, chance)
    second = chance.randrange(len(content) - size + 1)
    one, other = bytes(content[first : first + size]), bytes(content[second : second + size])
    content[first : first + size] = other
    content[second : second + size] = one


def insert_noise(content: bytearray, chance: random.Random) -> None:
    """Random bytes come in between."""
    at = chance.randrange(len(content) + 1)
    content[at:at] = chance.randbytes(chance.choice((1, 3, 16, 188, 1000)))


def join(content: bytearray, chance: random.Random) -> None:
    """The file comes twice, as two recordings that were put together byte by byte."""
    content += content[chance.choice((0, 0, chance.randrange(len(content)))) :]


def overwrite_number(content: bytearray, chance: random.Random) -> None:
    """A few fields get a value at which something may overflow."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        size = chance.choice((1, 2, 4, 8))
        place = chance.choice((min(HEADER, len(content)), len(content)))
        at = chance.randrange(place)
        number = chance.choice(NUMBERS) & (256**size - 1)
        content[at : at + size] = number.to_bytes(size, chance.choice(("big", "little")))[: len(content) - at]


def lose_packets(content: bytearray, chance: random.Random) -> None:
    """A few packets of a transport stream are lost; of other files blocks of their size."""
    kept = bytearray()
    share = chance.choice((0.01, 0.05, 0.3))
    for start in range(0, len(content), TRANSPORT_PACKET):
        if chance.random() >= share:
            kept += content[start : start + TRANSPORT_PACKET]
    content[:] = kept or content[:1]


MUTATIONS: Final[Sequence[Mutation]] = (
    flip_bits,
    damage_header,
    add_noise,
    clear,
    truncate,
    behead,
    cut_out,
    repeat,
    swap,
    insert_noise,
    join,
    overwrite_number,
    lose_packets,
)


def mutated(content: bytes, chance: random.Random, *, most: int = 3) -> tuple[bytes, tuple[str, ...]]:
    """Bytes after one to ``most`` mutations, and the names of these. Nothing stays of what is empty."""
    changed, names = bytearray(content), []
    for _ in range(chance.randint(1, most)):
        if changed:
            mutation = chance.choice(MUTATIONS)
            mutation(changed, chance)
            names.append(mutation.__name__)
    return bytes(changed), tuple(names)


def _stretch(content: bytearray, chance: random.Random) -> tuple[int, int]:
    """Start and size of a part of it."""
    size = min(len(content), chance.choice((1, 4, 16, 64, 188, 512, 4096)))
    return chance.randrange(len(content) - size + 1), size
