import json
import os
from dataclasses import replace

import pytest

from stream.archive.frame_times import PtsList
from stream.archive.manifest import Header, InputIdentity, Manifest, ManifestError, Piece, read_manifest, write_lines
from stream.media.source_info import Damage

HEADER = Header(
    input=InputIdentity(path="/films/one.mp4", bytes=5, modified_ns=7, sample_sha256="ab"),
    values={"effect": "tint", "output": {"crf": 20}},
    depends_on={"FFmpeg": "8.1"},
    time_base="1/12800",
    seeks=True,
)
PIECES = (
    Piece(index=0, start="film", times=PtsList([0, 512, 1024])),
    Piece(index=1, start="cut", times=PtsList([1536, 2048]), cuts=(1536,)),
    Piece(index=2, start="joint", times=PtsList([2560])),
)


FILM = Manifest(
    header=HEADER, pieces=PIECES, warnings=("Mind the gap.",), damage=Damage(truncated=True, end_seconds=2.5)
)


@pytest.fixture
def lines():
    return list(write_lines(FILM))


def stored(tmp_path, lines):
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_manifest_comes_back(tmp_path, lines):
    manifest = read_manifest(stored(tmp_path, lines))
    assert manifest == FILM
    assert manifest.frame_count == 6
    assert [manifest.end_of(piece) for piece in manifest.pieces] == [1536, 2560, 2560]
    assert manifest.seconds_of(manifest.pieces[0]) == 0.12


def test_every_line_is_json_that_people_can_read(lines):
    assert json.loads(lines[2]) == {"piece": 1, "start": "cut", "times": [1536, [512, 1]], "cuts": [1536]}
    end = json.loads(lines[-1])
    assert (end["end"], end["warnings"]) == ({"pieces": 3, "frames": 6}, ["Mind the gap."])


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[:2] + lines[3:],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[0][:-9], *lines[1:]],
        lambda lines: [lines[0].replace('"schema": 2', '"schema": 1'), *lines[1:]],
        lambda lines: [lines[0].replace("1/12800", "0"), *lines[1:]],
        lambda lines: [*lines[:2], lines[2].replace("cut", "cat", 1), *lines[3:]],
        lambda lines: [*lines[:2], lines[2].replace("1536", "1000"), *lines[3:]],
        lambda lines: lines[:1],
        lambda lines: [],
        lambda lines: ["[]", *lines[1:]],
    ],
)
def test_damage_is_told_in_one_line(tmp_path, lines, damage):
    with pytest.raises(ManifestError, match=r"manifest.jsonl is damaged or unfinished: [^\n]+$"):
        read_manifest(stored(tmp_path, damage(lines)))


def test_a_pieces_name_depends_on_everything_that_decides_its_frames():
    manifest = Manifest(header=HEADER, pieces=PIECES)
    names = [manifest.key_of(piece) for piece in PIECES]
    assert len(set(names)) == 3
    for changed in (
        replace(HEADER, depends_on={"FFmpeg": "8.2"}),
        replace(HEADER, has_colors=True),
        replace(HEADER, input=replace(HEADER.input, sample_sha256="cd")),
    ):
        assert Manifest(header=changed, pieces=PIECES).key_of(PIECES[0]) != names[0]
    moved = replace(HEADER, values={}, input=replace(HEADER.input, path="/elsewhere.mp4", modified_ns=9))
    assert Manifest(header=moved, pieces=PIECES).key_of(PIECES[0]) == names[0]


def test_a_copy_is_the_same_input_and_a_changed_file_is_not(tmp_path):
    one, copy, other = tmp_path / "one", tmp_path / "copy", tmp_path / "other"
    one.write_bytes(b"a" * 3_000_000)
    copy.write_bytes(b"a" * 3_000_000)
    other.write_bytes(b"a" * 2_999_999 + b"b")
    assert not InputIdentity.of(one).differs_from(InputIdentity.of(copy))
    assert InputIdentity.of(one).differs_from(InputIdentity.of(other))


def test_a_change_between_beginning_and_end_is_noticed(tmp_path):
    path = tmp_path / "one"
    path.write_bytes(b"a" * 4_000_000)
    known = InputIdentity.of(path)
    assert known.is_at(path)
    content = bytearray(path.read_bytes())
    content[1_900_000:2_100_000] = b"b" * 200_000
    path.write_bytes(content)
    os.utime(path, ns=(known.modified_ns + 1, known.modified_ns + 1))
    assert not known.is_at(path)


def test_a_file_of_the_same_size_and_date_is_not_read(tmp_path):
    path = tmp_path / "one"
    path.write_bytes(b"a" * 1000)
    known = InputIdentity.of(path)
    path.write_bytes(b"b" * 1000)
    os.utime(path, ns=(known.modified_ns, known.modified_ns))
    assert known.is_at(path)
    os.utime(path)
    assert not known.is_at(path)
