"""Face regions: soft, turned with the head, clipped by the frame, and the same on subsampled planes."""

import numpy as np
import pytest

from emocolor.face_regions import FACE_SCALE_WH, place_disc, soft_disc
from emocolor.faces import Box, Face, neutral_probabilities


def make_face(box, roll=0.0):
    return Face(
        track_id=1, box=box, roll_degrees=roll, probabilities=neutral_probabilities(), certainty=1, presence=1
    )  # fmt: skip


def drawn(face, shape, subsampling=(1, 1)):
    """The region on a plane of zeros, (H, W)."""
    plane = np.zeros(shape, np.float32)
    rows, columns, mask = place_disc(soft_disc(0.35), face, subsampling, shape)
    plane[rows, columns] = mask
    return plane


def test_a_disc_is_1_inside_and_0_at_the_border():
    disc = soft_disc(0.35)
    assert disc.shape == (128, 128)
    assert disc[64, 64] == 1
    assert disc[0, 0] == 0
    assert disc[64, 0] < 0.01
    assert np.abs(np.diff(disc[64])).max() < 0.08


def test_the_region_is_centred_and_has_its_half_axes():
    plane = drawn(make_face(Box(100, 80, 60, 40)), (240, 320))
    rows, columns = np.nonzero(plane > 0.001)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(130, abs=1)
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(100, abs=1)
    assert np.ptp(columns) / 2 == pytest.approx(60 * FACE_SCALE_WH[0], abs=2)
    assert np.ptp(rows) / 2 == pytest.approx(40 * FACE_SCALE_WH[1], abs=2)


def test_a_quarter_turn_swaps_the_axes():
    upright, turned = (drawn(make_face(Box(130, 90, 60, 60), roll), (240, 320)) for roll in (0, 90))
    centre_y, centre_x = 120, 160
    across = upright[centre_y, centre_x - 80 : centre_x + 80]
    assert turned[centre_y - 80 : centre_y + 80, centre_x] == pytest.approx(across, abs=0.02)


def test_a_coarser_plane_has_the_same_region():
    face = make_face(Box(61, 50, 90, 100), 15)
    fine, coarse = drawn(face, (240, 320)), drawn(face, (120, 160), (2, 2))
    assert coarse == pytest.approx(fine.reshape(120, 2, 160, 2).mean((1, 3)), abs=0.03)


def test_regions_are_clipped_by_the_plane():
    whole = drawn(make_face(Box(40, 40, 60, 60)), (200, 200))
    assert drawn(make_face(Box(0, 0, 60, 60)), (200, 200))[:80, :80] == pytest.approx(whole[40:120, 40:120], abs=1e-5)
    assert place_disc(soft_disc(0.35), make_face(Box(-300, 0, 60, 60)), (1, 1), (200, 200)) is None
