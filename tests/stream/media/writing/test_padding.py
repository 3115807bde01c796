from fractions import Fraction

import numpy as np
import pytest

from emocolor.frames import PIXEL_FORMATS
from stream.media.frames import ColorTags, planes_of
from stream.media.writing.padding import even_size, padded
from tests.stream.conftest import gradient_frame


@pytest.mark.parametrize(
    ("pix_fmt", "size_wh", "expected"),
    [
        ("yuv420p", (33, 17), (34, 18)),
        ("yuv420p", (34, 18), (34, 18)),
        ("yuv422p", (33, 17), (34, 17)),
        ("yuv444p", (33, 17), (33, 17)),
        ("yuv410p", (33, 17), (36, 20)),
        ("gray", (33, 17), (33, 17)),
        (None, (33, 17), (33, 17)),
    ],
)
def test_sides_become_multiples_of_the_chroma_samples(
    pix_fmt: str | None, size_wh: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert even_size(size_wh, PIXEL_FORMATS[pix_fmt] if pix_fmt else None) == expected


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv422p", "nv12"])
def test_the_last_column_and_row_are_repeated(pix_fmt: str) -> None:
    frame, pixel_format = gradient_frame(1, (33, 17), pix_fmt), PIXEL_FORMATS[pix_fmt]
    frame.pts, frame.time_base = 5, Fraction(1, 25)
    ColorTags(range=1, matrix=1, primaries=1, transfer=1).apply_to(frame)
    larger = padded(frame, (34, 18))
    assert (larger.width, larger.height, larger.format.name) == (34, 18, pix_fmt)
    assert (larger.pts, larger.time_base, ColorTags.of(larger)) == (5, Fraction(1, 25), ColorTags.of(frame))
    for made, given in zip(planes_of(larger, pixel_format), planes_of(frame, pixel_format), strict=True):
        height, width = given.shape[:2]
        extra = [(0, made.shape[0] - height), (0, made.shape[1] - width), (0, 0)][: given.ndim]
        np.testing.assert_array_equal(made, np.pad(given, extra, mode="edge"))


def test_rgb_needs_no_padding() -> None:
    with pytest.raises(ValueError, match="rgb24"):
        padded(gradient_frame(0, (33, 17), "rgb24"), (34, 18))
