"""The split screen, on planes whose codes tell which half they come from, and on small clips."""

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emocolor.color import rgb_to_codes
from emocolor.effects import Colormap, ColormapOptions
from emocolor.faces import Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame, PixelFormat, Rotation
from emocolor.gradients import parse_gradient
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import MediaUnit, VideoSource
from stream.pipeline.rendering import render
from stream.pipeline.split_screen import keep_original, split_screen
from stream.pipeline.steps import Step
from stream.restore.restoration import restore
from stream.restore.restoration_options import RestorationOptions

BEFORE, AFTER = 90, 160
WARM = Colormap(ColormapOptions(gradient=parse_gradient("hot")))


def flat(pixel_format: PixelFormat, level: int, size_wh: tuple[int, int] = (130, 98), rotation: Rotation = 0) -> Frame:
    """Every sample ``level``, scaled to the depth, but chroma, which is higher by 20."""
    width, height = size_wh
    across, down = pixel_format.chroma_size_wh(width, height)
    pairs = (2,) if pixel_format.chroma == "interleaved" else ()
    count = {"none": 0, "interleaved": 1, "planar": 2}[pixel_format.chroma]
    shapes = [(height, width)] + [(down, across, *pairs)] * count
    dtype = np.uint8 if pixel_format.bits == 8 else np.uint16
    planes = [np.full(s, (level + 20 * (n > 0)) << (pixel_format.bits - 8), dtype) for n, s in enumerate(shapes)]
    return Frame(
        planes=tuple(planes),
        format=pixel_format,
        color=ColorSpec(),
        pts=0,
        time_base=Fraction(1, 25),
        rotation=rotation,
    )


def split(original: Frame, rendered: Frame) -> Frame:
    kept = next(keep_original([MediaUnit(frame=original)]))
    unit = next(split_screen([Step(unit=replace(kept, frame=rendered))])).unit
    assert unit.original is None
    assert unit.frame is not None
    return unit.frame


def displayed(plane: NDArray[Any], rotation: int) -> NDArray[Any]:
    """The plane as a player rotates it."""
    return np.rot90(plane, -rotation // 90)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS.values(), ids=lambda pixel_format: pixel_format.name)
def test_what_came_in_stands_at_the_viewers_left(pixel_format: PixelFormat, rotation: Rotation) -> None:
    made = split(flat(pixel_format, BEFORE, rotation=rotation), flat(pixel_format, AFTER, rotation=rotation))
    unit = 1 << (pixel_format.bits - 8)
    for index, plane in enumerate(made.planes):
        seen = displayed(plane, rotation) / unit
        middle, edge = seen.shape[1] / 2, 3 * 4 / (1 if index == 0 else min(pixel_format.subsampling))
        left, right = seen[:, : int(middle - edge)], seen[:, int(np.ceil(middle + edge)) :]
        assert left.size
        assert right.size
        assert (left == BEFORE + 20 * (index > 0)).all()
        assert (right == AFTER + 20 * (index > 0)).all()


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS.values(), ids=lambda pixel_format: pixel_format.name)
def test_the_line_is_white_between_black_and_has_no_colour(pixel_format: PixelFormat) -> None:
    """At the multiple of 4 next to the middle, so that chroma changes with luma."""
    made = split(flat(pixel_format, BEFORE, (134, 98)), flat(pixel_format, AFTER, (134, 98)))
    unit = 1 << (pixel_format.bits - 8)
    row = made.luma[48] / unit
    assert row[61:67].tolist() == [BEFORE, 16, 235, 235, 16, AFTER]
    for chroma in made.chroma or ():
        across, down = pixel_format.subsampling
        row, left, right = chroma[48 // down] / unit, 62 // across, -(-66 // across)
        assert (row[left:right] == 128).all()
        assert (row[left - 1], row[right]) == (BEFORE + 20, AFTER + 20)


@pytest.mark.parametrize(("size_wh", "white"), [((64, 64), 2), ((1280, 720), 2), ((1920, 1080), 4), ((96, 1080), 2)])
def test_the_line_grows_with_the_frame(size_wh: tuple[int, int], white: int) -> None:
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
    pixel_format = PIXEL_FORMATS[name]
    made = split(*(flat(pixel_format, level, size_wh, rotation) for level in (BEFORE, AFTER)))
    assert made.size_wh == size_wh


@pytest.mark.parametrize(("gray", "color"), [("gray", "yuv420p"), ("gray10le", "yuv420p10le")])
def test_gray_that_was_coloured_is_gray_at_the_left(gray: str, color: str) -> None:
    made = split(flat(PIXEL_FORMATS[gray], BEFORE), flat(PIXEL_FORMATS[color], AFTER))
    unit = 1 << (made.format.bits - 8)
    assert made.format.name == color
    assert (made.luma[:, :60] == BEFORE * unit).all()
    assert all((plane[:, :31] == 128 * unit).all() for plane in made.planes[1:])
    assert all((plane[:, 34:] == (AFTER + 20) * unit).all() for plane in made.planes[1:])


def test_only_half_a_frame_is_kept_and_in_memory_of_its_own() -> None:
    frame = flat(PIXEL_FORMATS["yuv420p"], BEFORE, (128, 96))
    kept = next(keep_original([MediaUnit(frame=frame)]))
    assert kept.frame is frame
    assert kept.original is not None
    assert [2 * plane.nbytes for plane in kept.original.planes] == [plane.nbytes for plane in frame.planes]
    for plane in frame.planes:
        plane[:] = 0
    assert (kept.original.luma == BEFORE).all()
    assert kept.original.handle is None


def test_what_is_not_to_be_split_passes_as_it_is() -> None:
    empty = MediaUnit(frame=None)
    assert next(keep_original([empty])) is empty
    steps = [Step(unit=empty), Step(unit=MediaUnit(frame=flat(PIXEL_FORMATS["gray"], AFTER)))]
    assert all(one is other for one, other in zip(split_screen(steps), steps, strict=True))


def decoded(path: Path) -> list[NDArray[Any]]:
    with closing(VideoSource(str(path))) as source:
        return [unit.frame.luma.copy() for unit in source.units() if unit.frame is not None]


def remastered(film: Path, result: Path, *, compare: bool) -> Path:
    """The film restored and coloured, written losslessly."""
    with closing(VideoSource(str(film))) as source:
        sink = VideoSink(str(result), source, SinkOptions(codec="ffv1"))
        units = source.units()
        restored = restore(keep_original(units) if compare else units, RestorationOptions(deinterlace="on", denoise=1))
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


def test_the_decoders_own_frames_are_left_alone(make_clip: Any) -> None:
    """Later frames are predicted from earlier ones, so a line drawn into one must not show in the next."""
    film = make_clip(frames=40, size_wh=(128, 96))
    with closing(VideoSource(str(film))) as source:
        steps = split_screen(Step(unit=unit) for unit in keep_original(source.units()))
        made = [step.frame.luma.copy() for step in steps if step.frame is not None]
    for ours, old in zip(made, decoded(film), strict=True):
        assert np.array_equal(np.delete(ours, np.s_[62:66], 1), np.delete(old, np.s_[62:66], 1))
