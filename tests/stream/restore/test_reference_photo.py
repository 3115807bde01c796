"""Reference images read from files of many kinds, and refused in one line."""

import os
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest

from emocolor.chroma.reference import statistics_of
from emocolor.errors import SourceError
from stream.restore.reference_photo import read_reference


@pytest.fixture
def photo():
    """sRGB (480, 640, 3) of large soft shapes."""
    coarse = np.random.default_rng(4).integers(30, 226, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)


def write(path, rgb):
    """Write sRGB, with alpha where there are four channels, gray where there is none."""
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    cv2.imwrite(str(path), rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, order[rgb.shape[2]]))
    return path


def assert_alike(found, wanted, units=1.0):
    np.testing.assert_allclose(found.mean, wanted.mean, atol=units)
    np.testing.assert_allclose(np.sqrt(found.covariance.diagonal()), np.sqrt(wanted.covariance.diagonal()), atol=units)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tiff", "ä 漢.JPG"])
def test_images_of_many_kinds(photo, tmp_path, name):
    assert_alike(read_reference(write(tmp_path / name, photo)), statistics_of(photo))


@pytest.mark.parametrize("size_wh", [(2400, 1800), (700, 520), (300, 200), (64, 48), (9, 5), (500, 2)])
def test_images_of_any_size(photo, tmp_path, size_wh):
    scaled = cv2.resize(photo, size_wh, interpolation=cv2.INTER_AREA)
    path = write(tmp_path / "a.png", scaled)
    assert_alike(read_reference(path), statistics_of(scaled))


def test_sixteen_bits(photo, tmp_path):
    path = write(tmp_path / "a.png", photo.astype(np.uint16) * 257)
    assert_alike(read_reference(path), statistics_of(photo))


def test_alpha_is_ignored(photo, tmp_path):
    alpha = np.zeros((480, 640, 1), np.uint8)
    path = write(tmp_path / "a.png", np.concatenate([photo, alpha], axis=2))
    assert_alike(read_reference(path), statistics_of(photo))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_gray_image_has_no_colour(photo, tmp_path, name):
    found = read_reference(write(tmp_path / name, photo[..., 1]))
    np.testing.assert_allclose([*found.mean, *found.covariance.ravel()], 0, atol=0.05)


def refusal(path):
    with pytest.raises(SourceError) as caught:
        read_reference(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.jpg")
    assert "folder" in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "no file" in refusal(tmp_path / "pipe.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(photo, tmp_path):
    path = write(tmp_path / "a.png", photo)
    path.chmod(0)
    assert "ermission" in refusal(path)


def test_a_video_and_a_text_are_refused(make_clip, tmp_path, capfd):
    assert "not an image" in refusal(make_clip("a.mp4"))
    (tmp_path / "a.jpg").write_text("no image\n" * 100)
    assert "not an image" in refusal(tmp_path / "a.jpg")
    (tmp_path / "empty.jpg").touch()
    assert "empty" in refusal(tmp_path / "empty.jpg")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff", "a.webp"])
@pytest.mark.parametrize("part", [0.002, 0.5])
def test_damaged_images_are_refused_without_messages_of_decoders(photo, tmp_path, capfd, name, part):
    """Decoders write to file descriptor 2 by themselves; what comes afterwards is seen again."""
    path = write(tmp_path / name, photo)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert "damaged" in refusal(path)
    assert capfd.readouterr().err == ""
    os.write(2, b"later")
    assert capfd.readouterr().err == "later"


@pytest.mark.parametrize("size_wh", [(1, 1), (5, 3)])
def test_a_few_pixels_are_refused(photo, tmp_path, size_wh):
    path = write(tmp_path / "a.png", cv2.resize(photo, size_wh))
    assert "too small" in refusal(path)


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "nul\0.jpg"])
def test_a_name_that_no_file_can_have_is_one_that_is_not_there(name, tmp_path):
    with pytest.raises(SourceError, match="there is no such file"):
        read_reference(tmp_path / name)


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg"])
def test_what_would_take_too_much_memory_is_refused_by_its_header(photo, tmp_path, name):
    path, size = write(tmp_path / name, photo), struct.pack(">II" if name.endswith("png") else ">HH", 32_000, 32_000)
    data = bytearray(path.read_bytes())
    if name.endswith("png"):
        data[16:24] = size
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    else:
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = size
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SourceError, match="has more than 256000000 pixels"):
        read_reference(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
