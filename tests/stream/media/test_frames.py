from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emocolor.frames import PIXEL_FORMATS, ColorSpec
from stream.media.frames import (
    ColorTags,
    color_of,
    convert,
    frame_from_av,
    frame_to_av,
    planes_of,
    to_pixel_format,
    to_rgb,
    with_neutral_chroma,
    working_format,
    writable,
)

SIZES = [(64, 48), (33, 17)]


def blank(pix_fmt: str, size_wh: tuple[int, int] = (64, 48), **tags: Any) -> av.VideoFrame:
    made = av.VideoFrame(*size_wh, pix_fmt)
    for plane in made.planes:
        np.frombuffer(memoryview(plane), np.uint8)[:] = 0
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def filled(pix_fmt: str, codes: tuple[int, ...], **tags: Any) -> av.VideoFrame:
    made = blank(pix_fmt, **tags)
    for view, code in zip(planes_of(made, PIXEL_FORMATS[pix_fmt]), codes, strict=True):
        view[:] = code
    return made


@pytest.mark.parametrize("size_wh", SIZES)
@pytest.mark.parametrize("pix_fmt", sorted(PIXEL_FORMATS))
def test_planes_have_the_shapes_that_a_frame_promises(pix_fmt: str, size_wh: tuple[int, int]) -> None:
    frame = frame_from_av(blank(pix_fmt, size_wh))
    width, height = frame.format.chroma_size_wh(*size_wh)
    chroma = {"planar": [(height, width)] * 2, "interleaved": [(height, width, 2)], "none": []}
    assert [plane.shape for plane in frame.planes] == [size_wh[::-1], *chroma[frame.format.chroma]]
    assert {plane.dtype for plane in frame.planes} == {np.dtype(np.uint8 if frame.format.bits == 8 else np.uint16)}


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "nv12", "yuv444p10le", "gray"])
def test_writing_to_a_plane_writes_to_the_frame(pix_fmt: str) -> None:
    av_frame = blank(pix_fmt)
    frame = writable(frame_from_av(av_frame))
    for plane in frame.planes:
        plane[5, 7] = 99
    encoded = frame_to_av(frame)
    assert encoded is av_frame
    assert all(view[5, 7].min() == 99 for view in planes_of(av_frame, frame.format))


def test_editing_a_writable_frame_leaves_later_frames_alone(make_clip: Any) -> None:
    path = make_clip(frames=30)

    def lumas(edit: bool) -> list[bytes]:
        found = []
        with av.open(str(path)) as container:
            for av_frame in container.decode(video=0):
                frame = writable(frame_from_av(av_frame))
                found.append(frame.luma.tobytes())
                if edit:
                    frame.luma[:] = 0
        return found

    assert lumas(edit=True) == lumas(edit=False)


def test_planes_replaced_by_an_effect_are_encoded() -> None:
    frame = frame_from_av(filled("yuv420p", (50, 128, 128)))
    u, v = np.full((24, 32), 60, np.uint8), np.full((24, 32), 200, np.uint8)
    views = planes_of(frame_to_av(replace(frame, planes=(frame.luma, u, v))), frame.format)
    assert [int(view.min()) for view in views] == [50, 60, 200]


def test_a_frame_without_a_handle_becomes_a_new_frame_with_its_time_and_tags() -> None:
    frame = frame_from_av(filled("yuv422p10le", (500, 400, 600)), pts=7, time_base=Fraction(1, 90000), duration=3)
    frame = replace(frame.copy(), color=ColorSpec(matrix="bt2020", primaries="bt2020", transfer="pq"))
    made = frame_to_av(frame)
    assert (made.pts, made.time_base, made.duration) == (7, Fraction(1, 90000), 3)
    assert ColorTags.of(made) == ColorTags(range=1, matrix=9, primaries=9, transfer=16)
    assert [int(view.max()) for view in planes_of(made, frame.format)] == [500, 400, 600]


def test_untagged_stays_untagged() -> None:
    assert ColorTags.of(frame_to_av(frame_from_av(blank("yuv420p")))) == ColorTags()


@pytest.mark.parametrize(
    ("pix_fmt", "size_wh", "tags", "expected"),
    [
        ("yuv420p", (64, 48), {}, ColorSpec(matrix="bt601", primaries="bt601-525")),
        ("yuv420p", (64, 720), {}, ColorSpec()),
        ("yuvj420p", (64, 720), {}, ColorSpec(full_range=True)),
        ("gray", (64, 720), {}, ColorSpec(full_range=True)),
        ("gray", (64, 720), {"color_range": 1}, ColorSpec()),
        ("yuv420p", (64, 48), {"colorspace": 1, "color_primaries": 1, "color_range": 2}, ColorSpec(full_range=True)),
        (
            "yuv420p10le",
            (64, 48),
            {"colorspace": 9, "color_primaries": 9, "color_trc": 18},
            ColorSpec(matrix="bt2020", primaries="bt2020", transfer="hlg"),
        ),
    ],
)
def test_colour_is_what_tags_say_or_players_guess(
    pix_fmt: str, size_wh: tuple[int, int], tags: dict[str, int], expected: ColorSpec
) -> None:
    assert color_of(blank(pix_fmt, size_wh, **tags)) == expected


@pytest.mark.parametrize(
    ("pix_fmt", "expected"),
    [
        ("yuvj422p", "yuv422p"),
        ("rgb24", "yuv444p"),
        ("gbrp10le", "yuv444p10le"),
        ("pal8", "yuv444p"),
        ("p010le", "yuv420p10le"),
        ("nv21", "yuv420p"),
        ("uyvy422", "yuv422p"),
        ("yuv420p10be", "yuv420p10le"),
        ("yuv440p10le", "yuv444p10le"),
        ("gray16le", "gray12le"),
        ("monob", "gray"),
    ],
)
def test_other_formats_are_worked_in_as_the_nearest(pix_fmt: str, expected: str) -> None:
    assert working_format(pix_fmt) == (PIXEL_FORMATS[expected], False)


@pytest.mark.parametrize(("pix_fmt", "expected"), [("rgba", "yuv444p"), ("yuva420p", "yuv420p"), ("ya8", "gray")])
def test_dropped_alpha_is_reported(pix_fmt: str, expected: str) -> None:
    assert working_format(pix_fmt) == (PIXEL_FORMATS[expected], True)


@pytest.mark.parametrize("height", [48, 720])
def test_rgb_survives_the_working_format(height: int) -> None:
    colour = (200, 60, 120)
    rgb = np.full((height, 64, 3), colour, np.uint8)
    av_frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame = frame_from_av(to_pixel_format(av_frame, PIXEL_FORMATS["yuv444p"], (64, height)))
    assert frame.color.matrix == ("bt709" if height == 720 else "bt601")
    assert not frame.color.full_range
    np.testing.assert_allclose(to_rgb(frame), rgb, atol=2)


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("color_range", [1, 2])
def test_rgb_is_made_with_the_frames_own_matrix_and_range(matrix: int, color_range: int) -> None:
    y, u, v = 120, 90, 170
    frame = frame_from_av(filled("yuv444p", (y, u, v), colorspace=matrix, color_range=color_range))
    kr, kb = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    luma, scale = ((y - 16) / 219, 224) if color_range == 1 else (y / 255, 255)
    red, blue = luma + 2 * (1 - kr) * (v - 128) / scale, luma + 2 * (1 - kb) * (u - 128) / scale
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    expected = np.clip(np.array([red, green, blue]) * 255, 0, 255)
    rgb = to_rgb(frame)
    assert rgb.shape == (48, 64, 3)
    np.testing.assert_allclose(rgb[20, 20], expected, atol=1.5)


def test_gray_gets_neutral_chroma_and_keeps_its_luma() -> None:
    frame = frame_from_av(filled("gray10le", (700,)))
    made = with_neutral_chroma(frame)
    assert made.format.name == "yuv420p10le"
    assert made.luma is frame.luma
    assert made.chroma is not None
    assert [int(plane.min()) for plane in made.chroma] == [512, 512]
    assert ColorTags.of(frame_to_av(made)).range == 2, "untagged gray is full range, untagged YUV would not be"


def test_a_format_that_is_none_to_work_in_is_refused() -> None:
    with pytest.raises(ValueError, match="rgb24"):
        frame_from_av(blank("rgb24"))


def test_interlaced_flags_survive_another_format(make_clip: Any) -> None:
    path = make_clip(fields="tff")
    with av.open(str(path)) as container:
        av_frame = next(container.decode(video=0))
    assert av_frame.interlaced_frame
    frame = frame_from_av(av_frame)
    other = replace(frame, format=PIXEL_FORMATS["yuv444p"], planes=(frame.luma,) * 3)
    assert frame_to_av(other).interlaced_frame


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux lists them")
def test_conversions_start_no_threads() -> None:
    before = len(list(Path("/proc/self/task").iterdir()))
    kept = []
    for _ in range(4):
        rgb, yuv = av.VideoFrame(64, 48, "rgb24"), av.VideoFrame(64, 48, "yuv420p")
        yuv444 = to_pixel_format(rgb, PIXEL_FORMATS["yuv444p"], (64, 48))
        wide = convert(yuv, color_of(yuv), "yuv420p", (96, 48))
        larger = replace(frame_from_av(yuv), format=PIXEL_FORMATS["yuv444p"], planes=frame_from_av(yuv444).planes)
        kept += [rgb, yuv, wide, frame_to_av(larger)]
    assert len(list(Path("/proc/self/task").iterdir())) == before
