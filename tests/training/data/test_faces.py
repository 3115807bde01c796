"""Cleaning, FER+ votes, splits and balancing."""

import numpy as np
import pytest

from emocolor.errors import SourceError
from training.data.faces import (
    FaceSet,
    balance_by_rotation,
    disputed,
    drop_copies,
    faceless,
    ferplus_majority,
    ferplus_targets,
    gray_squares,
    read_faces,
    rgb_squares,
    split_at_random,
)

# columns of FER+: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, no face
NEUTRAL, HAPPY, SURPRISE, SAD, ANGRY, DISGUST, FEAR, CONTEMPT, UNKNOWN, NO_FACE = range(10)


def votes(*rows):
    table = np.zeros((len(rows), 10), np.uint8)
    for row, given in zip(table, rows, strict=True):
        for column, count in given.items():
            row[column] = count
    return table


def faces_with(labels, table):
    random = np.random.default_rng(0)
    return FaceSet(
        images=random.integers(0, 256, (len(labels), 48, 48), np.uint8), labels=np.array(labels), votes=table
    )


def test_votes_become_the_project_s_order_of_emotions():
    table = votes({ANGRY: 10}, {DISGUST: 10}, {FEAR: 10}, {HAPPY: 10}, {SAD: 10}, {SURPRISE: 10}, {NEUTRAL: 10})
    faces = faces_with(range(7), table)
    labels, counts = ferplus_majority(faces)
    assert labels.tolist() == list(range(7))
    assert counts.all()
    targets, known = ferplus_targets(faces)
    assert np.array_equal(targets, np.eye(7, dtype=np.float32))
    assert known.all()


def test_majorities_that_do_not_count():
    table = votes(
        {HAPPY: 5, NEUTRAL: 5},  # a tie
        {HAPPY: 4, UNKNOWN: 6},
        {HAPPY: 4, NO_FACE: 4, SAD: 2},
        {HAPPY: 4, CONTEMPT: 6},
        {HAPPY: 4, SAD: 3, UNKNOWN: 3},
    )
    _, counts = ferplus_majority(faces_with([3] * 5, table))
    assert counts.tolist() == [False, False, False, False, True]


def test_targets_are_shares_of_the_seven_and_need_half_of_the_votes():
    targets, known = ferplus_targets(
        faces_with([3, 3, 3], votes({HAPPY: 6, NEUTRAL: 2, CONTEMPT: 2}, {NO_FACE: 10}, {}))
    )
    assert targets[0, 3] == pytest.approx(0.75)
    assert targets[0, 6] == pytest.approx(0.25)
    assert known.tolist() == [True, False, False]


def test_faceless_and_disputed_images_are_found():
    faces = faces_with([3, 3, 4], votes({HAPPY: 10}, {NO_FACE: 6, HAPPY: 4}, {HAPPY: 10}))
    assert faceless(faces).tolist() == [False, True, False]
    assert disputed(faces).tolist() == [False, False, True]
    faces.images[0] = 7
    assert faceless(faces).tolist() == [True, True, False]


def test_what_needs_votes_says_so():
    faces = FaceSet(images=np.zeros((1, 48, 48), np.uint8), labels=np.array([0]))
    for read in (ferplus_majority, ferplus_targets, disputed):
        with pytest.raises(SourceError, match="ferplus_votes"):
            read(faces)


def test_votes_of_the_wrong_form_are_named(tmp_path):
    np.savez(
        tmp_path / "bad.npz",
        images=np.zeros((2, 48, 48), np.uint8), labels=np.zeros(2, int), ferplus_votes=np.zeros((2, 8), np.uint8),
    )  # fmt: skip
    with pytest.raises(SourceError, match=r"ferplus_votes must be uint8 \(2, 10\)"):
        read_faces(tmp_path / "bad.npz")


def test_random_parts_keep_the_classes_in_proportion_and_share_nothing():
    labels = np.repeat(np.arange(7), [100, 40, 20, 60, 80, 10, 50])
    images = np.arange(len(labels), dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2)
    parts = split_at_random(FaceSet(images=images, labels=labels), (0.7, 0.2, 0.1), seed=3)
    assert [len(part) for part in parts] == [252, 72, 36]
    for part, share in zip(parts, (0.7, 0.2, 0.1), strict=True):
        assert np.array_equal(np.bincount(part.labels), np.bincount(labels) * share)
    seen = np.concatenate([part.images.reshape(len(part), 4).view(np.uint32).ravel() for part in parts])
    assert sorted(seen) == list(range(len(labels)))
    again = split_at_random(FaceSet(images=images, labels=labels), (0.7, 0.2, 0.1), seed=3)
    assert all(np.array_equal(a.images, b.images) for a, b in zip(parts, again, strict=True))


def test_balancing_fills_with_rotated_copies_and_thins_what_is_too_much():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 16, 16, 3), np.uint8)
    faces = FaceSet(images=images, labels=np.repeat([0, 1], [5, 25]))
    balanced = balance_by_rotation(faces, 10, 15.0, seed=1)
    assert np.bincount(balanced.labels).tolist() == [10, 10]
    originals = {image.tobytes() for image in images}
    known = np.array([image.tobytes() in originals for image in balanced.images])
    assert known[balanced.labels == 0].sum() == 5
    assert known[balanced.labels == 1].all()


def test_squares_of_any_image():
    rgb = np.zeros((2, 60, 40, 3), np.uint8)
    rgb[..., 1] = 255
    assert np.unique(gray_squares(rgb, 48)).tolist() == [150]  # 0.587 of 255
    assert rgb_squares(rgb, 128).shape == (2, 128, 128, 3)
    gray = np.full((2, 48, 48), 9, np.uint8)
    assert gray_squares(gray, 48) is gray
    assert np.unique(rgb_squares(gray, 64)).tolist() == [9]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((2, 48, 48), np.uint8)}, "lacks the array labels"),
        ({"images": np.zeros((2, 48, 48), np.float32), "labels": np.zeros(2, int)}, "must be uint8"),
        ({"images": np.zeros((2, 48), np.uint8), "labels": np.zeros(2, int)}, r"\(N, H, W\)"),
        ({"images": np.zeros((2, 48, 48), np.uint8), "labels": np.zeros(3, int)}, "2 integers"),
        ({"images": np.zeros((2, 48, 48), np.uint8), "labels": np.array([0, 8])}, "found 0 to 8"),
        ({"images": np.zeros((2, 48, 48), np.uint8), "labels": np.array([7, 7])}, "no labelled image"),
    ],
)
def test_unusable_data_is_named(arrays, words, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(SourceError, match=words):
        read_faces(tmp_path / "bad.npz")


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        read_faces(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(SourceError, match="not a readable npz"):
        read_faces(tmp_path / "broken.npz")


def test_contempt_is_left_out_and_colour_becomes_gray(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 60, 3), np.uint8)
    np.savez(tmp_path / "rgb.npz", images=images, labels=np.array([0, 7, 3, 6]))
    faces = read_faces(tmp_path / "rgb.npz")
    assert len(faces) == 3
    assert faces.gray(48).shape == (3, 48, 48)


def test_copies_are_found_by_their_pixels():
    random = np.random.default_rng(0)
    train, public = (
        FaceSet(images=random.integers(0, 256, (count, 8, 8), np.uint8), labels=np.zeros(count, np.int64))
        for count in (6, 3)
    )
    public.images[2] = train.images[4]
    kept, dropped = drop_copies(train, public)
    assert dropped == 1
    assert np.array_equal(kept.images, train.images[[0, 1, 2, 3, 5]])
