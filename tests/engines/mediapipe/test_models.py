"""Shipped model files are found; a damaged or missing one is an error."""

import shutil
from pathlib import Path

import pytest

from emocolor.errors import EngineError
from engines.mediapipe.models import SHA256, WEIGHTS, model_path

NAME = "mediapipe/blaze_face_short_range.tflite"


@pytest.mark.parametrize("name", SHA256)
def test_every_listed_file_ships_as_listed(name: str) -> None:
    assert model_path(name) == WEIGHTS / name


def test_a_changed_byte_is_an_error(tmp_path: Path) -> None:
    copy = tmp_path / NAME
    copy.parent.mkdir()
    shutil.copyfile(model_path(NAME), copy)
    copy.write_bytes(copy.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(EngineError, match=r"damaged.*Reinstall"):
        model_path(NAME, folder=tmp_path)


def test_an_absent_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot be read.*Reinstall"):
        model_path(NAME, folder=tmp_path)


def test_a_name_that_does_not_ship_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        model_path("../secrets")
