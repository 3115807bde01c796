"""S3's classifier: 21 layers for 128x128x3."""

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from torch import nn  # noqa: E402

from engines.nets.emotion_net import count_parameters  # noqa: E402
from engines.nets.s3 import ConvBlock, S3Net  # noqa: E402


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return S3Net().eval()


def test_the_paper_s_layers(net):
    """Conv with its ReLU, norm and pool five times, two dropouts, flatten, and three dense layers."""
    blocks = [module for module in net.children() if isinstance(module, ConvBlock)]
    assert [block.conv.out_channels for block in blocks] == [16, 32, 64, 128, 256]
    assert {(block.conv.kernel_size, block.conv.padding, block.conv.stride) for block in blocks} == {
        ((3, 3), (0, 0), (1, 1))
    }
    assert [block.norm.num_features for block in blocks] == [16, 32, 64, 128, 256]
    dense = [module for module in net.children() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in dense] == [(1024, 512), (512, 256), (256, 7)]
    assert net.dropout_rates == (0.25, 0.25)
    assert 3 * len(blocks) + len(net.dropout_rates) + 1 + len(dense) == 21


def test_parameters(net):
    """Counted by hand: convolutions, scales and shifts of the norms, dense layers."""
    filters = [3, 16, 32, 64, 128, 256]
    convolutions = sum(9 * a * b + b for a, b in pairwise(filters))
    norms = sum(2 * b for b in filters[1:])
    dense = 1024 * 512 + 512 + 512 * 256 + 256 + 256 * 7 + 7
    assert count_parameters(net) == (convolutions + norms + dense, norms)
    assert count_parameters(net)[0] == 1_051_527


def test_shapes(net):
    """Valid convolutions take 2 px from each side, pooling halves it; dropout acts after blocks 2 and 4."""
    seen = []
    blocks = [module for module in net.children() if isinstance(module, ConvBlock)]
    hooks = [block.register_forward_hook(lambda *call: seen.append(tuple(call[2].shape[1:]))) for block in blocks]
    with torch.inference_mode():
        features = net.trunk(torch.rand(2, 3, 128, 128))
        assert len(seen) == 2, "the trunk ends at the first dropout"
        assert net.head(features).shape == (2, 7)
    for hook in hooks:
        hook.remove()
    assert seen == [(16, 63, 63), (32, 30, 30), (64, 14, 14), (128, 6, 6), (256, 2, 2)]
    assert net.mask_shapes == (seen[1], seen[3])
    with torch.inference_mode():
        assert net(torch.rand(1, 3, 128, 128)).shape == (1, 1, 7)
    assert (net.size, net.channels) == (128, 3)


def test_masks_of_ones_change_nothing_and_zeros_do(net):
    face = torch.rand(1, 3, 128, 128)
    masks = [torch.ones(2, *shape) for shape in net.mask_shapes]
    with torch.inference_mode():
        plain = net(face)
        assert torch.allclose(net.monte_carlo(face, *masks), plain.expand(2, 1, 1, 7), atol=1e-5)
        masks[1][0] = 0
        first, second = net.monte_carlo(face, *masks)
    assert not torch.allclose(first, second)
