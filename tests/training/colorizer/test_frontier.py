"""The curve of ab error over colourfulness that an epoch is chosen by."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the net is one of torch's")

from engines.nets.annealed import Annealed  # noqa: E402
from engines.nets.video_colorizer import VideoColorizer  # noqa: E402
from training.colorizer.frontier import error_at, main, measure_frontier  # noqa: E402
from training.data.film_look import CLEAN, FilmLook  # noqa: E402
from training.data.photos import read_photos  # noqa: E402


def test_errors_are_read_off_the_curve_and_beyond_its_ends():
    fullness, errors = np.array([30.0, 10.0, 20.0]), np.array([16.0, 12.0, 13.0])
    assert error_at((15, 20, 25, 40, 5), fullness, errors) == pytest.approx([12.5, 13, 14.5, 19, 11.5])


def test_a_degraded_copy_is_harder_and_always_the_same(two_blobs):
    torch.manual_seed(0)
    untrained = VideoColorizer(20)
    net = Annealed(untrained, torch.rand(len(untrained.bins)) + 0.5).eval()
    photos = read_photos([two_blobs])
    clean = measure_frontier(net, photos, 64)
    assert list(clean) == ["ab_at_25", "ab_at_30", "ab_at_35", "frontier"]
    assert clean["frontier"] == pytest.approx(np.mean([clean[f"ab_at_{level}"] for level in (25, 30, 35)]))
    film = measure_frontier(net, photos, 64, FilmLook(blur=(1.0, 2.0, 3.0)))
    assert film == measure_frontier(net, photos, 64, FilmLook(blur=(1.0, 2.0, 3.0)))
    assert film != clean
    undamaged = measure_frontier(net, photos, 64, CLEAN)
    assert undamaged["frontier"] == pytest.approx(clean["frontier"], abs=0.5), "equal but for rounding of luma"


def test_a_net_that_ships_is_measured_by_a_command(one_blob, run_main):
    pytest.importorskip("onnx", reason="onnx is not installed; weights that ship are read with it")
    code, printed, _ = run_main(main, "--weights", "film", "--images", one_blob)
    assert code == 0
    assert list(json.loads(printed)) == ["ab_at_25", "ab_at_30", "ab_at_35", "frontier", "film_frontier"]
    code, _, message = run_main(main, "--weights", "none", "--images", one_blob)
    assert code != 0
    assert "Unknown net 'none'" in message
