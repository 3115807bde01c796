import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from av.sidedata.sidedata import Type

from stream.live.capture.connection import Connection
from stream.live.capture.inputs import parse_input
from stream.live.media_clock import MediaClock
from stream.media.encoder import has_captions
from stream.media.side_data import side_data_of
from tests.stream.media.clip_io import decoded_frames, frames_of, process, read


def exif(orientation: int) -> bytes:
    """A TIFF header with one entry, the orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def jpeg_with_exif(path: Path, orientation: int) -> Path:
    data, content = path.read_bytes(), b"Exif\0\0" + exif(orientation)
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + data[2:])
    return path


def png_with_exif(path: Path, orientation: int) -> Path:
    data, content = path.read_bytes(), b"eXIf" + exif(orientation)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    at = data.index(b"IDAT") - 4
    path.write_bytes(data[:at] + chunk + data[at:])
    return path


@pytest.fixture
def camera_image(make_clip: Any, request: pytest.FixtureRequest) -> Path:
    name, orientation = request.param
    codec, pix_fmt = ("mjpeg", "yuvj420p") if name.endswith("jpg") else ("png", "rgb24")
    path = make_clip(name, codec=codec, pix_fmt=pix_fmt, format_name="image2", frames=1)
    return (jpeg_with_exif if name.endswith("jpg") else png_with_exif)(path, orientation)


@pytest.mark.parametrize("camera_image", [("still.jpg", 1), ("still.png", 1)], indirect=True)
def test_images_with_exif_are_read_and_written(camera_image: Path, tmp_path: Path) -> None:
    source, units = read(camera_image)
    assert [frame.size_wh for frame in frames_of(units)] == [(64, 48)]
    assert (source.info.rotation, source.warnings, source.damage.any) == (0, [], False)
    process(camera_image, tmp_path / "made.mkv")
    assert len(decoded_frames(tmp_path / "made.mkv")) == 1


@pytest.mark.parametrize("camera_image", [("still.jpg", 6), ("still.png", 6)], indirect=True)
def test_the_orientation_in_exif_is_a_rotation(camera_image: Path) -> None:
    source, _ = read(camera_image)
    assert source.info.rotation == 90


@pytest.mark.parametrize("camera_image", [("still.jpg", 1)], indirect=True)
def test_live_inputs_with_exif_are_read(camera_image: Path) -> None:
    connection = Connection(parse_input(str(camera_image)), MediaClock())
    captured = list(connection.read())
    connection.close()
    assert len(captured) == 1


@pytest.mark.parametrize("camera_image", [("still.jpg", 6)], indirect=True)
def test_a_known_kind_is_found_beside_an_unknown_one(camera_image: Path) -> None:
    frame = decoded_frames(camera_image)[0]
    matrix = side_data_of(frame, Type.DISPLAYMATRIX)
    assert matrix is not None
    assert struct.unpack("=9i", matrix)[:2] == (0, 1 << 16), "a quarter turn"
    kinds: Any = frame.side_data
    assert any(data.type.name.startswith("UNKNOWN_") for data in kinds)
    assert not has_captions(frame)


def test_what_a_frame_lacks_is_none(make_clip: Any) -> None:
    assert side_data_of(decoded_frames(make_clip(frames=1))[0], Type.A53_CC) is None
