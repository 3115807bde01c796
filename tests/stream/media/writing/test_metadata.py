from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from stream.media.writing.metadata import (
    current_metadata,
    language_is_lost,
    lost_flags,
    needs_apple_table,
    stream_metadata,
    with_apple_keys,
)
from tests.stream.media.clip_io import process

PHONE = {
    "com.apple.quicktime.location.ISO6709": "+48.1371+011.5754+519.000/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.creationdate": "2020-01-02T03:04:05+0100",
    "title": "Munich",
}
PLAIN = {"title": "A film", "date": "1925", "comment": "none"}
AUDIO = {"codec": "aac", "parts": 20}


def test_metadata_that_describes_the_input_file_is_dropped() -> None:
    given = {"title": "A film", "ENCODER": "Lavf", "DURATION": "00:00:01", "NUMBER_OF_FRAMES": "3", "major_brand": "x"}
    assert current_metadata(given) == {"title": "A film"}
    named = {"name": "Ton", "handler_name": "SoundHandler"}
    assert stream_metadata("matroska", named) == {"title": "Ton"}
    assert stream_metadata("mp4", named) == {"title": "Ton", "handler_name": "SoundHandler"}


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize("metadata", [PHONE, PLAIN, {"location": "+48.1371+011.5754/", "custom": "kept"}])
def test_all_metadata_of_phones_is_kept(make_clip: Any, tmp_path: Path, name: str, metadata: dict[str, str]) -> None:
    process(make_clip("in.mkv", metadata=metadata, frames=3), tmp_path / name)
    with av.open(str(tmp_path / name)) as made:
        found = {key.lower(): value for key, value in made.metadata.items()}
    assert {key.lower(): value for key, value in metadata.items()}.items() <= found.items()


def test_the_table_of_any_keys_is_used_where_it_is_needed() -> None:
    for name in ("mp4", "mov"):
        assert needs_apple_table(name, PHONE)
        assert not needs_apple_table(name, PLAIN | {"creation_time": "2020-01-02T02:04:05Z"})
        assert not needs_apple_table(name, {"location": "+48/", "location-eng": "+48/"})
    assert not needs_apple_table("mp4", {"lyrics": "la"})
    assert needs_apple_table("mov", {"lyrics": "la"})
    assert not needs_apple_table("matroska", PHONE)


def test_what_apple_has_a_name_for_gets_it() -> None:
    assert with_apple_keys({"make": "Canon", "a": "b"}) == {
        "com.apple.quicktime.make": "Canon",
        "make": "Canon",
        "a": "b",
    }
    own = {"com.apple.quicktime.make": "Apple", "make": "Other"}
    assert with_apple_keys(own) == own


@pytest.mark.parametrize(
    ("given", "in_mov"),
    [("deu", "ger"), ("ger", "ger"), ("fre", "fra"), ("swe", "sve"), ("hrv", "hr "), ("jpn", "jpn")],
)
def test_languages_reach_quicktime_files(make_clip: Any, tmp_path: Path, given: str, in_mov: str) -> None:
    path = make_clip("in.mkv", audio=[{**AUDIO, "metadata": {"language": given}}])
    assert process(path, tmp_path / "out.mov").warnings == []
    process(tmp_path / "out.mov", tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mov")) as made, av.open(str(tmp_path / "out.mp4")) as again:
        assert made.streams.audio[0].language == in_mov
        assert again.streams.audio[0].language == stream_metadata("mp4", {"language": in_mov})["language"]
    assert again.metadata is not None


def test_a_language_that_quicktime_does_not_know_is_reported(make_clip: Any, tmp_path: Path) -> None:
    assert language_is_lost("mov", "afr")
    assert not language_is_lost("mp4", "afr")
    assert language_is_lost("avi", "fra")
    assert not language_is_lost("avi", "und")
    path = make_clip("in.mkv", audio=[{**AUDIO, "metadata": {"language": "afr"}}])
    assert any("language of audio 1" in warning for warning in process(path, tmp_path / "out.mov").warnings)


def test_flags_that_quicktime_cannot_store_are_reported() -> None:
    marked = int(Disposition.default | Disposition.forced | Disposition.hearing_impaired)
    assert lost_flags("mov", marked) == ["forced", "for the hearing impaired"]
    assert lost_flags("mp4", marked) == []
