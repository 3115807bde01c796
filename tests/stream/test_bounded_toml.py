"""Whatever stands in a TOML file, it is read or refused in no time."""

import random
import time
import tomllib
from pathlib import Path

import pytest

from stream.bounded_toml import MOST_BYTES, parse_bounded

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*/*.toml"))

REFUSED = {
    "larger": (b"#" * (MOST_BYTES + 1), "larger than 64 KB"),
    "dotted key": (b"a." * 30_000 + b"b = 1", "a key has more than 8 parts"),
    "dotted key with spaces": (b"a  .  " * 9 + b"b = 1", "a key has more than 8 parts"),
    "quoted dotted key": (b'"a"."\\"".' * 5_000 + b"b = 1", "a key has more than 8 parts"),
    "dotted table": (b"[" + b"a." * 30_000 + b"b]", "a key has more than 8 parts"),
    "dotted key in a table": (b"a = {" + b"a." * 9 + b"b = 1}", "a key has more than 8 parts"),
    "nested arrays": (b"a = " + b"[" * 30_000, "nested more than 8 deep"),
    "nested arrays in lines": (b"a = " + b"[\n" * 30_000, "nested more than 8 deep"),
    "nested tables": (b"a = " + b"{a = " * 10_000, "nested more than 8 deep"),
    "behind a comment": (b'# "\na = ' + b"[" * 9, "nested more than 8 deep"),
    "behind a quote in quotes": (b"a = ''''x''''\nb = " + b"[" * 9 + b"\nc = '''''x'''''", "nested more than 8 deep"),
    "behind strings": (b"a = ''''it's''''\nb = \"\"\"\\\"\"\"\"\nc = " + b"[" * 9, "nested more than 8 deep"),
    "digits": (b"a = " + b"9" * 5_000, "limit"),
    "hexadecimal digits": (b"a = 0x" + b"f" * 50_000, "more than 64 bits"),
    "in an array": (b"a = [0x" + b"f" * 17 + b"]", "more than 64 bits"),
    "long key": (b"a" * 101 + b" = 1", "a key has more than 100 characters"),
    "long text": (b"a = '" + b"a" * 4097 + b"'", "a text has more than 4096 characters"),
    "long text in a table": (b"a = {b = '" + b"a" * 4097 + b"'}", "a text has more than 4096 characters"),
    "no UTF-8": (b"a = '\xe9'", "utf-8"),
    "no TOML": (b"a = ", "Invalid value"),
    "open string": (b'a = "' + b'\\"""' * 10_000, "Expected|Illegal|Invalid|Unescaped|Unterminated"),
    "open strings": (b'"""\\' * 10_000, "Expected|Illegal|Invalid|Unescaped|Unterminated"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_beyond_the_bounds_is_refused_at_once(case):
    content, words = REFUSED[case]
    started = time.process_time()
    with pytest.raises(ValueError, match=words):
        parse_bounded(content)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_ships_is_far_within_the_bounds(path):
    assert parse_bounded(path.read_bytes()) == tomllib.loads(path.read_text())
    assert path.stat().st_size < MOST_BYTES / 16


@pytest.mark.parametrize(
    "text",
    [
        "a.b.c.d.e.f.g.h = 1",
        "[a.b.c.d.e.f.g.h]",
        "a = [[[[[[[[1]]]]]]]]",
        "a = [" + "0.25, " * 1000 + "]",
        "a = [\n" + "0.25,\n" * 1000 + "]",
        "a = '........................'",
        'a = "[[[[[[[[[[[[" # [[[[[[[[[[[[[',
        "a = \"\"\"\n[[[[[[[[[[[\n\"\"\"\nb = '''\n[[[[[[[[[[['''",
        "a = 1979-05-27T00:32:00.999999\nb = 9223372036854775807",
        "",
    ],
)
def test_what_is_within_the_bounds_is_read(text):
    assert parse_bounded(text.encode()) == tomllib.loads(text)


def test_any_text_is_read_as_the_parser_reads_it_or_refused():
    chance = random.Random(0)
    pieces = ["a", "b.c", " = ", "1", "0.5", '"x"', "'y'", '"""', "'''", "\\", "\n", "[", "]", "{", "}", ",", "#", "."]
    for _ in range(3000):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 60)))
        try:
            wanted = tomllib.loads(text)
        except ValueError:
            wanted = None
        try:
            found = parse_bounded(text.encode())
        except ValueError:
            assert wanted is None, text
        else:
            assert found == wanted
