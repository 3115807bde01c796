"""S3's image transformation net, after Johnson et al."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from torch import nn  # noqa: E402

from engines.nets.s3_transformer import S3Transformer  # noqa: E402


def test_the_paper_s_net_has_its_layers():
    net = S3Transformer()
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 16
    assert [conv.stride[0] for conv in convolutions] == [1, 2, 2, *[1] * 13]
    assert [conv.out_channels for conv in convolutions] == [32, 64, *[128] * 11, 64, 32, 3]
    assert sum(isinstance(module, nn.InstanceNorm2d) for module in net.modules()) == 15
    assert not any(isinstance(module, nn.MaxPool2d | nn.AvgPool2d) for module in net.modules())
    assert sum(p.numel() for p in net.parameters()) == 1_679_235


@pytest.mark.parametrize("size", [(36, 36), (64, 40), (36, 132)])
def test_images_keep_their_size(size):
    with torch.inference_mode():
        assert S3Transformer().eval()(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_borders_are_reflected():
    """Zeros at the border would draw a frame."""
    convolutions = [module for module in S3Transformer().modules() if isinstance(module, nn.Conv2d)]
    assert {conv.padding_mode for conv in convolutions} == {"reflect"}
