"""Tiles cover the frame, points in a view map back to the frame, and duplicates are dropped."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.face_search import CropRegion, CropView, is_duplicate, square_around, tiles_of, without_duplicates
from emocolor.faces import Box, Detection
from emocolor.frames import Rotation

sizes = st.tuples(st.integers(16, 4096), st.integers(16, 2304))
ROTATIONS: tuple[Rotation, ...] = (0, 90, 180, 270)


def face(box: Box, score: float) -> Detection:
    return Detection(box=box, keypoints=np.zeros((6, 2)), score=score)


@given(sizes, st.integers(400, 900))
def test_every_layer_of_tiles_covers_the_frame(size_wh: tuple[int, int], small: int) -> None:
    width, height = size_wh
    tiles = tiles_of(size_wh, small)
    assert tiles[0] == CropRegion(x=0, y=0, width=width, height=height)
    assert all(tile.x + tile.width <= width and tile.y + tile.height <= height for tile in tiles)
    for _, layer in itertools.groupby(tiles, key=lambda tile: (tile.width, tile.height)):
        seen = list(layer)
        for spans, length in (
            ({(tile.x, tile.x + tile.width) for tile in seen}, width),
            ({(tile.y, tile.y + tile.height) for tile in seen}, height),
        ):
            ordered = sorted(spans)
            assert (ordered[0][0], ordered[-1][1]) == (0, length)
            assert all(after[0] < before[1] for before, after in itertools.pairwise(ordered))


@pytest.mark.parametrize("size_wh", [(1920, 1080), (1080, 1920)])
def test_a_face_of_60_pixels_is_whole_in_a_small_tile_of_full_hd(size_wh: tuple[int, int]) -> None:
    small = [tile for tile in tiles_of(size_wh, 443) if tile.width == 443]
    for x, y in itertools.product(range(0, size_wh[0] - 59, 7), range(0, size_wh[1] - 59, 7)):
        assert any(
            tile.x <= x and tile.y <= y and x + 60 <= tile.x + tile.width and y + 60 <= tile.y + tile.height
            for tile in small
        )


def test_a_small_frame_is_its_only_tile() -> None:
    assert len(tiles_of((176, 144), 400)) == 1


def test_a_thin_strip_has_few_tiles() -> None:
    assert len(tiles_of((3000, 2), 400)) < 20


@given(
    st.floats(0, 999),
    st.floats(0, 599),
    st.floats(2, 2000),
    st.floats(1, 4),
)
def test_a_close_up_lies_in_the_frame_and_contains_the_centre(x: float, y: float, side: float, scale: float) -> None:
    region = square_around(Box(x - side / 2, y - side / 2, side, side), scale, (1000, 600))
    if region is not None:
        assert region.x + region.width <= 1000
        assert region.y + region.height <= 600
        assert region.x - 1 <= x <= region.x + region.width + 1
        assert region.y - 1 <= y <= region.y + region.height + 1


def test_a_face_whose_centre_left_the_frame_has_no_close_up() -> None:
    assert square_around(Box(-80, 10, 100, 100), 3, (640, 360)) is None


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_spot_is_mapped_back_to_where_it_is(rotation: Rotation) -> None:
    gray = np.zeros((240, 400), np.uint8)
    gray[150:160, 90:100] = 255
    view = CropView(region=CropRegion(x=40, y=20, width=320, height=200), rotation=rotation, side=256)
    seen = view.input(gray)
    rows, columns = np.nonzero(seen > 127)
    center = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]])
    assert view.to_frame(center)[0] == pytest.approx([95, 155], abs=1.0)


@pytest.mark.parametrize(("rotation", "corner"), [(0, (0, 0)), (90, (0, 1)), (180, (1, 1)), (270, (1, 0))])
def test_the_net_sees_the_frame_turned_clockwise(rotation: Rotation, corner: tuple[int, int]) -> None:
    gray = np.zeros((64, 64), np.uint8)
    gray[:32, :32] = 200
    seen = CropView(region=CropRegion(x=0, y=0, width=64, height=64), rotation=rotation, side=64).input(gray)
    assert seen[16 + 32 * corner[0], 16 + 32 * corner[1]] == 200
    assert np.count_nonzero(seen) == 32 * 32


def test_of_two_detections_of_one_face_the_better_stays() -> None:
    weak, good = face(Box(0, 0, 100, 100), 0.6), face(Box(10, 5, 95, 95), 0.9)
    inside, apart = face(Box(30, 30, 25, 25), 0.8), face(Box(300, 0, 100, 100), 0.5)
    assert without_duplicates([weak, inside, apart, good]) == [good, apart]
    assert without_duplicates([good, apart], taken=[weak]) == [apart]


@given(st.floats(1, 200), st.floats(0, 500))
def test_being_a_duplicate_is_mutual(side: float, x: float) -> None:
    one, other = Box(0, 0, 100, 100), Box(x, 20, side, side)
    assert is_duplicate(one, other) == is_duplicate(other, one)
