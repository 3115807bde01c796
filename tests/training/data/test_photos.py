"""Photos from folders and tar files: their order, their pixels, and the squares cut from them."""

import shutil
import tarfile

import cv2
import numpy as np
import pytest

from emocolor.errors import SinkError, SourceError
from training.data.photos import (
    MAX_ZOOM,
    center_crop,
    drop_gray,
    is_gray,
    random_crop,
    read_photos,
    stacked_crops,
    write_image,
)


def write_photo(path, rgb):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))


def flat(color, height=40, width=60):
    return np.full((height, width, 3), color, np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Four images, and three files that are none."""
    place = tmp_path / "photos"
    write_photo(place / "b.png", flat((200, 30, 60)))
    write_photo(place / "A.JPG", flat((20, 180, 60)))
    write_photo(place / "a.webp", flat((30, 60, 190)))
    write_photo(place / "sub" / "c.jpeg", flat((120, 121, 119), 20, 10))
    (place / "._b.png").write_bytes(b"what a Mac leaves on other disks")
    (place / "notes.txt").write_text("no image")
    (place / "folder.png").mkdir()
    return place


def packed(folder, path, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name in sorted((p for p in folder.rglob("*")), reverse=True):
            archive.add(name, name.relative_to(folder), recursive=False)
    return path


def test_images_of_a_folder_come_sorted_by_name_and_in_rgb(folder):
    photos = read_photos([folder])
    assert [photo.name for photo in photos.encoded] == ["A.JPG", "a.webp", "b.png", "sub/c.jpeg"]
    assert photos.photo(2).shape == (40, 60, 3)
    assert photos.photo(2)[5, 5].tolist() == [200, 30, 60]
    assert np.abs(photos.photo(0)[5, 5].astype(int) - (20, 180, 60)).max() < 4
    assert photos.photo(3).shape == (20, 10, 3)


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_tar_file_gives_what_its_folder_gives(folder, tmp_path, ending):
    archive = packed(folder, tmp_path / f"photos.{ending}", "w:gz" if ending.endswith("gz") else "w")
    one, other = read_photos([folder]), read_photos([archive])
    assert [p.name for p in one.encoded] == [p.name for p in other.encoded]
    assert one.sha256 == other.sha256
    write_photo(folder / "b.png", flat((200, 30, 61)))
    assert read_photos([folder]).sha256 != one.sha256


def test_the_order_of_the_sources_does_not_matter(folder, tmp_path):
    other = tmp_path / "other"
    write_photo(other / "aa.png", flat(9))
    single = folder / "b.png"
    one, two = read_photos([folder, other]), read_photos([other, folder])
    assert len(one) == 5
    assert one.sha256 == two.sha256
    assert [p.name for p in read_photos([single, other]).encoded] == ["aa.png", "b.png"]


def test_what_cannot_be_used_is_named(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    text = folder / "notes.txt"
    cut = tmp_path / "cut.tar"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_photo(tmp_path / "noise" / "a.png", noise)
    cut.write_bytes(packed(tmp_path / "noise", tmp_path / "whole.tar").read_bytes()[:5000])
    for source, words in (
        (tmp_path / "none", "No such file or folder: .*none"),
        (empty, "No photo .*webp.* in .*empty"),
        (text, "notes.txt is neither a folder, nor a tar file"),
        (cut, "The tar file .*cut.tar cannot be read: "),
    ):
        with pytest.raises(SourceError, match=words) as error:
            read_photos([source])
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no image", "half"])
def test_a_image_that_cannot_be_decoded_is_named_once_it_is_wanted(folder, content):
    whole = (folder / "b.png").read_bytes()
    (folder / "sub" / "bad.png").write_bytes(whole[:20] if content == "half" else content)
    photos = read_photos([folder])
    assert photos.encoded[3].name == "sub/bad.png"
    photos.photo(2)
    with pytest.raises(SourceError, match=r"photo sub/bad\.png of .*photos cannot be decoded"):
        photos.photo(3)


def test_gray_images_are_left_out_and_counted(folder):
    kept, dropped = drop_gray(read_photos([folder]))
    assert [p.name for p in kept.encoded] == ["A.JPG", "a.webp", "b.png"]
    assert dropped == 1
    noise = np.random.default_rng(0).normal(100, 1, (64, 64, 3)).astype(np.uint8)
    assert is_gray(noise)
    sepia = flat((112, 100, 80))
    assert not is_gray(sepia)


def ramp(height, width):
    """Red rises by one from column to column."""
    image = flat(0, height, width)
    image[..., 0] = np.arange(width)
    return image


@pytest.mark.parametrize("shape", [(120, 200), (200, 120), (30, 50), (50, 50), (1, 90)])
@pytest.mark.parametrize("size", [32, 100])
def test_crops_have_the_size_asked_for(shape, size):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for crop in (random_crop(image, size, np.random.default_rng(1)), center_crop(image, size)):
        assert crop.shape == (size, size, 3)
        assert crop.dtype == np.uint8
        assert crop.flags.c_contiguous


def test_random_crops_cover_the_image_at_all_scales_and_both_hands():
    image, random = ramp(120, 240), np.random.default_rng(0)
    ends = np.array([random_crop(image, 60, random)[30, [0, -1], 0].astype(int) for _ in range(300)])
    spans = np.abs(ends[:, 1] - ends[:, 0])
    assert spans.min() == pytest.approx(120 / MAX_ZOOM, abs=3)
    assert spans.max() == pytest.approx(120, abs=3)
    assert ends.min() < 6
    assert ends.max() > 233
    assert 0.4 < (ends[:, 1] < ends[:, 0]).mean() < 0.6


def test_crops_zoom_in_as_far_as_asked():
    random, image = np.random.default_rng(0), ramp(120, 240)
    ends = np.array([random_crop(image, 60, random, 3.0)[30, [0, -1], 0].astype(int) for _ in range(200)])
    assert np.abs(ends[:, 1] - ends[:, 0]).min() == pytest.approx(40, abs=4)


def test_the_generator_decides_the_crop():
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    one, same, other = (random_crop(image, 32, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_central_crop_is_the_middle_of_the_scaled_image():
    crop = center_crop(ramp(120, 240), 60)  # half the size, columns 60 to 180
    assert crop[30, [0, -1], 0].tolist() == pytest.approx([60.5, 178.5], abs=1)
    upright = center_crop(ramp(240, 120), 60)
    assert upright[30, [0, -1], 0].tolist() == pytest.approx([0.5, 118.5], abs=1)
    same = ramp(60, 60)
    assert np.array_equal(center_crop(same, 60), same)


def test_a_folder_read_once_is_not_needed_again(folder):
    photos = read_photos([folder])
    shutil.rmtree(folder)
    assert photos.photo(2)[5, 5].tolist() == [200, 30, 60]


def test_some_are_taken_from_the_start_or_evenly(folder):
    photos = read_photos([folder])
    assert [photo.name for photo in photos.first(2).encoded] == ["A.JPG", "a.webp"]
    assert len(photos.first(None)) == 4
    assert photos.evenly(3) == [0, 2, 3]
    assert photos.evenly(9) == [0, 1, 2, 3]


def test_crops_are_stacked_in_order_whatever_the_threads_do():
    batches = [[0, 1], [2, 3], [4], [5, 6], [7, 8]]
    found = list(stacked_crops(batches, lambda index: np.full((2, 2, 3), index, np.uint8)))
    assert [squares[:, 0, 0, 0].tolist() for squares in found] == batches
    assert list(stacked_crops([], lambda index: np.zeros((1, 1, 3), np.uint8))) == []


def test_an_error_in_a_crop_arrives():
    def crop(index):
        raise SourceError(f"photo {index}")

    with pytest.raises(SourceError, match="photo 3"):
        list(stacked_crops([[3]], crop))


@pytest.mark.parametrize(("name", "start"), [("sheet.png", b"\x89PNG"), ("sheet.JPG", b"\xff\xd8\xff")])
def test_the_name_says_the_format(name, start, tmp_path):
    write_image(tmp_path / name, np.full((16, 16, 3), (200, 40, 10), np.uint8))
    assert (tmp_path / name).read_bytes().startswith(start)
    shown = cv2.imread(str(tmp_path / name))[8, 8, ::-1]
    assert np.abs(shown.astype(int) - (200, 40, 10)).max() < 6


def test_an_image_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(SinkError, match="Choose another place"):
        write_image(tmp_path / "no" / "sheet.png", np.zeros((4, 4, 3), np.uint8))
