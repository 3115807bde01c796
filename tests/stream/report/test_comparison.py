"""Strips of two films, on films whose every frame bears its number, and on small clips."""

from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
import pytest

from emocolor.errors import ConfigurationError, SinkError, SourceError
from emocolor.frames import PIXEL_FORMATS
from stream.media.frames import planes_of
from stream.media.source import VideoSource
from stream.report.comparison import ComparisonWriter, write_comparison
from tests.stream.media.clip_io import process

FilmMaker = Callable[..., Path]


class Pipe:
    """A file that can only be written on and on, so that a muxer cannot go back to note its length."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


@pytest.fixture
def make_numbered(tmp_path: Path) -> FilmMaker:
    """Films whose frames have the luma 20 + 2 n for their number n, or 235 less that; ".mkv" is lossless."""

    def make(
        name: str, numbers: Sequence[int], *, inverted: bool = False, rate: Fraction = Fraction(25), piped: bool = False
    ) -> Path:
        path, lossless = tmp_path / name, Path(name).suffix == ".mkv"
        with (
            path.open("wb") as file,
            av.open(Pipe(file) if piped else str(path), "w", format="matroska" if piped else None) as container,
        ):
            stream: Any = container.add_stream("ffv1" if lossless else "libx264", rate=rate)
            context = stream.codec_context
            context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
            context.options = {} if lossless else {"qp": "0"}
            for place, number in enumerate(numbers):
                av_frame = av.VideoFrame(64, 48, "yuv420p")
                level = 20 + 2 * number
                levels = (235 - level if inverted else level, 128, 128)
                for plane, code in zip(planes_of(av_frame, PIXEL_FORMATS["yuv420p"]), levels, strict=True):
                    plane[:] = code
                av_frame.pts = place
                container.mux(stream.encode(av_frame))
            container.mux(stream.encode(None))
        return path

    return make


def strip_of(image: Path, columns: int) -> list[tuple[int, int]]:
    """The gray level in the middle of each image, (before, after) for each column."""
    strip = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    assert strip is not None
    assert strip.shape[1] == columns * 324 - 4
    return [(int(strip[120, 160 + 324 * n]), int(strip[244 + 120, 160 + 324 * n])) for n in range(columns)]


def numbers_of(levels: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The numbers of the images in the columns."""

    def code(level: int) -> float:
        return 16 + level * 219 / 255

    return [(round((code(before) - 20) / 2), round((235 - code(after) - 20) / 2)) for before, after in levels]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001)])
@pytest.mark.parametrize(("ending", "other"), [("mkv", "mp4"), ("mp4", "mkv"), ("mkv", "ts")])
def test_a_strip_shows_the_same_images_before_and_after(
    make_numbered: FilmMaker, tmp_path: Path, ending: str, other: str, rate: Fraction
) -> None:
    before = make_numbered(f"before.{ending}", range(60), rate=rate)
    after = make_numbered(f"after.{other}", range(60), inverted=True, rate=rate)
    write_comparison(before, after, tmp_path / "strip.png")
    numbers = numbers_of(strip_of(tmp_path / "strip.png", 6))
    assert all(old == new for old, new in numbers)
    assert [new for _, new in numbers] == pytest.approx([5, 15, 25, 35, 45, 55], abs=1)


def test_a_strip_of_a_part_shows_the_same_images(make_numbered: FilmMaker, tmp_path: Path) -> None:
    before = make_numbered("before.mkv", range(100))
    after = make_numbered("after.mkv", range(50, 90), inverted=True)
    write_comparison(before, after, tmp_path / "strip.png", count=4, start=2.0)
    assert numbers_of(strip_of(tmp_path / "strip.png", 4)) == [(n, n) for n in (54, 64, 74, 84)]


@pytest.mark.parametrize(("frames", "columns"), [(1, 1), (2, 2), (4, 4), (7, 6)])
def test_short_films_have_fewer_columns(make_numbered: FilmMaker, tmp_path: Path, frames: int, columns: int) -> None:
    before, after = (make_numbered(f"{n}.mkv", range(frames), inverted=bool(n)) for n in range(2))
    write_comparison(before, after, tmp_path / "strip.png")
    numbers = numbers_of(strip_of(tmp_path / "strip.png", columns))
    assert all(old == new for old, new in numbers)
    assert len(set(numbers)) == columns


def test_a_film_that_ends_early_is_compared_as_far_as_it_goes(make_numbered: FilmMaker, tmp_path: Path) -> None:
    before, after = make_numbered("before.mkv", range(25)), make_numbered("after.mkv", range(60), inverted=True)
    write_comparison(before, after, tmp_path / "strip.png")
    assert numbers_of(strip_of(tmp_path / "strip.png", 3)) == [(n, n) for n in (4, 14, 24)]


def test_a_film_of_unknown_length_is_sampled_once_per_second(make_numbered: FilmMaker, tmp_path: Path) -> None:
    before, after = (make_numbered(f"{n}.mkv", range(100), inverted=bool(n), piped=True) for n in range(2))
    with closing(VideoSource(str(after))) as source:
        assert source.info.duration is None
    write_comparison(before, after, tmp_path / "strip.png")
    numbers = numbers_of(strip_of(tmp_path / "strip.png", 4))
    assert all(old == new for old, new in numbers)
    assert [new for _, new in numbers] == pytest.approx([12, 37, 62, 87], abs=1)


def test_films_without_times_are_searched_by_reading(make_numbered: FilmMaker, tmp_path: Path) -> None:
    before, after = (make_numbered(f"{n}.h264", range(50), inverted=bool(n)) for n in range(2))
    write_comparison(before, after, tmp_path / "strip.png")
    assert numbers_of(strip_of(tmp_path / "strip.png", 2)) == [(12, 12), (37, 37)]


def test_images_look_as_a_player_displays_them(make_clip: Any, tmp_path: Path) -> None:
    """64 x 48 stretched to 128 x 48 and rotated: 48 x 128. AVI cannot store that, and its images look the same."""
    film = make_clip(frames=6, turn=-90, sample_aspect_ratio=Fraction(2))
    result = tmp_path / "result.avi"
    process(film, result)
    write_comparison(film, result, tmp_path / "strip.png", count=3)
    strip = cv2.imread(str(tmp_path / "strip.png"))
    assert strip is not None
    assert strip.shape[1] == 3 * (120 + 4) - 4
    assert (strip[320:324] == 255).all()
    with closing(VideoSource(str(film))) as source:
        first = next(unit.frame for unit in source.units() if unit.frame is not None)
    assert source.info.rotation == 90
    upright = cv2.resize(np.rot90(first.luma, -1), (120, 320))
    for top in (0, 324):
        shown = cv2.cvtColor(strip[top : top + 320, :120], cv2.COLOR_BGR2GRAY)
        assert np.corrcoef(upright.ravel(), shown.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("count", [0, -1, 25])
def test_a_count_that_cannot_be_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(ConfigurationError, match=f"1 to 24 moments, not {count}"):
        write_comparison("before.mp4", "after.mp4", tmp_path / "strip.png", count=count)


def test_what_cannot_be_compared_is_one_clear_line(make_numbered: FilmMaker, tmp_path: Path) -> None:
    film, text, strip = make_numbered("film.mkv", range(5)), tmp_path / "text.mp4", tmp_path / "strip.png"
    text.write_text("no film")
    for before, after in ((film, text), (text, film), (film, tmp_path / "none.mp4"), (tmp_path / "none.mp4", film)):
        with pytest.raises(SourceError, match=r"\A.*(text|none)\.mp4.*\Z"):
            write_comparison(before, after, strip)
    with pytest.raises(SourceError, match="Start earlier"):
        write_comparison(film, film, strip, start=9.0)
    with pytest.raises(ConfigurationError, match="must lie between 0 s"):
        write_comparison(film, film, strip, start=-1.0)
    with pytest.raises(SinkError, match=r"\AThe folder .* does not exist\. .*\Z"):
        write_comparison(film, film, tmp_path / "nowhere" / "strip.png")
    assert not strip.exists()


def test_a_strip_that_cannot_be_drawn_is_only_warned_of(make_numbered: FilmMaker, tmp_path: Path) -> None:
    """A job's video is complete by then, and may be in a form that cannot be read again."""
    film, warnings = make_numbered("film.mkv", range(5)), list[str]()
    (tmp_path / "out.mp4").write_text("no film")
    writer = ComparisonWriter(
        tmp_path / "strip.png",
        before=str(film),
        after=tmp_path / "out.mp4",
        start=0.0,
        overwrite=False,
        warnings=warnings,
    )
    writer.complete()
    assert writer.outputs == []
    assert len(warnings) == 1
    assert warnings[0].startswith("Frames before and after could not be drawn: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mkv", "out.mp4"]
