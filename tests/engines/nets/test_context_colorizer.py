"""The colorizer that sees the whole image."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.context_colorizer import AttentionBlock, ContextColorizer  # noqa: E402
from engines.nets.video_colorizer import VideoColorizer  # noqa: E402

NARROW = (8, 8, 32)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return ContextColorizer(12, "lite0", NARROW).eval()


def randomized(net):
    """With context branches that no longer start at zero."""
    with torch.no_grad():
        for parameter in (*net.attention.parameters(), *net.palette.parameters()):
            parameter.normal_(0, 0.3)
    return net


@pytest.mark.parametrize("variant", ["lite0", "lite1", "lite2"])
def test_it_gives_logits_at_a_quarter_of_the_side(variant):
    net = randomized(ContextColorizer(12, variant, NARROW)).eval()
    with torch.inference_mode():
        logits = net(torch.rand(2, 1, 64, 96))
    assert logits.shape == (2, 231, 16, 24)
    assert torch.isfinite(logits).all()


def test_untrained_it_is_the_net_without_context(net):
    plain = VideoColorizer(12, NARROW).eval()
    plain.load_state_dict({name: value for name, value in net.state_dict().items() if name in plain.state_dict()})
    gray = torch.rand(1, 1, 64, 96)
    with torch.inference_mode():
        assert torch.allclose(net(gray), plain(gray), atol=1e-4)


def test_every_point_sees_all_others():
    torch.manual_seed(0)
    block = AttentionBlock(32)
    with torch.no_grad():
        block.projection.weight.normal_()
        x = torch.randn(1, 32, 6, 9)
        moved = x.clone()
        moved[0, ::2, 0, 0] += 3  # half of the channels: a layer norm does not see a shift of all
        change = (block(moved) - block(x)).abs().amax(1)[0]
    assert (change > 1e-5).all()


def test_the_palette_is_one_for_the_image(net):
    gray = torch.rand(1, 1, 64, 96)
    with torch.inference_mode():
        before = net(gray)
        net.palette.bias[5] += 2
        change = net(gray) - before
    assert change[:, 5] == pytest.approx(2, abs=1e-4)
    assert change[:, 6].abs().max() < 1e-4


def test_channels_drop_out_in_training_alone():
    torch.manual_seed(0)
    net = ContextColorizer(12, "lite0", NARROW, dropout=0.5)
    gray = torch.rand(2, 1, 64, 64)
    dropped = [net(gray) for _ in range(2)]
    assert not torch.equal(*dropped)
    with torch.inference_mode():
        assert torch.equal(net.eval()(gray), net(gray))
