"""S1's colorizer."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from torch import nn  # noqa: E402

from engines.nets.emotion_net import count_parameters  # noqa: E402
from engines.nets.s1_colorizer import S1Colorizer  # noqa: E402


def test_its_layers():
    net = S1Colorizer()
    assert count_parameters(net) == (1_028_291, 0)
    assert all(conv.stride == (2, 2) for conv in net.encoder if isinstance(conv, nn.Conv2d))
    assert any(isinstance(module, nn.ConvTranspose2d) for module in net.decoder)
    assert net.output_form == "rgb"


def test_it_gives_srgb_of_the_same_size():
    with torch.inference_mode():
        rgb = S1Colorizer(width=1 / 8)(torch.rand(2, 1, 48, 24))
    assert rgb.shape == (2, 3, 48, 24)
    assert 0 <= rgb.min() <= rgb.max() <= 1
