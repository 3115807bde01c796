"""The average of two runs of a style net."""

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.run_folder import read_epochs  # noqa: E402
from training.style.nets import net_of_run  # noqa: E402
from training.style.recipe import StyleImages  # noqa: E402
from training.style.soup import average_runs, main  # noqa: E402


@pytest.fixture(scope="module")
def runs(single_recipe, tiny_recipe, train_style, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    recipe = replace(single_recipe, draws=2)
    sad = replace(recipe, styles=StyleImages(sad=tiny_recipe.styles.sad))
    for name, one in (("one", recipe), ("two", replace(recipe, seed=2)), ("sad", sad)):
        train_style(one, folder / name)
    return folder


def test_the_average_is_a_run_that_stylizes(runs, tmp_path):
    average_runs([runs / "one", runs / "two"], [0.25, 0.75], tmp_path / "both")
    one, two, both = (net_of_run(run)[1].state_dict() for run in (runs / "one", runs / "two", tmp_path / "both"))
    assert all(torch.allclose(both[name], 0.25 * one[name] + 0.75 * two[name], atol=1e-6) for name in both)
    config = json.loads((tmp_path / "both" / "config.json").read_text())
    assert [(part["run"], part["part"]) for part in config["soup"]] == [("one", 0.25), ("two", 0.75)]
    assert [row["epoch"] for row in read_epochs(tmp_path / "both")] == ["1", "2"]
    left = {path.name for path in (tmp_path / "both").iterdir()}
    assert left == {"config.json", "epochs.csv", "checkpoint.pt", "final.json", "curves.png"}


@pytest.mark.parametrize(
    ("names", "parts", "words"),
    [
        (["one", "sad"], [0.5, 0.5], "differ in styles"),
        (["one", "two"], [0.5, 0.6], "add up to 1"),
        (["one"], [1.0], "two runs or more"),
        (["one", "absent"], [0.5, 0.5], "has no final.json"),
    ],
)
def test_what_cannot_be_averaged_is_refused(runs, tmp_path, names, parts, words, run_main):
    with pytest.raises(ConfigurationError, match=words):
        average_runs([runs / name for name in names], parts, tmp_path / "both")
    given = ["--runs", *(runs / name for name in names), "--parts", *parts, "--run", tmp_path / "both"]
    assert run_main(main, *given)[0] == 2
    assert not (tmp_path / "both").exists()
