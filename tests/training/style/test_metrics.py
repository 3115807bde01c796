"""Losses of stylized images, and direct optimisation, the anchor that they are compared with."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; style losses need it")

from training.data.photos import center_crop, read_photos  # noqa: E402
from training.style.metrics import StyleMetrics  # noqa: E402
from training.style.paintings import read_painting  # noqa: E402


def test_the_photo_has_no_content_loss_and_the_painting_no_style_loss(paintings_folder, vgg_file, one_blob):
    painting = read_painting(paintings_folder / "happy.png", 64)
    photo = center_crop(read_photos([one_blob]).photo(0), 64)
    metrics = StyleMetrics(vgg_file, {"happy": painting})
    own = metrics.features(photo)
    unchanged = metrics.losses(own, own, "happy")
    assert unchanged.content == 0
    assert unchanged.style > 0.01
    assert metrics.losses(metrics.features(painting), own, "happy").style == pytest.approx(0, abs=1e-6)


def test_optimising_brings_style_nearer_at_once_and_further_with_more_steps(paintings_folder, vgg_file, one_blob):
    painting = read_painting(paintings_folder / "happy.png", 64)
    metrics = StyleMetrics(vgg_file, {"happy": painting})
    photo = center_crop(read_photos([one_blob]).photo(0), 64)
    own = metrics.features(photo)

    def total(image):
        losses = metrics.losses(metrics.features(image), own, "happy")
        return losses.content + 6 * losses.style

    none, few, more = (
        photo, *(metrics.optimize(photo, "happy", steps=steps, style_weight=6.0) for steps in (3, 12))
    )  # fmt: skip
    assert more.shape == photo.shape
    assert more.dtype == np.uint8
    assert total(more) < total(few) < total(none)
    mild = metrics.optimize(photo, "happy", steps=12, style_weight=0.01)
    assert np.abs(mild.astype(int) - photo).mean() < np.abs(more.astype(int) - photo).mean() / 2


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which torch looks at itself while it traces
def test_compiled_and_in_bfloat16_optimising_brings_style_nearer_too(paintings_folder, vgg_file, one_blob, monkeypatch):
    """Traced for real, then run by torch's own kernels: making others takes a minute."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    metrics = StyleMetrics(vgg_file, {"happy": read_painting(paintings_folder / "happy.png", 64)})
    photo = center_crop(read_photos([one_blob]).photo(0), 64)
    own = metrics.features(photo)

    def total(image):
        losses = metrics.losses(metrics.features(image), own, "happy")
        return losses.content + 6 * losses.style

    exact, short = (
        total(metrics.optimize(photo, "happy", steps=4, style_weight=6.0, compiled=compiled))
        for compiled in (False, True)
    )
    assert short < total(photo)
    assert total(photo) - short == pytest.approx(total(photo) - exact, rel=0.2)
