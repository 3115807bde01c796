"""The card of a colorizer in words, on what its JSON holds."""

import json

from engines.spec import COLORIZER_FOLDER
from training.colorizer.card import card_text, metrics_table


def test_a_metric_that_was_not_measured_everywhere_is_left_out():
    row = dict.fromkeys(("ab_error", "colorfulness", "psnr", "ssim", "auc", "auc_rebalanced"), 1.0)
    table = metrics_table({"0": row | {"vgg_distance": 0.5}, "1": row | {"vgg_distance": None}})
    assert "VGG16" not in table
    assert table.splitlines()[2] == "| 0 | 1.00 | 1.0 | 1.00 | 1.0000 | 1.0 | 1.0 |"
    assert "| 0.500 |" in metrics_table({"0": row | {"vgg_distance": 0.5}})


def test_the_epoch_that_is_kept_is_told():
    card = json.loads((COLORIZER_FOLDER / "film.json").read_text())
    assert "The weights are those of the last epoch. The two ends of vividness" in card_text("film", card)
    card["training"]["settings"]["keep"] = "best"
    assert "those of the best epoch, by the mean ab error at three levels" in card_text("film", card)


def test_photos_that_were_left_out_are_counted():
    card = json.loads((COLORIZER_FOLDER / "film.json").read_text())
    card["training"]["images"]["gray_dropped"] = 1234
    assert "(1,234 more were gray and left out)" in card_text("film", card)
    card["training"]["images"]["gray_dropped"] = 0
    assert "more were gray" not in card_text("film", card)
