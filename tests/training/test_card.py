"""The Markdown cards next to the weights are those that the JSON cards give."""

import json

import pytest

from emocolor.errors import ConfigurationError
from engines.spec import (
    COLORIZER_FOLDER,
    EMOTION_FOLDER,
    STYLE_FOLDER,
    colorizer_names,
    emotion_net_names,
    style_net_names,
)
from training.card import write_card
from training.colorizer.card import card_text as colorizer_card
from training.emotion.card import card_text as emotion_card
from training.style.card import card_text as style_card

SHIPPED = [
    *((EMOTION_FOLDER, name, emotion_card) for name in emotion_net_names()),
    *((COLORIZER_FOLDER, name, colorizer_card) for name in colorizer_names()),
    *((STYLE_FOLDER, name, style_card) for name in style_net_names()),
]


@pytest.mark.parametrize(("folder", "name", "card_text"), SHIPPED, ids=[name for _, name, _ in SHIPPED])
def test_the_card_in_words_is_that_of_the_metrics(folder, name, card_text):
    text = card_text(name, json.loads((folder / f"{name}.json").read_text()))
    assert (folder / f"{name}.md").read_text() == text, f"run python -m training.card {name}"


def test_an_unknown_net_is_refused_with_a_known_one():
    with pytest.raises(ConfigurationError, match="No net 'flim' ships; did you mean 'film'"):
        write_card("flim")
