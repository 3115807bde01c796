import hashlib
from importlib import resources

import numpy as np

from stream.demo.portrait.features import (
    FACE_XYWH,
    FIXED_POINTS,
    MIDLINE_FEATURES,
    PAIRED_FEATURES,
    read_portrait,
    smiling_lips,
)


def test_the_notice_names_the_image_that_ships():
    assets = resources.files("stream.demo") / "assets"
    digest = hashlib.sha256((assets / "portrait.jpg").read_bytes()).hexdigest()
    assert digest in (assets / "NOTICE").read_text()


def test_the_portrait_is_rgb_and_shows_a_face_on_a_dark_suit():
    portrait = read_portrait()
    assert (portrait.shape, portrait.dtype) == ((512, 512, 3), np.uint8)
    red, _, blue = portrait[110:125, 205:240].reshape(-1, 3).mean(axis=0)
    assert red > blue + 20, "skin is redder than it is blue"


def test_all_features_lie_inside_the_part_that_moves():
    x, y, width, height = FACE_XYWH
    paired = [point for pair in PAIRED_FEATURES.values() for point in pair]
    points = np.array([*paired, *MIDLINE_FEATURES.values(), *FIXED_POINTS, *smiling_lips().reshape(-1, 2)])
    assert ((points > (x, y)) & (points < (x + width, y + height))).all()


def test_the_persons_right_is_at_the_images_left():
    for right, left in PAIRED_FEATURES.values():
        assert right[0] < MIDLINE_FEATURES["nose tip"][0] < left[0]


def test_the_edges_of_the_lips_meet_at_the_corners_and_keep_their_order():
    lips = smiling_lips()
    assert lips.shape == (4, 9, 2)
    assert (lips[:, [0, -1]] == lips[0, [0, -1]]).all()
    assert (np.diff(lips[:, 1:-1, 1], axis=0) > 0).all(), "from the top of the upper lip down"
    assert (np.diff(lips[..., 0], axis=1) > 0).all()
