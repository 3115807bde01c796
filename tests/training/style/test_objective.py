"""The objective of style nets: targets of mixtures, each loss, and their weighted sum."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from torch import nn  # noqa: E402

from engines.nets.style_net import IDENTITY, SETS  # noqa: E402
from training.style.batches import Views  # noqa: E402
from training.style.losses import StyleLosses  # noqa: E402
from training.style.objective import (  # noqa: E402
    StyleTargets,
    loss_terms,
    style_targets,
    total_loss,
    view_difference,
)
from training.style.paintings import read_painting  # noqa: E402
from training.vgg import LAYERS, Vgg16  # noqa: E402


class Same(nn.Module):
    """A net of one style that changes nothing, but for a gain that can be learnt."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, rgb):
        return self.gain * rgb


@pytest.fixture(scope="module")
def losses(vgg_file):
    return StyleLosses(Vgg16(vgg_file, "relu2_2"), dict.fromkeys(LAYERS, 1.0), ("relu1_2", "relu2_2"), "relu2_2")


@pytest.fixture(scope="module")
def targets(losses, tiny_recipe, paintings_folder):
    paintings = {e: read_painting(paintings_folder / f"{e}.png", 64) for e in ("happy", "sad")}
    return style_targets(paintings, tiny_recipe.styles.given(), losses, torch.device("cpu"))


def views_of(style):
    rgb = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    mixture = torch.zeros(2, SETS)
    mixture[:, style] = 1
    return Views(rgb[..., :36, :36], rgb[..., 2:38, 1:37], (2, 1), mixture)


def test_the_target_of_a_mixture_is_the_mixture_of_gram_matrices():
    grams = {"relu1_2": torch.rand(IDENTITY, 5, 5)}
    targets = StyleTargets(grams, torch.arange(7.0), list(range(7)))
    own = {"relu1_2": torch.rand(1, 5, 5)}
    mixture = torch.tensor([[0.5, 0, 0, 0.25, 0, 0, 0, 0.25]])
    wanted = 0.5 * grams["relu1_2"][0] + 0.25 * grams["relu1_2"][3] + 0.25 * own["relu1_2"][0]
    assert torch.allclose(targets.mixed(mixture, own)["relu1_2"][0], wanted)
    assert targets.weight(mixture) == pytest.approx(0.25 * 3 + 0.25)
    squares = grams["relu1_2"].square().mean((1, 2))
    assert targets.scale(mixture)["relu1_2"] == pytest.approx(
        float(0.5 * squares[0] + 0.25 * squares[3] + 0.25 * squares.mean())
    )


def test_paintings_stand_at_their_emotions(targets, tiny_recipe):
    assert targets.styles == [3, 4]
    for grams in targets.grams.values():
        assert [bool(gram.any()) for gram in grams] == [False, False, False, True, True, False, False]
    assert targets.weights.tolist() == [0, 0, 0, 1, 1, 0, 0]


def test_a_net_that_changes_nothing_keeps_content_and_is_consistent(losses, targets, tiny_recipe):
    recipe = replace(tiny_recipe, temporal_weight=1.0, variation_weight=0.5)
    terms = loss_terms(Same(), views_of(3), recipe, losses, targets)
    assert terms.keys() == {"content", "style", "variation", "temporal"}
    assert terms["content"] == terms["temporal"] == 0
    assert terms["style"] > 0
    wanted = recipe.style_weight * terms["style"] + 0.5 * terms["variation"]
    assert total_loss(terms, recipe).item() == pytest.approx(wanted.item())
    total_loss(terms, recipe).backward()


def test_the_identity_s_style_is_the_photo_s_own(losses, targets, tiny_recipe):
    terms = loss_terms(Same(), views_of(IDENTITY), tiny_recipe, losses, targets)
    assert terms["style"].item() == pytest.approx(0, abs=1e-9)


def test_a_teacher_alone_needs_no_features(targets, tiny_recipe):
    recipe = replace(tiny_recipe, content_weight=0.0, style_weight=0.0, teacher="t", teacher_weight=2.0)
    teacher = Same()
    with torch.no_grad():
        teacher.gain.mul_(2)
    views = views_of(3)
    terms = loss_terms(Same(), views, recipe, None, targets, teacher)
    assert terms.keys() == {"variation", "temporal", "teacher"}
    assert terms["teacher"].item() == pytest.approx(views.first.square().mean().item())


def test_views_are_compared_where_they_overlap():
    rgb = torch.rand(1, 3, 12, 12)
    first, second = rgb[..., :10, :10], rgb[..., 2:12, 1:11]
    assert view_difference(first, second, (2, 1)) == 0
    assert view_difference(first, second, (1, 2)) > 0.01
