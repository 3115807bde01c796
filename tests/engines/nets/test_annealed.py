"""From distributions over bins of ab to one colour a point."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.ab_bins import AbBins  # noqa: E402
from engines.nets.annealed import Annealed, annealed_mean  # noqa: E402

BINS = AbBins(12)


def logits_of(weights):
    """(1, Q, 1, 1) with these probabilities by bin, the others next to nothing."""
    logits = torch.full((1, len(BINS), 1, 1), -30.0)
    for index, probability in weights.items():
        logits[0, index] = float(torch.tensor(probability).log())
    return logits


def center(index):
    return torch.tensor(BINS.centers[index], dtype=torch.float32)


def test_a_certain_distribution_gives_its_colour():
    ab, confidence = annealed_mean(logits_of({7: 1.0}), BINS, temperature=0.38)
    assert torch.allclose(ab[0, :, 0, 0], center(7), atol=1e-3)
    assert float(confidence) == pytest.approx(1, abs=1e-3)


def test_temperature_goes_from_the_mean_to_the_mode():
    logits = logits_of({3: 0.6, 100: 0.4})
    mean, sure = annealed_mean(logits, BINS, temperature=1.0)
    mode, less_sure = annealed_mean(logits, BINS, temperature=0.01)
    assert torch.allclose(mean[0, :, 0, 0], 0.6 * center(3) + 0.4 * center(100), atol=1e-2)
    assert torch.allclose(mode[0, :, 0, 0], center(3), atol=1e-2)
    assert 0 < float(less_sure) < float(sure) < 1


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        annealed_mean(logits_of({3: 1.0}), BINS, temperature=0.0)


def test_it_computes_in_float32_whatever_it_gets():
    exact, _ = annealed_mean(logits_of({3: 0.6, 100: 0.4}), BINS, temperature=0.5)
    short, confidence = annealed_mean(logits_of({3: 0.6, 100: 0.4}).bfloat16(), BINS, temperature=0.5)
    assert short.dtype == confidence.dtype == torch.float32
    assert torch.allclose(exact, short, atol=2)


def test_rebalancing_undoes_or_keeps_the_weights_of_training():
    class Fixed(torch.nn.Module):
        bins = BINS

        def forward(self, gray):
            return logits_of({3: 0.5, 100: 0.5})

    weights = torch.ones(len(BINS))
    weights[100] = 9.0  # rare, so training multiplied it
    annealed = Annealed(Fixed(), weights)
    natural, learnt = (annealed.rebalanced(Fixed()(None), power).softmax(1)[0, [3, 100], 0, 0] for power in (0.0, 1.0))
    assert torch.allclose(natural, torch.tensor([0.9, 0.1]), atol=1e-4)
    assert torch.allclose(learnt, torch.tensor([0.5, 0.5]), atol=1e-4)
    ab, confidence = annealed(None, torch.tensor(1.0), torch.tensor(1.0))
    assert (ab.shape, confidence.shape) == ((1, 2, 1, 1), (1, 1, 1, 1))
