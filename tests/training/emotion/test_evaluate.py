"""The evaluation of emotion classifiers: what the command prints."""

import json

import pytest

from emocolor.errors import ConfigurationError
from training.emotion.evaluate import EmotionEvalConfig, evaluate_emotion
from training.evaluate import main

KEYS = {
    "weights", "split", "labels", "output", "mc", "flip", "precision", "n", "accuracy", "macro_f1", "weighted_f1",
    "kappa", "mcc", "top2", "ece", "per_class", "confusion", "brier", "nll",
}  # fmt: skip


def test_the_command_prints_one_json_object(faces_file, run_main):
    given = ["--weights", "s0", "--data", faces_file, "--split", "public", "--mc", "3"]
    code, printed, _ = run_main(main, "emotion", *given)
    assert code == 0
    assert len(printed.splitlines()) == 1
    found = json.loads(printed)
    assert found.keys() == KEYS
    assert (found["n"], found["mc"], found["output"]) == (32, 3, "fer2013")


def test_mirrored_faces_count_the_same_where_both_are_averaged(faces_file):
    plain, flipped = (
        evaluate_emotion(EmotionEvalConfig(weights="s0", data=faces_file, split="public", flip=flip))
        for flip in (False, True)
    )
    assert flipped["nll"] != plain["nll"]
    assert flipped["flip"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--data", "none.npz"], 4, "No such file: none.npz"),
        (["--data", "none.npz", "--mc", "-1"], 2, "passes must not be negative, got -1"),
        (["--labels", "ferplus"], 4, "The data has no array ferplus_votes"),
        (["--weights", "s0", "--output", "ferplus"], 2, "'s0' has no output 'ferplus'"),
        (["--split", "private"], 4, "holds no labelled image in split 'private'"),
    ],
)
def test_bad_input_ends_in_one_line(arguments, code, words, faces_file, run_main):
    given = arguments if "--data" in arguments else ["--data", faces_file, *arguments]
    ended, _, message = run_main(main, "emotion", *given)
    assert ended == code
    assert words in message
    assert len(message.splitlines()) == 1


def test_a_negative_number_of_passes_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="passes"):
        EmotionEvalConfig(data=tmp_path, passes=-1)
