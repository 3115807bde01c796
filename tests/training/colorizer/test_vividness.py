"""What choosing colours more boldly does to a trained colorizer."""

import json

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the net is one of torch's")

from engines.nets.annealed import Annealed  # noqa: E402
from engines.nets.video_colorizer import VideoColorizer  # noqa: E402
from engines.spec import ColorChoice  # noqa: E402
from training.colorizer.vividness import main, measure_choices  # noqa: E402
from training.data.photos import read_photos  # noqa: E402


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    untrained = VideoColorizer(20)
    return Annealed(untrained, torch.rand(len(untrained.bins)) + 0.5).eval()


def test_sharper_choices_are_more_colourful(net, two_blobs):
    """Even without training, sharpening takes the output from the mean of all colours toward a single one."""
    soft, sharp = measure_choices(
        net, read_photos([two_blobs]), [ColorChoice(temperature=t, rebalancing=1.0) for t in (1.0, 0.05)]
    )
    assert sharp["colorfulness"] > soft["colorfulness"]
    assert soft["ab_error"] > 0


def test_a_run_that_is_not_finished_ends_in_one_line(two_blobs, tmp_path, run_main):
    code, _, message = run_main(main, "--run", tmp_path, "--images", two_blobs)
    assert code == 2
    assert "the run is not finished" in message


def test_every_pair_is_written(trained_colorizer, two_blobs, tmp_path, run_main):
    given = ["--temperatures", "1", "0.4", "--rebalancings", "0", "1", "--first", "1", "--out", tmp_path / "found.json"]
    code, printed, _ = run_main(main, "--run", trained_colorizer, "--images", two_blobs, *given)
    assert code == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["photos"] == 1
    pairs = [(row["temperature"], row["rebalancing"]) for row in found["choices"]]
    assert pairs == [(1, 0), (1, 1), (0.4, 0), (0.4, 1)]
    assert len(printed.splitlines()) == 4
