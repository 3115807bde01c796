"""VGG16 from its file, against the same layers written out."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from torch.nn import functional  # noqa: E402

from emocolor.errors import EngineError  # noqa: E402
from training.vgg import LAYERS, Vgg16, feature_distance  # noqa: E402

BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21))
CHANNELS = (64, 128, 256, 512)


def arrays(last_block=4):
    """Values as the file holds them, but random."""
    random, found, channels_in = np.random.default_rng(0), {}, 3
    for indices, channels in zip(BLOCKS[:last_block], CHANNELS, strict=False):
        for index in indices:
            scale = (2 / (9 * channels_in)) ** 0.5
            kernel = random.standard_normal((channels, channels_in, 3, 3), np.float32) * scale
            found[f"features.{index}.weight"] = kernel.astype(np.float16)
            found[f"features.{index}.bias"] = random.normal(0, 0.1, channels).astype(np.float16)
            channels_in = channels
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.npz"
    np.savez(path, **arrays())
    return path


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


def test_features_are_those_of_the_layers_written_out(file):
    rgb = torch.rand(2, 3, 20, 33)
    features = Vgg16(file)(rgb)
    assert tuple(features) == LAYERS
    for found, wanted in zip(features.values(), written_out(arrays(), rgb), strict=True):
        assert torch.allclose(found, wanted, atol=1e-4)
    assert features["relu4_3"].shape == (2, 512, 2, 4)


def test_the_net_ends_at_the_layer_asked_for(file):
    vgg = Vgg16(file, "relu2_1")
    assert tuple(vgg(torch.rand(1, 3, 8, 8))) == ("relu1_1", "relu1_2", "relu2_1")
    assert len(vgg.convolutions) == 3


def test_the_picture_gets_a_gradient_and_the_net_none(file):
    vgg = Vgg16(file, "relu2_2")
    rgb = torch.rand(1, 3, 16, 16, requires_grad=True)
    vgg(rgb)["relu2_2"].sum().backward()
    assert rgb.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in vgg.parameters())
    with torch.inference_mode():
        assert not vgg(rgb)["relu1_1"].requires_grad


def test_a_folder_stands_for_the_only_file_in_it(file, tmp_path):
    assert torch.equal(Vgg16(file.parent).convolutions[0].weight, Vgg16(file).convolutions[0].weight)
    with pytest.raises(EngineError, match=r"must hold one npz file .* found 0"):
        Vgg16(tmp_path)


def test_distance_grows_with_the_difference_and_is_relative(file):
    vgg, random = Vgg16(file, "relu3_3"), np.random.default_rng(0)
    truth = random.integers(60, 200, (32, 32, 3), np.uint8)
    near = truth + np.array([5, 0, 0], np.uint8)
    far = truth + np.array([50, 0, 0], np.uint8)
    assert feature_distance(vgg, truth, truth, "relu3_3") == 0
    small, large = (feature_distance(vgg, other, truth, "relu3_3") for other in (near, far))
    assert 0 < small < large
    doubled = {name: value * (2 if name.endswith("14.weight") else 1) for name, value in arrays(3).items()}
    doubled["features.14.bias"] *= 2
    np.savez(file.parent.parent / "doubled.npz", **doubled)
    stronger = Vgg16(file.parent.parent / "doubled.npz", "relu3_3")
    assert feature_distance(stronger, far, truth, "relu3_3") == pytest.approx(large, rel=1e-3)


def test_another_file_is_refused(tmp_path):
    def written(name, values):
        np.savez(tmp_path / name, **values)
        return tmp_path / name

    three = arrays(3)
    cases = [
        (tmp_path / "none.npz", "No such file"),
        (written("short.npz", three), "up to relu4_3: features.17.weight is missing"),
        (written("narrow.npz", three | {"features.0.weight": np.zeros((64, 1, 3, 3))}), "features.0.weight is float64"),
        (written("whole.npz", three | {"features.0.bias": np.zeros(64, int)}), "features.0.bias is int64"),
        (written("objects.npz", three | {"features.0.bias": np.array([None] * 64)}), "does not hold VGG16"),
    ]
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    for path, words in [*cases, (text, "text.npz is no npz file")]:
        with pytest.raises(EngineError, match=words) as error:
            Vgg16(path)
        assert "\n" not in str(error.value)
    Vgg16(tmp_path / "short.npz", "relu3_3")
