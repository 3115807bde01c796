"""The fast gradients are the ordinary ones."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from engines.nets.efficientnet_lite import SameConv2d  # noqa: E402
from training.depthwise import speed_up_depthwise  # noqa: E402


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [(12, 12), (7, 7), (3, 3), (9, 6)])
def test_values_and_gradients_agree(kernel, stride, side):
    torch.manual_seed(0)
    conv = SameConv2d(8, 8, kernel, stride, groups=8).double()
    x = torch.randn(4, 8, *side, dtype=torch.float64, requires_grad=True)
    plain = conv(x)
    direction = torch.randn_like(plain)
    wanted = torch.autograd.grad(plain, (x, conv.weight), direction)
    speed_up_depthwise(conv)
    fast = conv(x)
    assert torch.equal(fast, plain)
    for found, right in zip(torch.autograd.grad(fast, (x, conv.weight), direction), wanted, strict=True):
        assert torch.allclose(found, right, atol=1e-12)


def test_other_convolutions_are_left_alone():
    conv = SameConv2d(8, 16, 3)
    forward = conv.forward
    speed_up_depthwise(conv)
    assert conv.forward == forward
