"""Soft targets, rebalancing, and the way back to one colour."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.chroma.conversion import ab_of  # noqa: E402
from emocolor.errors import ConfigurationError  # noqa: E402
from engines.nets.ab_bins import AbBins  # noqa: E402
from engines.nets.annealed import annealed_mean  # noqa: E402
from training.colorizer.ab_targets import (  # noqa: E402
    S2_DOCUMENT,
    S2_ORIGINAL,
    BinParameters,
    bin_prior,
    rebalancing_weights,
    soft_targets,
)

BOTH = pytest.mark.parametrize("parameters", [S2_DOCUMENT, S2_ORIGINAL], ids=["document", "original"])


@pytest.fixture(scope="module")
def ab():
    """(2, 2, 10, 20) of colours of all sRGB."""
    rgb = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    return torch.from_numpy(ab_of(rgb)).view(2, 10, 20, 2).permute(0, 3, 1, 2)


def dense(targets, count):
    """(N, Q, h, w) from sparse targets."""
    indices, weights = targets
    return torch.zeros(len(indices), count, *indices.shape[2:]).scatter_(1, indices, weights)


@BOTH
def test_targets_are_a_gaussian_over_the_five_nearest_bins(parameters, ab):
    bins = AbBins(parameters.grid)
    targets = soft_targets(ab, bins, sigma=parameters.sigma)
    assert targets.indices.shape == targets.weights.shape == (2, 5, 10, 20)
    assert torch.allclose(targets.weights.sum(1), torch.ones(2, 10, 20), atol=1e-6)
    distances = torch.cdist(ab.permute(0, 2, 3, 1).reshape(-1, 2), torch.from_numpy(bins.centers.copy()))
    nearest = distances.topk(5, largest=False).values
    wanted = torch.exp(-(nearest**2) / (2 * parameters.sigma**2))
    wanted = wanted / wanted.sum(1, keepdim=True)
    assert torch.allclose(targets.weights.permute(0, 2, 3, 1).reshape(-1, 5), wanted, atol=1e-4)
    indices = targets.indices.permute(0, 2, 3, 1).reshape(-1, 5)
    assert torch.allclose(distances.gather(1, indices), nearest, atol=1e-3)


@BOTH
def test_a_distribution_that_fits_gives_the_colour_back(parameters, ab):
    """The five bins are not quite symmetric about a colour; their mean stays within a third of the grid."""
    bins = AbBins(parameters.grid)
    logits = dense(soft_targets(ab, bins, sigma=parameters.sigma), len(bins)).clamp_min(1e-9).log()
    found, sure = annealed_mean(logits, bins, temperature=1.0)
    assert torch.linalg.vector_norm(found - ab, dim=1).max() < parameters.grid / 3
    assert sure.min() > 0.5

    indices = torch.from_numpy(bins.nearest(ab.permute(0, 2, 3, 1).numpy()))
    one_hot = 50 * torch.nn.functional.one_hot(indices, len(bins)).permute(0, 3, 1, 2).float()
    found, sure = annealed_mean(one_hot, bins, temperature=parameters.temperature)
    centers = torch.from_numpy(bins.centers[indices.numpy()]).permute(0, 3, 1, 2)
    assert torch.allclose(found, centers, atol=1e-3)
    assert sure.min() > 0.999


def test_temperature_leads_from_mean_to_mode():
    bins = AbBins(10)
    logits = torch.randn(1, len(bins), 3, 4, generator=torch.Generator().manual_seed(2))
    centers = torch.from_numpy(bins.centers.copy())
    mean = torch.einsum("nqhw,qk->nkhw", logits.softmax(1), centers)
    mode = centers[logits.argmax(1)].permute(0, 3, 1, 2)
    assert torch.allclose(annealed_mean(logits, bins, temperature=1.0)[0], mean, atol=1e-3)
    assert torch.allclose(annealed_mean(logits, bins, temperature=1e-4)[0], mode, atol=1e-3)
    between = annealed_mean(logits, bins, temperature=0.38)[0]
    assert not torch.allclose(between, mean, atol=1)
    assert not torch.allclose(between, mode, atol=1)
    with pytest.raises(ValueError, match="above 0"):
        annealed_mean(logits, bins, temperature=0.0)


def test_two_likely_colours_are_unsure_at_any_temperature():
    bins = AbBins(10)
    logits = torch.full((1, len(bins), 1, 1), -50.0)
    red, blue = bins.nearest(np.array([[60.0, 40.0], [20.0, -60.0]], np.float32))
    logits[0, red], logits[0, blue] = 0.1, 0.0
    for temperature in (1.0, 0.1, 0.001):
        sure = annealed_mean(logits, bins, temperature=temperature)[1]
        assert sure.shape == (1, 1, 1, 1)
        assert 0 < sure.item() < 0.05


def test_bfloat16_logits_are_decoded_in_float32():
    bins = AbBins(12)
    logits = torch.randn(1, len(bins), 2, 2, generator=torch.Generator().manual_seed(3)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found, sure = annealed_mean(logits, bins, temperature=0.45)
    assert found.dtype == sure.dtype == torch.float32
    assert torch.equal(found, annealed_mean(logits.float(), bins, temperature=0.45)[0])


@BOTH
def test_rebalancing_averages_to_one_and_favours_the_rare(parameters):
    bins = AbBins(parameters.grid)
    prior = np.exp(-np.linalg.norm(bins.centers, axis=1) / 10)
    prior /= prior.sum()
    smooth = bins.spread(prior, parameters.sigma)
    weights = rebalancing_weights(prior, bins, parameters)
    assert smooth.sum() == pytest.approx(1)
    assert smooth.max() < prior.max()
    assert (smooth * weights).sum() == pytest.approx(1)
    gray = bins.nearest(np.zeros(2))
    assert weights[gray] == weights.min() < 1 < weights.max()
    least = (1 - parameters.uniform_part) * smooth[gray] * len(bins) / parameters.uniform_part
    assert weights.max() / weights.min() == pytest.approx(1 + least, rel=0.01)


def test_no_prior_is_left_where_all_is_uniform():
    bins = AbBins(12)
    prior = np.zeros(len(bins))
    prior[0] = 1
    parameters = BinParameters(grid=12, uniform_part=1.0, sigma=6, temperature=1)
    assert np.allclose(rebalancing_weights(prior, bins, parameters), 1)


def test_the_prior_counts_pixels():
    bins = AbBins(10)
    gray, red = np.full((4, 6, 3), 90, np.uint8), np.full((2, 4, 3), (255, 0, 0), np.uint8)
    prior = bin_prior(iter([gray, red]), bins)
    assert prior[bins.nearest(np.zeros(2))] == 0.75
    assert prior[bins.nearest(np.array([80.1, 67.2]))] == 0.25
    with pytest.raises(ValueError, match="at least one photo"):
        bin_prior([], bins)


@pytest.mark.parametrize("wrong", [{"uniform_part": 0.0}, {"uniform_part": 1.5}, {"sigma": 0.0}, {"temperature": -1.0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="uniform_part must be"):
        BinParameters(**{"grid": 10, "uniform_part": 0.5, "sigma": 5.0, "temperature": 0.4} | wrong)
