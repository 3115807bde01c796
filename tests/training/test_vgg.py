"""VGG16 against the same layers written out."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from torch.nn import functional  # noqa: E402

from training.vgg import LAYERS, Vgg16, feature_distance  # noqa: E402

BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21))


def written_out(values, rgb):
    x = (rgb - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    features = []
    for block, indices in enumerate(BLOCKS):
        x = functional.max_pool2d(x, 2) if block else x
        for index in indices:
            weight, bias = (torch.from_numpy(values[f"features.{index}.{k}"]).float() for k in ("weight", "bias"))
            x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
            features.append(x)
    return features


def test_features_are_those_of_the_layers_written_out(vgg_file, vgg_arrays):
    rgb = torch.rand(2, 3, 20, 33)
    features = Vgg16(vgg_file)(rgb)
    assert tuple(features) == LAYERS
    for found, wanted in zip(features.values(), written_out(vgg_arrays(), rgb), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.max()))
    assert features["relu4_3"].shape == (2, 512, 2, 4)
    assert features["relu4_3"].max() > 0


def test_the_net_ends_at_the_layer_asked_for(vgg_file):
    vgg = Vgg16(vgg_file, "relu2_1")
    assert tuple(vgg(torch.rand(1, 3, 8, 8))) == ("relu1_1", "relu1_2", "relu2_1")
    assert len(vgg.convolutions) == 3


def test_the_image_gets_a_gradient_and_the_net_none(vgg_file):
    vgg = Vgg16(vgg_file, "relu2_2")
    rgb = torch.rand(1, 3, 16, 16, requires_grad=True)
    vgg(rgb)["relu2_2"].sum().backward()
    assert rgb.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in vgg.parameters())
    with torch.inference_mode():
        assert not vgg(rgb)["relu1_1"].requires_grad


def test_distance_grows_with_the_difference_and_is_relative(vgg_file):
    vgg, random = Vgg16(vgg_file, "relu3_3"), np.random.default_rng(0)
    truth = random.integers(60, 200, (32, 32, 3), np.uint8)
    near = truth + np.array([5, 0, 0], np.uint8)
    far = truth + np.array([50, 0, 0], np.uint8)
    assert feature_distance(vgg, truth, truth, "relu3_3") == 0
    small, large = (feature_distance(vgg, other, truth, "relu3_3") for other in (near, far))
    assert 0 < small < large
    for parameter in vgg.convolutions[-1].parameters():
        parameter *= 2
    assert feature_distance(vgg, far, truth, "relu3_3") == pytest.approx(large, rel=1e-3)
