"""S2's colorizer, after Zhang, Isola and Efros."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.ab_bins import AbBins  # noqa: E402
from engines.nets.emotion_net import count_parameters  # noqa: E402
from engines.nets.s2_colorizer import AB_SCALE, S2Colorizer  # noqa: E402


def test_its_size_is_the_papers():
    s2 = count_parameters(S2Colorizer(AbBins(10)))
    assert s2 == (32_235_385, 4_992)
    assert round(s2[0] * 4 / 1e6) == 129, "megabytes in S2's table"


def test_with_bins_it_gives_logits_and_without_ab():
    gray = torch.rand(1, 1, 32, 64)
    with torch.inference_mode():
        bins = AbBins(12)
        assert S2Colorizer(bins, width=1 / 16).eval()(gray).shape == (1, len(bins), 8, 16)
        ab = S2Colorizer(None, width=1 / 16).eval()(gray)
    assert ab.shape == (1, 2, 8, 16)
    assert ab.abs().max() < 3 * AB_SCALE
    assert (S2Colorizer(bins, width=1 / 16).output_form, S2Colorizer(None, width=1 / 16).output_form) == ("bins", "ab")
