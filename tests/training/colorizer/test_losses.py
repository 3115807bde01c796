"""The colorizers' losses: their values, and that each moves a net from its first layer on."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from torch import nn  # noqa: E402

from engines.nets.ab_bins import AbBins  # noqa: E402
from engines.nets.s1_colorizer import S1Colorizer  # noqa: E402
from engines.nets.s2_colorizer import S2Colorizer  # noqa: E402
from engines.nets.s4_colorizer import S4Colorizer  # noqa: E402
from training.colorizer.ab_targets import soft_targets  # noqa: E402
from training.colorizer.losses import S1_LAYERS, ab_huber_loss, ab_l2_loss, class_loss, perceptual_loss, rgb_loss  # noqa: E402
from training.vgg import LAYERS  # noqa: E402

BINS = AbBins(12)


class TwoLayers(nn.Module):
    """A loss net as small as can be, with the names of VGG16's first layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.requires_grad_(False)

    def forward(self, rgb):
        first = self.first(rgb).relu()
        return {"relu1_1": first, "relu1_2": self.second(first).relu()}


@pytest.fixture
def gray():
    return torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def ab():
    return 30 * torch.randn(2, 2, 16, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def loss_net():
    torch.manual_seed(4)
    return TwoLayers()


def moves_first_layer(net, loss):
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    loss.backward()
    first = next(p for p in net.parameters() if p.requires_grad)
    return bool(torch.isfinite(first.grad).all() and first.grad.abs().max() > 0)


@pytest.mark.parametrize("weights", [None, torch.linspace(0.5, 2, len(BINS))], ids=["plain", "rebalanced"])
def test_class_loss_moves_s2(gray, ab, weights):
    net = S2Colorizer(BINS, width=1 / 16)
    targets = soft_targets(ab[:, :, ::4, ::4], BINS, sigma=6)
    assert moves_first_layer(net, class_loss(net(gray), targets, weights))


@pytest.mark.parametrize("loss", [ab_l2_loss, ab_huber_loss])
def test_ab_losses_move_s2_and_s4(gray, ab, loss):
    s2, s4 = S2Colorizer(None, width=1 / 16), S4Colorizer("none", width=1 / 8)
    assert moves_first_layer(s2, loss(s2(gray), ab[:, :, ::4, ::4]))
    assert moves_first_layer(s4, loss(s4(gray), ab))


def test_rgb_and_perceptual_losses_move_s1(gray, loss_net):
    truth = torch.rand(2, 3, 16, 24)
    for loss in (rgb_loss, lambda predicted, truth: perceptual_loss(loss_net, predicted, truth)):
        net = S1Colorizer(width=1 / 8)
        assert moves_first_layer(net, loss(net(gray), truth))


def test_perceptual_loss_is_relative_to_the_truth(loss_net):
    truth = torch.rand(1, 3, 8, 8)
    assert perceptual_loss(loss_net, truth, truth) == 0
    other = perceptual_loss(loss_net, truth.flip(1), truth)
    assert other > 0
    with torch.no_grad():
        loss_net.second.weight *= 100
        loss_net.second.bias *= 100
    assert perceptual_loss(loss_net, truth.flip(1), truth) == pytest.approx(other.item(), rel=1e-4)
    assert set(S1_LAYERS) <= set(LAYERS), "VGG16 has layers of these names"


def test_class_loss_is_the_dense_cross_entropy(ab):
    targets = soft_targets(ab, BINS, sigma=6)
    dense = torch.zeros(2, len(BINS), 16, 24).scatter_(1, targets.indices, targets.weights)
    logits = torch.randn(2, len(BINS), 16, 24)
    wanted = nn.functional.cross_entropy(logits, dense, reduction="none")
    assert torch.allclose(class_loss(logits, targets), wanted.mean(), atol=1e-4)
    weights = torch.rand(len(BINS))
    assert torch.allclose(class_loss(logits, targets, weights), (weights[dense.argmax(1)] * wanted).mean(), atol=1e-4)


def test_ab_losses_in_units_of_110(ab):
    off = ab + torch.tensor([33.0, -44.0]).view(1, 2, 1, 1)
    assert ab_l2_loss(off, ab).item() == pytest.approx(0.5 * (55 / 110) ** 2, rel=1e-4)
    assert ab_huber_loss(off, ab).item() == pytest.approx((33 + 44 - 1) / 110, rel=1e-4)
    near = ab + torch.tensor([0.3, -0.4]).view(1, 2, 1, 1)
    assert ab_huber_loss(near, ab).item() == pytest.approx(0.5 * 0.25 / 110, rel=1e-3)


def test_bfloat16_outputs_are_compared_in_float32(ab):
    rounded = ab.bfloat16()
    assert ab_l2_loss(rounded, ab).item() == pytest.approx(ab_l2_loss(rounded.float(), ab).item())
    targets = soft_targets(ab, BINS, sigma=6)
    with torch.autocast("cpu", torch.bfloat16):
        logits = torch.randn(2, len(BINS), 16, 24).bfloat16()
        assert class_loss(logits, targets) == class_loss(logits.float(), targets)
