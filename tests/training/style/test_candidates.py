"""Style nets to measure: shipped, exported, and those of runs."""

import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed; the run's net needs it")

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError, MissingDependencyError
from training.style.candidates import load_candidate, single_style


def test_the_net_of_the_effect_is_the_default():
    net = load_candidate(None, threads=1)
    assert net.name == "fast"
    assert net.backend
    assert list(net.paintings) == list(EMOTIONS)


def test_a_run_is_a_candidate_that_is_not_timed(trained_style):
    net = load_candidate(str(trained_style), threads=1)
    assert (net.name, net.backend) == (trained_style.name, None)
    assert net.paintings["happy"].title == "On happy"
    rgb = np.zeros((36, 36, 3), np.uint8)
    assert net.stylize(rgb, single_style("happy")).shape == rgb.shape


def test_runs_need_torch(trained_style, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "training.style.nets")
    with pytest.raises(MissingDependencyError, match=r"needs torch: pip install 'emocolor-stream\[train\]'"):
        load_candidate(str(trained_style), threads=1)


def test_an_unknown_net_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="Unknown"):
        load_candidate("fsat", threads=1)
    with pytest.raises(ConfigurationError, match="not finished"):
        load_candidate(str(tmp_path), threads=1)


def test_a_mixture_of_one_style_is_that_style_alone():
    assert single_style("angry").tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
