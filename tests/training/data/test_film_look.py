"""What old footage does to gray, each fault by itself and all together."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.data.film_look import CLEAN, FilmLook, apply_film_look, letterbox, to_gray  # noqa: E402


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def always(seed=0, gray=None, **chances):
    """One fault in every image, its range as given."""
    return apply_film_look(
        gray, replace(CLEAN, **{name: (1.0, *span) for name, span in chances.items()}), generator(seed)
    )


def flat(level, count=4, size=64):
    return torch.full((count, 1, size, size), level)


def test_all_faults_stay_in_range_and_are_repeatable():
    gray = torch.rand(12, 1, 48, 80)
    before = gray.clone()
    everything = FilmLook(**{f.name: (1.0, *f.default[1:]) for f in fields(FilmLook) if len(f.default) == 3})
    worn = apply_film_look(gray, everything, generator())
    assert worn.shape == gray.shape
    assert worn.dtype == torch.float32
    assert (worn.min() >= 0) & (worn.max() <= 1)
    assert not torch.allclose(worn, gray, atol=0.1)
    assert torch.equal(gray, before)
    assert torch.equal(worn, apply_film_look(gray, everything, generator()))
    assert not torch.equal(worn, apply_film_look(gray, everything, generator(1)))


def test_clean_options_change_nothing():
    gray = torch.rand(4, 1, 32, 32)
    assert torch.equal(apply_film_look(gray, CLEAN, generator()), gray)


@pytest.mark.parametrize("name", [f.name for f in fields(FilmLook) if len(f.default) == 3 and f.name != "red"])
def test_a_fault_happens_to_its_part_of_the_images(name):
    gray = torch.rand(200, 1, 24, 24)
    _, least, most = getattr(FilmLook(), name)
    worn = apply_film_look(gray, replace(CLEAN, **{name: (0.25, least, most)}), generator())
    changed = (worn != gray).flatten(1).any(1)
    assert 0.15 < changed.float().mean() < 0.35


def test_gray_is_luma_unless_told_otherwise():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    rgb = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float() / 255
    wanted = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) / 255
    assert np.abs(to_gray(rgb)[0, 0].numpy() - wanted).max() < 0.51 / 255


def test_emulsions_keep_gray_and_see_little_red():
    colors = torch.tensor([[0.6, 0.6, 0.6], [0.8, 0.1, 0.1], [0.2, 0.3, 0.9]]).repeat(50, 1).view(150, 3, 1, 1)
    plain = to_gray(colors).view(50, 3)
    seen = to_gray(colors, replace(CLEAN, red=(1.0, 0.0, 0.1), blue=(0.3, 0.5)), generator()).view(50, 3)
    assert seen[:, 0] == pytest.approx(0.6, abs=1e-6)
    assert (seen[:, 1] < 0.6 * plain[:, 1]).all()
    assert (seen[:, 2] > plain[:, 2] + 0.05).all()
    assert len(seen[:, 1].unique()) > 40
    some = to_gray(colors, replace(CLEAN, red=(0.5, 0.0, 0.1)), generator()).view(50, 3)
    assert 0.3 < (some[:, 1] == plain[:, 1]).float().mean() < 0.7


def test_an_emulsion_s_weights_are_those_of_red_green_and_blue():
    colors = torch.eye(3).view(3, 3, 1, 1)
    options = replace(CLEAN, red=(1.0, 0.05, 0.05), blue=(0.25, 0.25))
    assert to_gray(colors, options, generator()).flatten().tolist() == pytest.approx([0.05, 0.7, 0.25])


def test_grain_is_strongest_in_mid_tones_and_has_its_deviation_there():
    def deviation(level):
        return float(always(gray=flat(level, 16), grain=(0.04, 0.04)).std())

    assert deviation(0.5) == pytest.approx(0.04, rel=0.03)
    assert deviation(0.1) < 0.6 * deviation(0.5)
    assert deviation(0.9) == pytest.approx(deviation(0.1), rel=0.1)


def test_grain_of_a_larger_size_is_smoother():
    def likeness(size_px):
        options = replace(CLEAN, grain=(1.0, 0.04, 0.04), grain_px=(size_px, size_px))
        noise = apply_film_look(flat(0.5, 8), options, generator()) - 0.5
        return float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())

    assert likeness(0.2) == pytest.approx(0, abs=0.02)
    assert likeness(1.0) == pytest.approx(np.exp(-0.25), abs=0.05)  # a Gaussian's own, two sigma^2 apart


def test_each_image_is_blurred_by_its_own_sigma():
    point = torch.zeros(8, 1, 41, 41)
    point[..., 20, 20] = 1
    spread = always(gray=point, blur=(0.6, 2.0))
    assert spread.sum((1, 2, 3)) == pytest.approx(1, rel=1e-3)
    offsets = torch.arange(41) - 20.0
    for axis in (2, 3):
        sigmas = ((spread.sum((1, axis)) * offsets**2).sum(1)).sqrt()
        assert (sigmas > 0.55).all()
        assert (sigmas < 2.05).all()
        assert sigmas.max() - sigmas.min() > 0.3
    assert torch.allclose(always(gray=flat(0.4), blur=(1.5, 1.5)), flat(0.4), atol=1e-5)


def test_a_vignette_takes_its_part_from_the_farthest_corner_and_least_from_the_middle():
    dark = always(gray=flat(1.0, 8), vignette=(0.4, 0.4))
    assert dark.amin((1, 2, 3)) == pytest.approx(0.6, abs=1e-3)
    assert (dark[..., 32, 32] > 0.93).all()
    corners = dark[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.equal(corners.min(1).values, dark.amin((1, 2, 3)))


def test_fading_takes_contrast_from_black_or_white():
    ramp = torch.linspace(0, 1, 64).expand(32, 1, 64, 64)
    faded = always(gray=ramp, fade=(0.3, 0.3))
    low, high = faded.amin((1, 2, 3)), faded.amax((1, 2, 3))
    assert high - low == pytest.approx(0.7, abs=1e-5)
    assert low.min() < 0.05
    assert low.max() > 0.25


def test_gamma_and_flicker_act_on_the_whole_image_alike():
    assert always(gray=flat(0.25), gamma=(1.0, 1.0)) == pytest.approx(0.0625, abs=1e-4)
    assert always(gray=flat(0.25), gamma=(-1.0, -1.0)) == pytest.approx(0.5, abs=1e-4)
    assert always(gray=flat(0.4), flicker=(-0.25, -0.25)) == pytest.approx(0.3)
    assert always(gray=flat(0.9), flicker=(0.25, 0.25)) == pytest.approx(1.0)


def test_scratches_run_down_the_image():
    changed = (always(gray=flat(0.5, 40), scratches=(1.0, 1.0)) - 0.5).abs()[:, 0] > 0.02
    rows, columns = changed.any(2).sum(1), changed.any(1).sum(1)
    visible = rows > 20
    assert visible.sum() > 25
    assert (rows[visible] > 2 * columns[visible]).all()
    assert (columns <= 10).all()


@pytest.mark.parametrize("name", ["scratches", "dust"])
def test_no_two_images_have_the_same_marks(name):
    once, more = replace(CLEAN, **{name: (1.0, 3.0, 3.0)}), generator()
    worn = torch.cat([apply_film_look(flat(0.5, 2), once, more) for _ in range(2)])
    assert len({image.numpy().tobytes() for image in worn}) == 4


def test_dust_covers_little_and_is_light_or_dark():
    dusty = always(gray=flat(0.5, 60, 128), dust=(3.0, 3.0))
    change = dusty - 0.5
    covered = (change.abs() > 0.02).float().mean((1, 2, 3))
    assert 0 < covered.mean() < 0.01
    assert covered.max() < 0.03
    assert (change > 0.1).any()
    assert (change < -0.1).any()
    assert not ((change > 0.02).flatten(1).any(1) & (change < -0.02).flatten(1).any(1)).any()


def test_compression_harms_more_at_a_lower_quality():
    gray = torch.rand(4, 1, 64, 64, generator=generator())
    coarse, fine = (float((always(gray=gray, compression=(q, q)) - gray).square().mean().sqrt()) for q in (15.0, 95.0))
    assert 0 < fine < 0.3 * coarse


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"grain": (1.5, 0.0, 0.1)}, r"film_look.grain must be a probability and a range, got \[1.5"),
        ({"blur": (0.5, 2.0, 1.0)}, "film_look.blur"),
        ({"dust": (0.5, 2.0)}, "film_look.dust"),
        ({"fade": (0.5, "low", "high")}, "film_look.fade"),
        ({"grain_px": (2.0, 1.0)}, "film_look.grain_px must be a range"),
        ({"red": (1.0, 0.0, 0.7)}, "film_look.red and film_look.blue"),
    ],
)
def test_impossible_options_are_refused(wrong, words):
    with pytest.raises(ConfigurationError, match=words):
        FilmLook(**wrong)


def test_contrast_bends_tones_about_the_middle_and_keeps_black_and_white():
    ramp = torch.linspace(0, 1, 101).expand(1, 1, 1, 101)
    options = replace(CLEAN, contrast=(1.0, 9.0, 9.0), contrast_middle=(0.6, 0.6))
    bent = apply_film_look(ramp, options, generator())[0, 0, 0]
    assert bent[[0, -1]].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert (bent.diff() > 0).all()
    assert bent[30] < 0.1
    assert bent[90] > 0.9
    assert int(bent.diff().argmax()) == pytest.approx(60, abs=1)


def test_letterboxes_leave_the_middle():
    rgb = torch.ones(200, 3, 64, 64)
    framed = letterbox(rgb, 0.5, generator())
    assert (rgb == 1).all()
    assert (framed[:, :, 8:-8, 8:-8] == 1).all()
    assert 0.3 < (framed == 0).flatten(1).any(1).float().mean() < 0.6
    above, beside = (framed[:, 0, 0, 32] == 0), (framed[:, 0, 32, 0] == 0)
    assert above.any()
    assert beside.any()
    assert not (above & beside).any()
    assert torch.equal(framed, letterbox(rgb, 0.5, generator()))
