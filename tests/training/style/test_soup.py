"""The average of two runs of a style net."""

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.style.candidates import net_of_run  # noqa: E402
from training.style.recipe import StyleImage, StyleImages, StyleRecipe  # noqa: E402
from training.style.soup import average_style_runs  # noqa: E402
from training.style.train import train  # noqa: E402

SINGLE = StyleRecipe(
    net="s3", styles=StyleImages(happy=StyleImage(file="happy.png")), style_size=64, crop=36, shift=4, draws=4, batch=2,
    epochs=1, bf16=False, mixed_part=0.0, partial_part=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(two_blobs, paintings_folder, vgg_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    sad = replace(SINGLE, styles=StyleImages(sad=StyleImage(file="sad.png")))
    for name, recipe in (("one", SINGLE), ("two", replace(SINGLE, seed=2)), ("sad", sad)):
        train(recipe, paintings_folder, [two_blobs], [two_blobs], vgg_file, folder / name)
    return folder


def test_the_average_is_a_run_that_paints(runs, tmp_path):
    average_style_runs([runs / "one", runs / "two"], [0.25, 0.75], tmp_path / "both")
    one, two, both = (net_of_run(run)[1].state_dict() for run in (runs / "one", runs / "two", tmp_path / "both"))
    assert all(torch.allclose(both[name], 0.25 * one[name] + 0.75 * two[name], atol=1e-6) for name in both)
    config = json.loads((tmp_path / "both" / "config.json").read_text())
    assert [(part["run"], part["part"]) for part in config["soup"]] == [("one", 0.25), ("two", 0.75)]
    rows = (tmp_path / "both" / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    left = {path.name for path in (tmp_path / "both").iterdir()}
    assert left == {"config.json", "epochs.csv", "checkpoint.pt", "final.json", "curves.png"}


@pytest.mark.parametrize(
    ("names", "parts", "words"),
    [
        (["one", "sad"], [0.5, 0.5], "differ in styles"),
        (["one", "two"], [0.5, 0.6], "add up to 1"),
        (["one"], [1.0], "two or more"),
        (["one", "absent"], [0.5, 0.5], "has no final.json"),
    ],
)
def test_what_cannot_be_averaged_is_refused(runs, tmp_path, names, parts, words):
    with pytest.raises(ConfigurationError, match=words):
        average_style_runs([runs / name for name in names], parts, tmp_path / "both")
    assert not (tmp_path / "both").exists()
