"""The classifier that ships as ``tiny``."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.tiny_emotion import ResidualBlock, TinyEmotionNet  # noqa: E402


def test_masks_act_on_pooled_features_and_behind_the_hidden_layer():
    net = TinyEmotionNet(("fer2013", "ferplus")).eval()
    with torch.inference_mode():
        features = net.trunk(torch.rand(2, 1, 48, 48))
        assert tuple(features.shape[1:]) == net.mask_shapes[0] == (256,)
        assert net.head(features).shape == (2, 14)
        nothing = net.head(features, [torch.ones(2, 256), torch.zeros(2, 128)])
    assert torch.allclose(nothing, net.dense2.bias.expand(2, 14)), "nothing goes past the second mask"


def test_a_shortcut_is_plain_where_shapes_agree():
    assert isinstance(ResidualBlock(32, 32, 1).shortcut, torch.nn.Identity)
    block = ResidualBlock(32, 64, 2).eval()
    with torch.inference_mode():
        assert block(torch.rand(1, 32, 12, 12)).shape == (1, 64, 6, 6)
