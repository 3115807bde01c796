"""Records as JSON and in words."""

import hashlib
import json

import pytest

from emocolor.errors import ConfigurationError
from training.records import machine_info, read_json, settings_in_words, sha256_of, write_json


def test_lists_of_plain_values_stay_on_one_line(tmp_path):
    value = {"a": [1, 2.5, "b [c]"], "d": [{"e": [3]}], "f": None}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert read_json(tmp_path / "a.json") == json.loads(text) == value
    assert '"e": [3]' in text
    assert text.endswith("}\n")


def test_what_was_not_measured_yet_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.json cannot be read: No such file.*Run the script"):
        read_json(tmp_path / "none.json")


def test_the_checksum_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_the_machine_is_described():
    info = machine_info()
    assert info.keys() == {"commit", "python", "torch", "openvino", "device", "threads"}
    assert info["threads"] >= 1


def test_settings_that_are_off_are_left_out():
    settings = {
        "net": "tiny", "start": "", "epochs": 3, "mixup": 0.0, "teachers": [], "teacher_part": 0.7, "flip": False,
        "layers": ["a", "b"], "augmentation": {"shift": 0.1, "erase": 0.0},
    }  # fmt: skip
    assert settings_in_words(settings) == "net tiny, epochs 3, layers a, b, augmentation (shift 0.1)"
    with_teacher = settings_in_words(settings | {"teachers": ["ours"]})
    assert "teachers ours, teacher_part 0.7" in with_teacher
