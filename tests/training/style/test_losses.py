"""The losses of style and content: their values, written out, and what they do not depend on."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from torch import nn  # noqa: E402

from training.style.losses import (  # noqa: E402
    CONTENT_LAYER,
    STYLE_LAYERS,
    StyleLosses,
    gram,
    mean_activations,
    mean_squares,
    total_variation,
)
from training.vgg import LAYERS  # noqa: E402

ONES = dict.fromkeys(LAYERS, 1.0)


class TwoLayers(nn.Module):
    """A loss net as small as can be, with the names of two of VGG16's layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        self.requires_grad_(False)

    def forward(self, rgb):
        first = self.first(rgb).relu()
        return {"relu1_1": first, "relu1_2": self.second(first).relu(), "relu2_1": first}


@pytest.fixture
def loss_net():
    torch.manual_seed(0)
    return TwoLayers()


@pytest.fixture
def losses(loss_net):
    return StyleLosses(loss_net, ONES, ("relu1_1", "relu1_2"), "relu1_2")


def images(count=2, height=8, width=12, seed=0):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_a_gram_matrix_is_the_mean_product_of_channels():
    features = torch.randn(2, 3, 4, 5)
    found = gram(features)
    for n in range(2):
        for i in range(3):
            for j in range(3):
                products = sum(features[n, i, y, x] * features[n, j, y, x] for y in range(4) for x in range(5))
                assert found[n, i, j].item() == pytest.approx(products.item() / (3 * 4 * 5), abs=1e-5)


def test_a_gram_matrix_does_not_depend_on_the_image_s_size():
    features = torch.randn(1, 3, 4, 5)
    assert torch.allclose(gram(features.repeat(1, 1, 3, 2)), gram(features), atol=1e-6)


def test_only_the_layers_that_count_are_kept(losses):
    features = losses.features(images())
    assert set(features) == {"relu1_1", "relu1_2"}
    assert losses.grams(features)["relu1_2"].shape == (2, 5, 5)


def test_a_style_is_no_way_from_itself_and_1_from_nothing(losses):
    features = losses.features(images())
    grams = losses.grams(features)
    scale = mean_squares(grams)
    assert losses.style(features, grams, scale).tolist() == [0, 0]
    nothing = {layer: torch.zeros_like(value) for layer, value in features.items()}
    assert torch.allclose(losses.style(nothing, grams, scale), torch.ones(2))
    # Each image by itself: the other's style is further.
    exchanged = {layer: value.flip(0) for layer, value in grams.items()}
    assert (losses.style(features, exchanged, mean_squares(exchanged)) > 0).all()


def test_the_absolute_measure_is_the_mean_squared_difference_over_layers(losses):
    features, grams = losses.features(images()), losses.grams(losses.features(images(1, seed=3)))
    wanted = [(losses.grams(features)[layer] - grams[layer]).pow(2).mean((1, 2)) for layer in grams]
    assert torch.allclose(losses.style(features, grams), (wanted[0] + wanted[1]) / 2)


def test_content_is_relative_to_the_photo(losses):
    photo, painted = losses.features(images()), losses.features(images(seed=1))
    assert losses.content(photo, photo) == 0
    assert losses.absolute_content(photo, photo) == 0
    nothing = {layer: torch.zeros_like(value) for layer, value in photo.items()}
    assert losses.content(nothing, photo).item() == pytest.approx(1)
    squares = (painted["relu1_2"] - photo["relu1_2"]).pow(2)
    assert losses.absolute_content(painted, photo).item() == pytest.approx(squares.mean().item())
    wanted = squares.sum() / photo["relu1_2"].pow(2).sum()
    assert losses.content(painted, photo).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_relative_losses_do_not_depend_on_the_scale_of_a_layer(losses, loss_net):
    """So mean activations, and which release of VGG16 it is, cancel out of them."""
    scaled = StyleLosses(loss_net, ONES | {"relu1_1": 0.01, "relu1_2": 30.0}, losses.style_layers, "relu1_2")

    def measured(by):
        photo, painted = by.features(images()), by.features(images(seed=1))
        grams = by.grams(photo)
        return [by.content(painted, photo), *by.style(painted, grams, mean_squares(grams))]

    assert torch.allclose(torch.stack(measured(scaled)), torch.stack(measured(losses)), rtol=1e-4)


def test_mean_activations_are_those_over_all_images(loss_net):
    found = mean_activations(loss_net, images(3).split(1))
    assert set(found) == {"relu1_1", "relu1_2", "relu2_1"}
    assert found["relu1_2"] == pytest.approx(loss_net(images(3))["relu1_2"].mean().item(), rel=1e-5)


def test_every_loss_moves_the_image(losses):
    photo, grams = losses.features(images()), losses.grams(losses.features(images(1, seed=3)))
    for loss in (
        lambda painted: losses.content(losses.features(painted), photo),
        lambda painted: losses.absolute_content(losses.features(painted), photo),
        lambda painted: losses.style(losses.features(painted), grams).sum(),
        total_variation,
    ):
        painted = images(seed=1).requires_grad_()
        loss(painted).backward()
        assert painted.grad.abs().max() > 0


def test_total_variation_is_the_mean_step_down_and_across():
    ramp = torch.arange(4.0).expand(1, 3, 5, 4) * 0.1
    assert total_variation(ramp).item() == pytest.approx(0.1)
    assert total_variation(ramp.mT + 0.2 * ramp.mT).item() == pytest.approx(0.12)
    assert total_variation(torch.full((1, 3, 4, 4), 0.7)) == 0


def test_the_layers_are_vgg16_s():
    assert {*STYLE_LAYERS, CONTENT_LAYER} <= set(LAYERS)
