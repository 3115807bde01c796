"""Plots of a colorizer's run."""

import cv2
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; feature maps need it")
pytest.importorskip("matplotlib", reason="matplotlib is not installed; training draws with it")

from engines.nets.s1_colorizer import S1Colorizer  # noqa: E402
from training.colorizer.plots import SIZE, draw_features, draw_triptychs  # noqa: E402
from training.colorizer.recolorers import baseline_recolorer  # noqa: E402
from training.data.photos import read_photos  # noqa: E402


def test_a_row_shows_a_photo_gray_colorized_and_true(two_blobs, tmp_path):
    draw_triptychs(tmp_path, baseline_recolorer("turbo"), read_photos([two_blobs]))
    assert cv2.imread(str(tmp_path / "triptychs.png")).shape == (2 * SIZE, 3 * SIZE, 3)


def test_feature_maps_are_drawn_and_no_hook_stays(two_blobs, tmp_path):
    net = S1Colorizer(width=1 / 8)
    draw_features(tmp_path, net, read_photos([two_blobs]))
    assert (tmp_path / "features.png").read_bytes().startswith(b"\x89PNG")
    assert not any(module._forward_hooks for module in net.modules())
