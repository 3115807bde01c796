"""Metrics of a colorization against their definitions, written out another way or known beforehand."""

import numpy as np
import pytest

from emocolor.chroma.conversion import ab_of, luma_of
from training.colorizer.metrics import HUES, MAX_PSNR, ColorizationMetrics, colorfulness, psnr, ssim


def noise(seed=0, shape=(24, 31, 3), low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, shape, np.uint8)


def gray_of(rgb):
    return np.repeat(luma_of(rgb)[..., None], 3, axis=2)


def measured(*pairs):
    metrics = ColorizationMetrics()
    for predicted, truth in pairs:
        metrics.update(predicted, truth)
    return metrics.compute()


def test_psnr_of_a_known_error():
    truth = noise(high=200)
    predicted = truth + np.array([0, 0, 6], np.uint8)
    assert psnr(predicted, truth) == pytest.approx(10 * np.log10(255**2 / 12))
    assert psnr(truth, predicted) == psnr(predicted, truth)
    assert psnr(truth, truth) == MAX_PSNR
    large = noise(shape=(256, 256, 3), high=255)
    nearly = large.copy()
    nearly[0, 0, 0] += 1
    assert psnr(nearly, large) == MAX_PSNR


def ssim_written_out(x, y):
    """Every 11x11 window by itself, as Wang et al. 2004 (equations 13 to 16) have it."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = 6.5025, 58.5225
    found = []
    for channel in range(3):
        for top in range(x.shape[0] - 10):
            for left in range(x.shape[1] - 10):
                a, b = (p[top : top + 11, left : left + 11, channel].astype(float) for p in (x, y))
                mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
                variance_a, variance_b = ((weights * (p - m) ** 2).sum() for p, m in ((a, mean_a), (b, mean_b)))
                both = (weights * (a - mean_a) * (b - mean_b)).sum()
                found.append(
                    (2 * mean_a * mean_b + c1) * (2 * both + c2)
                    / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
                )  # fmt: skip
    return np.mean(found)


def test_ssim_equals_its_definition():
    truth = noise()
    predicted = (0.7 * truth + 0.3 * noise(1)).astype(np.uint8)
    assert ssim(predicted, truth) == pytest.approx(ssim_written_out(predicted, truth), abs=1e-9)
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(255 - truth, truth) < 0


def test_ssim_equals_scikit_images():
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    truth = noise(shape=(64, 50, 3))
    predicted = (0.6 * truth + 0.4 * noise(1, (64, 50, 3))).astype(np.uint8)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert ssim(predicted, truth) == pytest.approx(
        metrics.structural_similarity(predicted, truth, channel_axis=2, **options), abs=1e-9
    )


def test_colourfulness_of_known_images():
    assert colorfulness(gray_of(noise())) == 0
    red = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    assert colorfulness(red) == pytest.approx(0.3 * np.hypot(255, 127.5))
    half = red.copy()
    half[:, :2] = 100  # half red, half gray: every mean and every deviation is half of red's own
    assert colorfulness(half) == pytest.approx(1.3 * np.hypot(127.5, 63.75))


def test_the_area_is_that_of_the_distribution_over_all_thresholds():
    truth, predicted = noise(), noise(1)
    errors = np.linalg.norm(ab_of(predicted) - ab_of(truth), axis=2)
    assert errors.max() > 150  # so that the upper end matters
    thresholds = np.arange(0, 150, 0.01) + 0.005
    shares = np.searchsorted(np.sort(errors, axis=None), thresholds) / errors.size
    found = measured((predicted, truth))
    assert found["auc"] == pytest.approx(100 * shares.mean(), abs=0.01)
    assert found["ab_error"] == pytest.approx(errors.mean(), abs=1e-3)


def test_rebalancing_gives_rare_colours_the_weight_of_common_ones():
    truth = np.full((20, 20, 3), 128, np.uint8)
    truth[:2] = (255, 0, 0)  # a tenth is red, and far from gray in ab
    found = measured((gray_of(truth), truth))
    red_error = np.hypot(80.1, 67.2)
    assert found["auc"] == pytest.approx(100 * (1 - 0.1 * red_error / 150), abs=0.1)
    assert found["auc_rebalanced"] == pytest.approx(100 * (1 - 0.5 * red_error / 150), abs=1)


def test_neighbouring_colours_share_their_frequency():
    """A rare colour beside a common one weighs less than a rare one far from all others."""
    near, far = np.full((20, 20, 3), 128, np.uint8), np.full((20, 20, 3), 128, np.uint8)
    near[:2] = (146, 121, 127)  # about 10 in a*, one bin beside gray
    far[:2] = (255, 0, 0)

    def weight(truth):
        """Of the rare tenth among all, from what its error alone does to the area."""
        found = measured((gray_of(truth), truth))
        error = np.linalg.norm(ab_of(truth)[0, 0])
        return (1 - found["auc_rebalanced"] / 100) * 150 / error

    assert weight(far) == pytest.approx(0.5, abs=0.02)
    assert 0.11 < weight(near) < 0.45


def test_r2_is_over_all_values_of_all_images():
    pairs = [(noise(1), noise(2)), (noise(3, (40, 15, 3)), noise(4, (40, 15, 3), 0, 60))]
    predicted, truth = (np.concatenate([p[i].ravel() for p in pairs]).astype(float) for i in (0, 1))
    wanted = 1 - np.square(predicted - truth).sum() / np.square(truth - truth.mean()).sum()
    assert measured(*pairs)["r2"] == pytest.approx(wanted, abs=1e-4)


def test_perfect_and_gray_outputs():
    truth = [noise(seed, low=60, high=200) for seed in range(3)]
    perfect = measured(*[(t, t) for t in truth])
    assert perfect == {
        "psnr": MAX_PSNR, "ssim": 1, "ab_error": 0, "r2": 1, "auc": 100, "auc_rebalanced": 100,
        "colorfulness": perfect["colorfulness_truth"], "colorfulness_truth": perfect["colorfulness_truth"],
        **{f"recall_{hue}": 100 for hue in HUES},
    }  # fmt: skip
    gray = measured(*[(gray_of(t), t) for t in truth])
    assert gray["colorfulness"] == 0
    assert gray["ab_error"] == pytest.approx(np.mean([np.linalg.norm(ab_of(t), axis=2) for t in truth]), abs=0.2)
    assert all(gray[name] < perfect[name] for name in ("psnr", "ssim", "r2", "auc", "auc_rebalanced"))


def test_images_of_one_flat_gray_give_finite_metrics():
    flat = np.full((16, 16, 3), 90, np.uint8)
    found = measured((flat, flat))
    assert all(np.isfinite(value) for value in found.values())
    assert found["r2"] == 0


def test_what_does_not_fit_is_refused():
    metrics = ColorizationMetrics()
    with pytest.raises(ValueError, match="No image"):
        metrics.compute()
    for predicted in (noise(shape=(24, 30, 3)), noise().astype(np.float32)):
        with pytest.raises(ValueError, match="predicted must be"):
            metrics.update(predicted, noise())
    assert len(metrics) == 0


def test_recall_counts_pixels_of_the_same_hue():
    """A red, a blue and a gray third, of which the prediction has half of the red right and all of the blue gray."""
    truth, predicted = np.full((24, 30, 3), 128, np.uint8), np.full((24, 30, 3), 128, np.uint8)
    truth[:, :10], truth[:, 10:20] = (200, 60, 80), (60, 90, 200)
    predicted[:12, :10], predicted[12:, :10] = (170, 90, 100), (60, 150, 60)
    metrics = ColorizationMetrics()
    metrics.update(predicted, truth)
    recalls = {name: value for name, value in metrics.compute().items() if name.startswith("recall")}
    assert recalls == {"recall_red": 50.0, "recall_blue": 0.0}
