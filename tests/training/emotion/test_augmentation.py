"""What augmentation may and may not do to a face."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from training.emotion.augmentation import Augmentation, augment  # noqa: E402

NOTHING = {"rotation_degrees": 0.0, "shift": 0.0, "zoom": 0.0, "flip": False}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3])
def test_everything_at_once_stays_in_range_and_is_repeatable(channels):
    faces = torch.rand(16, channels, 48, 48)
    everything = Augmentation(brightness=0.3, contrast=0.5, gamma=1.0, degrade=1.0, erase=1.0)
    changed = augment(faces, everything, generator())
    assert changed.shape == faces.shape
    assert (changed.min() >= 0) & (changed.max() <= 1)
    assert not torch.allclose(changed, faces, atol=0.05)
    assert torch.equal(changed, augment(faces, everything, generator()))
    assert not torch.equal(changed, augment(faces, everything, generator(1)))


def test_without_options_faces_stay_as_they_are():
    faces = torch.rand(8, 1, 48, 48)
    assert torch.equal(augment(faces, Augmentation(**NOTHING), generator()), faces)


def test_a_flip_mirrors_and_nothing_else():
    faces = torch.rand(8, 1, 48, 48)
    flipped = augment(faces, Augmentation(**(NOTHING | {"flip": True})), generator())
    mirrored = [torch.allclose(now, was.flip(-1), atol=1e-5) for was, now in zip(faces, flipped, strict=True)]
    kept = [torch.allclose(now, was, atol=1e-5) for was, now in zip(faces, flipped, strict=True)]
    assert all(m != k for m, k in zip(mirrored, kept, strict=True))
    assert any(mirrored)
    assert any(kept)


def test_without_stretch_both_axes_zoom_alike():
    ramp = torch.linspace(0.2, 0.8, 48)
    faces = torch.stack([ramp.expand(48, 48), ramp.view(48, 1).expand(48, 48)]).unsqueeze(1)
    zoom = Augmentation(**(NOTHING | {"zoom": 0.5}), stretch=False)
    both = torch.cat([augment(faces[:1], zoom, generator(3)), augment(faces[1:], zoom, generator(3))])
    slope = lambda line: float(line[30] - line[18])  # noqa: E731
    across, down = slope(both[0, 0, 24]), slope(both[1, 0, :, 24])
    assert across == pytest.approx(down, rel=1e-4)
    assert across != pytest.approx(float(ramp[30] - ramp[18]), rel=1e-2)


def test_erasing_paints_one_rectangle_of_one_gray():
    faces = torch.rand(32, 1, 48, 48)
    erased = augment(faces, Augmentation(**NOTHING, erase=1.0), generator())
    for was, now in zip(faces, erased, strict=True):
        changed = (was != now)[0]
        rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
        box = now[0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert len(box.unique()) == 1
        assert 0.005 < box.numel() / 48**2 < 0.25


def test_impossible_options_are_refused():
    with pytest.raises(ConfigurationError, match="degrade is a probability"):
        Augmentation(degrade=2)
    with pytest.raises(ConfigurationError, match="zoom"):
        Augmentation(zoom=1.5)
