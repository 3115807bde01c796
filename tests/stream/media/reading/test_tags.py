"""Tags as long as a file likes; nobody else's memory or terminal takes them."""

from pathlib import Path
from typing import Any

import av

from stream.media.reading.tags import MAX_CHARACTERS, MAX_TAG_CHARACTERS, bound_tags, bounded
from stream.media.source import VideoSource
from tests.stream.media.clip_io import process

LONG = "x" * (20 << 20)


def test_long_tags_are_neither_kept_nor_copied_nor_printed(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip(
        "long.mp4",
        metadata={"title": LONG, "artist": "somebody", "comment": LONG},
        chapters=[(0, 200, "first"), (200, 400, "y" * 60_000)],
    )
    source = VideoSource(str(path))
    source.close()
    assert source.info.metadata["artist"] == "somebody"
    assert not {"title", "comment"} & source.info.metadata.keys()
    assert source.warnings == ["Tags that are too long are left out: title, comment."]
    process(path, tmp_path / "out.mkv")
    assert (tmp_path / "out.mkv").stat().st_size < 1 << 20
    with av.open(str(tmp_path / "out.mkv")) as made:
        assert made.metadata["ARTIST"] == "somebody"
        assert [len(chapter["metadata"]["title"]) for chapter in made.chapters()] == [5, 60_000]


def test_all_tags_together_are_bounded(make_clip: Any) -> None:
    text = "z" * (MAX_TAG_CHARACTERS // 2)
    path = make_clip("many.mkv", metadata={f"TAG{number:02}": text for number in range(40)} | {"LAST": "kept"})
    with av.open(str(path)) as container:
        (warning,) = bound_tags(container)
        kept = sum(len(name) + len(value) for name, value in container.metadata.items())
    assert MAX_CHARACTERS - len(text) - 100 < kept <= MAX_CHARACTERS
    assert warning.startswith("Tags that are too long are left out: TAG31, TAG32, TAG33 and ")
    assert len(warning) < 100


def test_what_is_short_stays() -> None:
    assert bounded({"title": "a", "long": LONG, LONG: "b"}) == {"title": "a"}
