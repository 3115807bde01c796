"""Before and after, on planes whose codes tell which image they are of, and on small clips."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emocolor.color import rgb_to_codes
from emocolor.effects import Colormap, ColormapOptions
from emocolor.errors import ConfigurationError, SinkError, SourceError
from emocolor.faces import Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame, PixelFormat, Rotation
from emocolor.gradients import parse_gradient
from stream.media.frames import planes_of
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import SourceOptions, Unit, VideoSource
from stream.pipeline.rendering import render
from stream.pipeline.steps import Step
from stream.report.comparison import keep_before, split_screen, write_comparison
from stream.restore.restoration import RestorationOptions, restore

BEFORE, AFTER = 90, 160
WARM = Colormap(ColormapOptions(gradient=parse_gradient("hot")))
FilmMaker = Callable[..., Path]


def flat(form: PixelFormat, level: int, size_wh: tuple[int, int] = (130, 98), rotation: Rotation = 0) -> Frame:
    """Every sample ``level``, scaled to the depth, but chroma, which is higher by 20."""
    width, height = size_wh
    across, down = form.chroma_size_wh(width, height)
    pairs = (2,) if form.chroma == "interleaved" else ()
    shapes = [(height, width)] + [(down, across, *pairs)] * {"none": 0, "interleaved": 1, "planar": 2}[form.chroma]
    dtype = np.uint8 if form.bits == 8 else np.uint16
    planes = [np.full(s, (level + 20 * (n > 0)) << (form.bits - 8), dtype) for n, s in enumerate(shapes)]
    return Frame(
        planes=tuple(planes), format=form, color=ColorSpec(), pts=0, time_base=Fraction(1, 25), rotation=rotation
    )


def split(before: Frame, after: Frame) -> Frame:
    kept = next(keep_before([Unit(frame=before)]))
    made = next(split_screen([Step(unit=replace(kept, frame=after))])).unit
    assert made.before is None
    assert made.frame is not None
    return made.frame


def as_seen(plane: NDArray[Any], rotation: int) -> NDArray[Any]:
    """The plane as a player turns it."""
    return np.rot90(plane, -rotation // 90)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("form", PIXEL_FORMATS.values(), ids=lambda form: form.name)
def test_what_came_in_stands_at_the_viewers_left(form: PixelFormat, rotation: Rotation) -> None:
    made = split(flat(form, BEFORE, rotation=rotation), flat(form, AFTER, rotation=rotation))
    unit = 1 << (form.bits - 8)
    for index, plane in enumerate(made.planes):
        seen = as_seen(plane, rotation) / unit
        middle, edge = seen.shape[1] / 2, 3 * 4 / (1 if index == 0 else min(form.subsampling))
        left, right = seen[:, : int(middle - edge)], seen[:, int(np.ceil(middle + edge)) :]
        assert left.size
        assert right.size
        assert (left == BEFORE + 20 * (index > 0)).all()
        assert (right == AFTER + 20 * (index > 0)).all()


@pytest.mark.parametrize("form", PIXEL_FORMATS.values(), ids=lambda form: form.name)
def test_the_line_is_white_between_black_and_has_no_colour(form: PixelFormat) -> None:
    """At the multiple of 4 next to the middle, so that chroma changes with luma."""
    made = split(flat(form, BEFORE, (134, 98)), flat(form, AFTER, (134, 98)))
    unit = 1 << (form.bits - 8)
    row = made.luma[48] / unit
    assert row[61:67].tolist() == [BEFORE, 16, 235, 235, 16, AFTER]
    for chroma in made.chroma or ():
        across, down = form.subsampling
        row, left, right = chroma[48 // down] / unit, 62 // across, -(-66 // across)
        assert (row[left:right] == 128).all()
        assert (row[left - 1], row[right]) == (BEFORE + 20, AFTER + 20)


@pytest.mark.parametrize(("size_wh", "white"), [((64, 64), 2), ((1280, 720), 2), ((1920, 1080), 4), ((96, 1080), 2)])
def test_the_line_grows_with_the_image(size_wh: tuple[int, int], white: int) -> None:
    made = split(*(flat(PIXEL_FORMATS["yuv420p"], level, size_wh) for level in (BEFORE, AFTER)))
    assert (made.luma[0] == 235).sum() == (made.luma[0] == 16).sum() == white


@pytest.mark.parametrize("color", [ColorSpec(full_range=True), ColorSpec(transfer="pq"), ColorSpec(transfer="hlg")])
def test_the_line_is_as_bright_as_white_graphics(color: ColorSpec) -> None:
    before, after = (replace(flat(PIXEL_FORMATS["yuv420p10le"], level), color=color) for level in (BEFORE, AFTER))
    white = round(rgb_to_codes(np.ones(3), color, 10)[0])
    assert white < (1024 if color.full_range else 800)
    assert (split(before, after).luma == white).any()


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 200), (200, 3), (7, 5), (65, 65)])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("name", ["gray", "yuv420p", "yuv410p", "nv12"])
def test_any_size_can_be_split(name: str, rotation: Rotation, size_wh: tuple[int, int]) -> None:
    form = PIXEL_FORMATS[name]
    made = split(*(flat(form, level, size_wh, rotation) for level in (BEFORE, AFTER)))
    assert made.size_wh == size_wh


@pytest.mark.parametrize(("gray", "color"), [("gray", "yuv420p"), ("gray10le", "yuv420p10le")])
def test_gray_that_was_coloured_is_gray_at_the_left(gray: str, color: str) -> None:
    made = split(flat(PIXEL_FORMATS[gray], BEFORE), flat(PIXEL_FORMATS[color], AFTER))
    unit = 1 << (made.format.bits - 8)
    assert made.format.name == color
    assert (made.luma[:, :60] == BEFORE * unit).all()
    assert all((plane[:, :31] == 128 * unit).all() for plane in made.planes[1:])
    assert all((plane[:, 34:] == (AFTER + 20) * unit).all() for plane in made.planes[1:])


def test_only_half_a_image_is_kept_and_in_memory_of_its_own() -> None:
    frame = flat(PIXEL_FORMATS["yuv420p"], BEFORE, (128, 96))
    kept = next(keep_before([Unit(frame=frame)]))
    assert kept.frame is frame
    assert kept.before is not None
    assert [2 * plane.nbytes for plane in kept.before.planes] == [plane.nbytes for plane in frame.planes]
    for plane in frame.planes:
        plane[:] = 0
    assert (kept.before.luma == BEFORE).all()
    assert kept.before.handle is None


def test_what_is_not_to_be_split_passes_as_it_is() -> None:
    empty = Unit(frame=None)
    assert next(keep_before([empty])) is empty
    steps = [Step(unit=empty), Step(unit=Unit(frame=flat(PIXEL_FORMATS["gray"], AFTER)))]
    assert all(one is other for one, other in zip(split_screen(steps), steps, strict=True))


class Pipe:
    """A file that can only be written on and on, so that a muxer cannot go back to note its length."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


@pytest.fixture
def make_numbered(tmp_path: Path) -> FilmMaker:
    """Films without loss whose every image has the luma 20 + 2 n for its number n, or 235 less that."""

    def make(
        name: str, numbers: Sequence[int], *, inverted: bool = False, rate: Fraction = Fraction(25), piped: bool = False
    ) -> Path:
        path, without_loss = tmp_path / name, Path(name).suffix == ".mkv"
        with (
            path.open("wb") as file,
            av.open(Pipe(file) if piped else str(path), "w", format="matroska" if piped else None) as container,
        ):
            stream: Any = container.add_stream("ffv1" if without_loss else "libx264", rate=rate)
            context = stream.codec_context
            context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
            context.options = {} if without_loss else {"qp": "0"}
            for place, number in enumerate(numbers):
                image = av.VideoFrame(64, 48, "yuv420p")
                level = 20 + 2 * number
                levels = (235 - level if inverted else level, 128, 128)
                for plane, code in zip(planes_of(image, PIXEL_FORMATS["yuv420p"]), levels, strict=True):
                    plane[:] = code
                image.pts = place
                container.mux(stream.encode(image))
            container.mux(stream.encode(None))
        return path

    return make


def units_of(path: Path, **options: Any) -> list[Unit]:
    with closing(VideoSource(str(path), SourceOptions(**options))) as source:
        return list(source.units())


def decoded(path: Path) -> list[NDArray[Any]]:
    return [unit.frame.luma.copy() for unit in units_of(path) if unit.frame is not None]


def remastered(film: Path, result: Path, *, compare: bool, **options: Any) -> Path:
    """The film restored and coloured, written without loss."""
    with closing(VideoSource(str(film), SourceOptions(**options))) as source:
        sink = VideoSink(str(result), source, SinkOptions(codec="ffv1" if result.suffix == ".mkv" else None))
        units = source.units()
        restored = restore(keep_before(units) if compare else units, RestorationOptions(deinterlace="on", denoise=1))
        rendered = render((Step(unit=unit, scene=Scene(time=0)) for unit in restored), lambda: [WARM])
        for step in split_screen(rendered):
            sink.write(step.unit)
        sink.finish()
    return result


def test_a_film_is_split_through_restoration_and_effects(make_clip: Any, tmp_path: Path) -> None:
    """The left is what the decoder gave, bit for bit, though frames are held back and used up on the way."""
    film = make_clip(frames=40, size_wh=(128, 96))
    both = decoded(remastered(film, tmp_path / "both.mkv", compare=True))
    alone = decoded(remastered(film, tmp_path / "alone.mkv", compare=False))
    given = decoded(film)
    assert len(both) == len(alone) == len(given) == 40
    for ours, new, old in zip(both, alone, given, strict=True):
        assert np.array_equal(ours[:, :62], old[:, :62])
        assert np.array_equal(ours[:, 66:], new[:, 66:])
        assert not np.array_equal(new[:, :62], old[:, :62])


def test_the_decoders_own_images_are_left_alone(make_clip: Any) -> None:
    """Later images are predicted from earlier ones, so a line drawn into one must not show in the next."""
    film = make_clip(frames=40, size_wh=(128, 96))
    with closing(VideoSource(str(film))) as source:
        steps = split_screen(Step(unit=unit) for unit in keep_before(source.units()))
        made = [step.frame.luma.copy() for step in steps if step.frame is not None]
    for ours, old in zip(made, decoded(film), strict=True):
        assert np.array_equal(np.delete(ours, np.s_[62:66], 1), np.delete(old, np.s_[62:66], 1))


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


def test_a_film_of_unknown_length_is_looked_at_once_a_second(make_numbered: FilmMaker, tmp_path: Path) -> None:
    before, after = (make_numbered(f"{n}.mkv", range(100), inverted=bool(n), piped=True) for n in range(2))
    with closing(VideoSource(str(after))) as source:
        assert source.facts.duration is None
    write_comparison(before, after, tmp_path / "strip.png")
    numbers = numbers_of(strip_of(tmp_path / "strip.png", 4))
    assert all(old == new for old, new in numbers)
    assert [new for _, new in numbers] == pytest.approx([12, 37, 62, 87], abs=1)


def test_films_that_cannot_be_searched_are_compared_at_their_start(make_numbered: FilmMaker, tmp_path: Path) -> None:
    before, after = (make_numbered(f"{n}.h264", range(50), inverted=bool(n)) for n in range(2))
    write_comparison(before, after, tmp_path / "strip.png")
    assert numbers_of(strip_of(tmp_path / "strip.png", 1)) == [(0, 0)]


def test_images_are_shown_as_a_player_shows_them(make_clip: Any, tmp_path: Path) -> None:
    """64 x 48 stretched to 128 x 48 and turned: 48 x 128. The result cannot say so, and is shown alike."""
    film = make_clip(frames=6, turn=-90, sample_aspect_ratio=Fraction(2))
    result = remastered(film, tmp_path / "result.avi", compare=False)
    write_comparison(film, result, tmp_path / "strip.png", count=3)
    strip = cv2.imread(str(tmp_path / "strip.png"))
    assert strip is not None
    assert strip.shape[1] == 3 * (120 + 4) - 4
    assert (strip[320:324] == 255).all()
    with closing(VideoSource(str(film))) as source:
        first = next(unit.frame for unit in source.units() if unit.frame is not None)
    assert source.facts.rotation == 90
    upright = cv2.resize(as_seen(first.luma, 90), (120, 320))
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
    with pytest.raises(ConfigurationError, match="0 s or later"):
        write_comparison(film, film, strip, start=-1.0)
    with pytest.raises(SinkError, match=r"\ACannot write the image .*\Z"):
        write_comparison(film, film, tmp_path / "nowhere" / "strip.png")
    assert not strip.exists()
