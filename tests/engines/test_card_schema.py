"""Every number of a card has its bounds, and a card that breaks one is an error of one line."""

import json
import os
from pathlib import Path

import pytest

from emocolor.errors import EngineError
from engines.card_schema import MOST_BYTES, ColorizerCard, EmotionCard, StyleCard, read_card

WEIGHTS = Path(__file__).parents[2] / "engines/weights"
KINDS = {
    "emotion": (EmotionCard, "emotion/tiny.json"),
    "colorizer": (ColorizerCard, "colorizer/film.json"),
    "style": (StyleCard, "style/fast.json"),
}


def card_of(kind):
    return json.loads((WEIGHTS / KINDS[kind][1]).read_text())


def error_of(kind, folder, content):
    path = folder / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(EngineError) as caught:
        read_card(path, KINDS[kind][0], "such a net")
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400 + len(str(path))
    return text


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*/*.json")), ids=lambda path: path.stem)
def test_every_card_that_ships_is_within_its_bounds(path):
    read_card(path, KINDS[path.parent.name][0], "one of ours")


@pytest.mark.parametrize("crop_size", [0, -48, 7, 513, 100_000, 10**400, "48", 48.5, True, None, [48]])
def test_a_crop_is_a_whole_number_of_pixels_within_bounds(crop_size, tmp_path):
    found = error_of("emotion", tmp_path, card_of("emotion") | {"crop_size": crop_size})
    assert "is not the card of such a net" in found
    assert "`$.crop_size`" in found


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("emotion", {"dropouts": {"mask_0": [[65537], 0.1]}}, "<= 65536"),
        ("emotion", {"dropouts": {"mask_0": [[65536, 17], 0.1]}}, "has 1114112 values; at most 1048576"),
        ("emotion", {"dropouts": {"mask_0": [[4, 4, 4, 4, 4], 0.1]}}, "length <= 4"),
        ("emotion", {"dropouts": {"mask_0": [[], 0.1]}}, "length >= 1"),
        ("emotion", {"dropouts": {"mask_0": [[0], 0.1]}}, ">= 1"),
        ("emotion", {"dropouts": {"mask_0": [[4], 1.0]}}, "< 1.0"),
        ("emotion", {"dropouts": {"mask_0": [[4], -0.1]}}, ">= 0.0"),
        ("emotion", {"dropouts": {f"m{i}": [[4], 0.1] for i in range(65)}}, "length <= 64"),
        ("emotion", {"output": "smiles"}, "its output 'smiles' is none of fer2013, ferplus"),
        ("emotion", {"label_sets": []}, "length >= 1"),
        ("emotion", {"label_sets": ["a\x1b[31m"]}, "matching regex"),
        ("emotion", {"temperatures": {"ferplus": 0}}, "> 0.0"),
        ("emotion", {"temperatures": {"others": 1}}, "a temperature for 'others', which is none of its outputs"),
        ("emotion", {"weights": "../tiny.onnx"}, "matching regex"),
        ("emotion", {"weights": "/dev/zero"}, "matching regex"),
        ("emotion", {"sha256": "abc"}, "matching regex"),
        ("colorizer", {"multiple": 0}, ">= 4"),
        ("colorizer", {"multiple": 1_000_000}, "<= 128"),
        ("colorizer", {"multiple": 6}, "multiple of 4"),
        ("colorizer", {"grid": 0}, ">= 2"),
        ("colorizer", {"vividness": []}, "length 2"),
        ("colorizer", {"vividness": [{"temperature": 0, "rebalancing": 0}] * 2}, "> 0.0"),
        ("colorizer", {"vividness": [{"temperature": 1, "rebalancing": -1}] * 2}, ">= 0.0"),
        ("style", {"multiple": 0}, ">= 1"),
        ("style", {"multiple": 129}, "<= 128"),
        ("style", {"styles": {}}, "it has no style for angry, disgust"),
    ],
)
def test_other_numbers_and_names_have_theirs(kind, changes, words, tmp_path):
    found = error_of(kind, tmp_path, card_of(kind) | changes)
    assert "is not the card of such a net" in found
    assert words in found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "is not the card of such a net: Expected `object`"),
        ('{"crop_size": NaN}', "cannot be read: JSON is malformed"),
        ('{"metrics": ' * 50_000, "cannot be read: maximum recursion depth"),
        ("[" * 100_000, "is not the card of such a net"),
        (" " * (MOST_BYTES + 1), "cannot be read: it is larger than 1 MB"),
    ],
    ids=["empty", "cut", "list", "NaN", "nested", "nested lists", "large"],
)
def test_what_is_no_card_is_refused(content, words, tmp_path):
    assert words in error_of("emotion", tmp_path, content)


def test_a_card_that_is_missing_or_a_pipe_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"mine\.onnx has no card: .*mine\.json is missing\."):
        read_card(tmp_path / "mine.json", EmotionCard, "an emotion net")
    os.mkfifo(tmp_path / "mine.json")
    with pytest.raises(EngineError, match=r"mine\.json cannot be read: it is no regular file\."):
        read_card(tmp_path / "mine.json", EmotionCard, "an emotion net")
