"""TOML from anybody, read within bounds.

The standard library's parser recurses into arrays and tables, and its time grows with the square of a dotted key's
length. So size and depth are checked before, in one pass over the text, and lengths of keys and values after.
"""

import tomllib
from collections.abc import Mapping
from typing import Any, Final

MOST_BYTES: Final = 64 * 1024
"""The largest file that ships has less than one of them."""
MOST_DEPTH: Final = 8
"""Of arrays and tables in each other, and of the parts of a dotted key."""
MOST_CHARACTERS: Final = {"key": 100, "text": 4096}
INTEGERS: Final = range(-(2**63), 2**63)
"""TOML's: 64 bits."""


def parse_bounded(content: bytes) -> dict[str, Any]:
    """The table that ``content`` holds.

    Raises ``ValueError`` for what is not UTF-8, not TOML, or beyond the bounds; the text follows "it is not valid:".
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 1024} KB")
    text = content.decode()
    _check_depth(text)
    table = tomllib.loads(text)
    _check_values(table)
    return table


def _check_depth(text: str) -> None:
    """Look at brackets and dots outside of strings and comments.

    Where the text is no TOML this may miscount, but only behind the place at which the parser will stop.
    """
    depth, dots, at = 0, 0, 0
    while at < len(text):
        character = text[at]
        if character == "#":
            at = text.find("\n", at)
            if at < 0:
                return
            dots = 0
        elif character in "\"'":
            at = _end_of_string(text, at)
        elif character in "[{":
            depth, dots = depth + 1, 0
        elif character in "]}":
            depth, dots = depth - 1, 0
        elif character == ".":
            dots += 1
        elif character in "=,\n":
            dots = 0
        if depth > MOST_DEPTH:
            raise ValueError(f"arrays and tables are nested more than {MOST_DEPTH} deep")
        if dots >= MOST_DEPTH:
            raise ValueError(f"a key has more than {MOST_DEPTH} parts")
        at += 1


def _end_of_string(text: str, start: int) -> int:
    """Index of the last quotation mark of the string that begins at ``start``, or the end of the text."""
    quote = text[start]
    mark = quote * 3 if text.startswith(quote * 3, start) else quote
    at = start + len(mark)
    while at < len(text):
        if quote == '"' and text[at] == "\\":
            at += 2
        elif text.startswith(mark, at):
            last = at + len(mark) - 1
            # Three quotation marks may have one or two of the text before them.
            more = len(mark) - 1
            return last + next((n for n in range(more) if not text.startswith(quote, last + n + 1)), more)
        else:
            at += 1
    return at


def _check_values(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if len(key) > MOST_CHARACTERS["key"]:
                raise ValueError(f"a key has more than {MOST_CHARACTERS['key']} characters")
            _check_values(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_values(inner)
    elif isinstance(value, str) and len(value) > MOST_CHARACTERS["text"]:
        raise ValueError(f"a text has more than {MOST_CHARACTERS['text']} characters")
    elif type(value) is int and value not in INTEGERS:
        raise ValueError("a whole number has more than 64 bits")
