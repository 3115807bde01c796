import numpy as np
import pytest

from stream.demo.portrait.features import FACE_XYWH, read_portrait
from stream.demo.portrait.retouch import with_mouth_filled, without_smile

LEFT, TOP, WIDTH, HEIGHT = FACE_XYWH


@pytest.fixture(scope="module")
def face():
    return read_portrait()[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]


def changed(one, other):
    return np.abs(one.astype(int) - other).max(axis=2) > 8


def part(image, x, y, size=1):
    """The pixels around a position in the portrait."""
    row, column = round(y) - TOP, round(x) - LEFT
    return image[row - size : row + size + 1, column - size : column + size + 1]


def test_without_the_smile_folds_go_and_lips_have_no_highlights(face):
    plain = without_smile(face, detail=1)
    assert plain.shape == face.shape
    assert changed(part(face, 198, 136, 3), part(plain, 198, 136, 3)).any(), "the fold beside the mouth"
    lower_lip = (slice(151 - TOP, 154 - TOP), slice(214 - LEFT, 234 - LEFT))
    assert plain[lower_lip].std(axis=(0, 1)).max() < face[lower_lip].std(axis=(0, 1)).max()


def test_the_rest_of_the_face_is_left_alone(face):
    above_the_nose = slice(0, 115 - TOP)
    for retouched in (without_smile(face, detail=1), with_mouth_filled(face, (0, 0, 0), (0, 0, 0), detail=1)):
        assert np.array_equal(retouched[above_the_nose], face[above_the_nose])


def test_the_mouth_is_filled_from_one_colour_to_the_other(face):
    filled = with_mouth_filled(face, (200, 0, 0), (0, 0, 200), detail=1)
    upper, lower = (part(filled, 223, y, 0)[0, 0].astype(int) for y in (145, 148))
    assert upper[0] > lower[0] + 40
    assert lower[2] > upper[2] + 40
    assert max(upper[1], lower[1]) < 60
    assert np.array_equal(part(filled, 223, 160), part(face, 223, 160)), "the chin"


def test_an_enlarged_face_is_retouched_at_the_same_places(face):
    large = np.ascontiguousarray(np.kron(face, np.ones((2, 2, 1), np.uint8)))
    one = changed(with_mouth_filled(face, (0, 255, 0), (0, 255, 0), detail=1), face)
    two = changed(with_mouth_filled(large, (0, 255, 0), (0, 255, 0), detail=2), large)
    assert two[::2, ::2].sum() == pytest.approx(one.sum(), rel=0.2)
    assert (np.argwhere(two).mean(axis=0) / 2 - np.argwhere(one).mean(axis=0)) == pytest.approx(0, abs=0.6)
