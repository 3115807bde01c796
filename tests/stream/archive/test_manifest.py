import json
from dataclasses import replace

import pytest

from stream.archive.frame_times import PtsList
from stream.archive.manifest import Header, InputIdentity, Manifest, ManifestError, Piece, read_manifest, write_lines

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


@pytest.fixture
def lines():
    return list(write_lines(HEADER, iter(PIECES)))


def stored(tmp_path, lines):
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_manifest_comes_back(tmp_path, lines):
    manifest = read_manifest(stored(tmp_path, lines))
    assert manifest == Manifest(header=HEADER, pieces=PIECES)
    assert manifest.frame_count == 6
    assert [manifest.end_of(piece) for piece in manifest.pieces] == [1536, 2560, 2560]
    assert manifest.seconds_of(manifest.pieces[0]) == 0.12


def test_every_line_is_json_that_people_can_read(lines):
    assert json.loads(lines[2]) == {"piece": 1, "start": "cut", "times": [1536, [512, 1]], "cuts": [1536]}
    assert json.loads(lines[-1]) == {"end": {"pieces": 3, "frames": 6}}


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[:2] + lines[3:],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[0][:-9], *lines[1:]],
        lambda lines: [lines[0].replace('"schema": 1', '"schema": 99'), *lines[1:]],
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
        replace(HEADER, values={**HEADER.values, "effect": "grade"}),
        replace(HEADER, depends_on={"FFmpeg": "8.2"}),
        replace(HEADER, has_colors=True),
        replace(HEADER, input=replace(HEADER.input, sample_sha256="cd")),
    ):
        assert Manifest(header=changed, pieces=PIECES).key_of(PIECES[0]) != names[0]
    moved = replace(HEADER, input=replace(HEADER.input, path="/elsewhere.mp4", modified_ns=9))
    assert Manifest(header=moved, pieces=PIECES).key_of(PIECES[0]) == names[0]


def test_a_copy_is_the_same_input_and_a_changed_file_is_not(tmp_path):
    one, copy, other = tmp_path / "one", tmp_path / "copy", tmp_path / "other"
    one.write_bytes(b"a" * 3_000_000)
    copy.write_bytes(b"a" * 3_000_000)
    other.write_bytes(b"a" * 2_999_999 + b"b")
    assert not InputIdentity.of(one).differs_from(InputIdentity.of(copy))
    assert InputIdentity.of(one).differs_from(InputIdentity.of(other))
