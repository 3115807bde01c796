"""S0's net in torch, and the file that ships against it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from emocolor.classifier import EmotionClassifier  # noqa: E402
from engines.emotion import load_emotion_net  # noqa: E402
from engines.nets.emotion_net import count_parameters  # noqa: E402
from engines.nets.s0 import S0Net  # noqa: E402
from engines.spec import read_emotion_spec  # noqa: E402


@pytest.fixture(scope="module")
def net():
    pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")
    from engines.nets.from_onnx import load_net

    return load_net("s0")


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)


def test_parameters_as_the_paper_counts_them():
    assert count_parameters(S0Net()) == (1_241_191, 1_920)


def test_dropout_acts_where_the_paper_puts_it(faces):
    """With the masks that torch's own dropout would have drawn, the two ways agree."""
    net = S0Net().eval()
    x = torch.from_numpy(faces).unsqueeze(1).float() / 255
    ones = [torch.ones(1, *shape) for shape in net.mask_shapes]
    with torch.inference_mode():
        assert torch.allclose(net(x), net.monte_carlo(x, *ones)[0], atol=1e-5)
        net.train()
        torch.manual_seed(5)
        assert not torch.allclose(net(x), net(x))
    assert read_emotion_spec("s0").dropouts == {
        f"mask_{i}": (shape, rate)
        for i, (shape, rate) in enumerate(zip(net.mask_shapes, net.dropout_rates, strict=True))
    }


def test_the_trunk_runs_once_per_face(net, faces):
    calls = []
    handle = net.block1.register_forward_hook(lambda *_: calls.append(1))
    masks = [torch.ones(4, *shape) for shape in net.mask_shapes]
    with torch.inference_mode():
        net.monte_carlo(torch.zeros(3, 1, 48, 48), *masks)
    handle.remove()
    assert len(calls) == 1


@pytest.mark.parametrize("passes", [0, 1, 20])
def test_runtime_agrees_with_torch_in_float64(net, faces, passes):
    classifier = EmotionClassifier(load_emotion_net("s0"), passes=passes)
    x = torch.from_numpy(faces).unsqueeze(1).double() / 255
    masks = [torch.from_numpy(mask).double() for mask in classifier.masks.values()]
    with torch.inference_mode():
        wanted = net.double().monte_carlo(x, *masks)[:, :, 0].softmax(-1).numpy()
        net.float()
    assert np.abs(classifier.passes_of(faces) - wanted).max() < 1e-5
