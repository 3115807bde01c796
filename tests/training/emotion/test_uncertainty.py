"""The script that measures uncertainty, on a few made-up faces and the net that ships."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from emocolor.classifier import EmotionClassifier
from engines.emotion import load_emotion_net
from engines.spec import EMOTION_FOLDER
from training.emotion.calibration import apply_temperature, cross_fitted_passes, negative_log_likelihood
from training.emotion.uncertainty import (
    CHOSEN,
    PASSES,
    UncertaintyEval,
    main,
    metrics,
    subset_metrics,
    subsets,
    with_dropout_at,
)
from training.evaluate import EmotionEvalConfig, evaluate_emotion

COUNT = 12


@pytest.fixture(scope="module")
def net():
    return load_emotion_net("s0")


@pytest.fixture(scope="module")
def evaluation(net):
    """Coarse patterns, half of them labelled with the answer of one pass, and half with the next emotion."""
    coarse = np.random.default_rng(3).integers(0, 256, (COUNT, 6, 6), np.uint8)
    crops = np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2)
    outputs = EmotionClassifier(net, passes=0).passes_of(crops)[0].argmax(1)
    labels = (outputs + np.arange(COUNT) // 2 % 2) % 7
    return UncertaintyEval(net=net, output="fer2013", crops=crops, labels=labels, seed=0)


@pytest.fixture(scope="module")
def data(evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    np.savez(path, images=evaluation.crops, labels=evaluation.labels, usage=np.ones(COUNT, np.int8))
    return path


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    """The folder that one run of the whole command leaves."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; images need it")
    folder = tmp_path_factory.mktemp("results") / "s0"
    main(["--weights", "s0", "--data", str(data), "--subset-images", "2", "--threads", "1", "--out", str(folder)])
    return folder


@pytest.mark.slow
def test_the_command_measures_every_method_and_every_subset(results):
    found = json.loads((results / "uncertainty.json").read_text())
    assert (found["images"], found["subset_images"]) == (COUNT, 2)
    methods = {row["method"]: row for row in found["methods"]}
    counts = ["softmax", *(f"T = {count}" for count in PASSES)]
    assert list(methods) == [name + suffix for name in counts for suffix in ("", ", temperature")]
    assert methods["softmax"]["accuracy"] == methods["softmax, temperature"]["accuracy"] == 0.5
    assert methods["softmax"]["coverage"].keys() == {"entropy"}
    for row in found["methods"]:
        kept = row["coverage"]["entropy"]
        assert row["gain"] == pytest.approx(kept["0.80"] - kept["1.00"], abs=1e-4)
        assert row["passes"] == 0 or row["coverage"].keys() == {"entropy", "mutual_information", "one_minus_top"}
    assert [row["masks"] for row in found["where_dropout_acts"]] == [list(s) for s in subsets(list(found["masks"]))]


def test_cost_grows_with_the_passes(results):
    found = json.loads((results / "uncertainty.json").read_text())
    costs = [row["cost"] for row in found["methods"][::2]]
    assert costs[0] == 1
    assert costs[-1] > 2 * costs[1]


def test_plain_rows_are_what_evaluate_measures(results, data):
    rows = {row["method"]: row for row in json.loads((results / "uncertainty.json").read_text())["methods"]}
    for passes, row in ((0, rows["softmax"]), (CHOSEN, rows[f"T = {CHOSEN}"])):
        said = evaluate_emotion(EmotionEvalConfig(weights="s0", data=data, split="public", passes=passes))
        assert {key: row[key] for key in ("accuracy", "ece", "brier", "nll")} == {
            key: pytest.approx(said[key], abs=2e-4) for key in ("accuracy", "ece", "brier", "nll")
        }


def test_images_are_drawn(results):
    for image in ("risk_coverage.png", "reliability.png"):
        assert (results / image).read_bytes().startswith(b"\x89PNG")


def test_dropout_everywhere_is_the_row_of_all_masks(evaluation):
    row = metrics(cross_fitted_passes(evaluation.passes(CHOSEN), evaluation.labels), evaluation.labels)
    subset = subset_metrics(evaluation, tuple(evaluation.net.dropouts))
    assert {key: subset[key] for key in ("accuracy", "ece", "brier", "nll", "gain")} == {
        key: row[key] for key in ("accuracy", "ece", "brier", "nll", "gain")
    }
    assert subset["mutual_information"] > 0


def test_dropout_nowhere_is_one_pass_many_times(evaluation):
    nowhere = evaluation.passes(3, masks=())
    assert nowhere.shape == (3, COUNT, 7)
    assert np.allclose(nowhere, evaluation.passes(0), atol=1e-5)
    assert not np.allclose(evaluation.passes(3, masks=["mask_4"]), evaluation.passes(0), atol=1e-3)


def test_a_mask_is_the_same_in_every_subset(net):
    everywhere = EmotionClassifier(net, passes=4).masks
    late = EmotionClassifier(with_dropout_at(net, ["mask_3"]), passes=4).masks
    assert np.array_equal(late["mask_3"], everywhere["mask_3"])
    assert all((mask == 1).all() for name, mask in late.items() if name != "mask_3")


def test_every_subset_comes_once():
    assert list(subsets(["a", "b"])) == [("a",), ("b",), ("a", "b")]
    assert len(set(subsets("abcde"))) == 31


def test_a_temperature_in_the_graph_is_undone(evaluation, tmp_path):
    card = json.loads((EMOTION_FOLDER / "s0.json").read_text())
    (tmp_path / "s0.json").write_text(json.dumps(card | {"temperatures": {"fer2013": 2.0}}))
    shutil.copy(EMOTION_FOLDER / "s0.onnx", tmp_path)
    shipped = evaluation.passes(0)
    undone = replace(evaluation, net=load_emotion_net(str(tmp_path / "s0.onnx"))).passes(0)
    assert np.allclose(undone, apply_temperature(shipped, 1 / 2), atol=1e-6)
    losses = [negative_log_likelihood(passes[0], evaluation.labels) for passes in (shipped, undone)]
    assert abs(losses[0] - losses[1]) > 0.01


def test_fewer_images_are_spread_over_all(evaluation):
    few = evaluation.thinned(3)
    assert np.array_equal(few.crops, evaluation.crops[[0, 6, 11]])
    assert np.array_equal(few.labels, evaluation.labels[[0, 6, 11]])
    assert np.array_equal(evaluation.thinned(COUNT).crops, evaluation.crops)


def ends_with(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return end.value.code, message


def test_bad_input_ends_in_one_line(data, tmp_path, capsys):
    given = ["--weights", "s0", "--data", data]
    assert ends_with(["--weights", "s0", "--data", tmp_path / "none.npz"], capsys)[0] == 4
    assert ends_with(["--weights", "s1", "--data", data], capsys)[0] == 2
    assert ends_with([*given, "--labels", "ferplus"], capsys)[0] == 4
    assert ends_with([*given, "--seed", "-1"], capsys)[0] == 2
    assert ends_with([*given, "--subset-images", "1"], capsys)[0] == 2
    (tmp_path / "file").touch()
    assert ends_with([*given, "--out", tmp_path / "file" / "results"], capsys)[0] == 5
    np.savez(tmp_path / "one.npz", images=np.zeros((1, 48, 48), np.uint8), labels=[0], usage=[1])
    assert "at least two" in ends_with(["--weights", "s0", "--data", tmp_path / "one.npz"], capsys)[1]


def test_missing_matplotlib_is_told_before_measuring(data, tmp_path, capsys, monkeypatch):
    for module in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    code, message = ends_with(["--weights", "s0", "--data", data, "--out", tmp_path / "results"], capsys)
    assert code == 6
    assert "emocolor-stream[train]" in message


def test_neither_torch_nor_matplotlib_is_loaded():
    script = "import sys; import training.emotion.uncertainty; assert not {'torch', 'matplotlib'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)
