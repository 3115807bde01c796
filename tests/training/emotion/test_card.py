"""The card of an emotion classifier in words, on what its JSON holds."""

import json

import pytest

from engines.spec import EMOTION_FOLDER
from training.emotion.card import card_text


@pytest.fixture
def card():
    return json.loads((EMOTION_FOLDER / "s0.json").read_text())


def test_classes_with_low_recall_are_named(card):
    recalls = card["metrics"]["fer2013"]["mc20"]["per_class"]
    assert f"of disgust ({recalls['disgust']:.2f})" in card_text("s0", card)
    card["metrics"]["fer2013"]["mc20"]["per_class"] = dict.fromkeys(recalls, 0.9)
    assert "recognises every class in at least half of its images" in card_text("s0", card)


def test_a_class_without_images_has_no_recall(card):
    for kind in ("deterministic", "mc20"):
        card["metrics"]["fer2013"][kind]["per_class"]["disgust"] = None
    assert "| disgust | – | – |" in card_text("s0", card)


def test_the_cost_is_left_out_where_it_was_not_measured(card):
    assert "## Cost" in card_text("s0", card)
    del card["cost"]
    assert "## Cost" not in card_text("s0", card)


def test_averaged_runs_are_told_with_their_parts(card):
    run = {key: value for key, value in card["training"].items() if key != "soup"}
    card["training"]["soup"] = [run | {"run": "one", "part": 0.4}, run | {"run": "two", "part": 0.6}]
    words = card_text("s0", card)
    assert "The average of 2 runs' weights, 0.4 and 0.6" in words
    assert words.index("`one`:") < words.index("`two`:")


def test_where_data_and_weights_come_from_is_told(card):
    card["training"]["settings"] |= {"labels": "both", "start": "imagenet", "teachers": ["ours"]}
    words = card_text("s0", card)
    assert "votes of FER+" in words
    assert "EfficientNet-Lite0's ImageNet weights" in words
    assert "the output of `ours` (distillation)" in words
