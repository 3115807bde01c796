"""Colormaps against OpenCV's and matplotlib's own, and each preprocessing on frames whose answer is known."""

import math
from fractions import Fraction
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emocolor.color import code_range, codes_to_rgb, rgb_to_codes
from emocolor.effects import Colormap, ColormapOptions
from emocolor.effects.colormap import Preprocess, preprocess_levels
from emocolor.errors import ConfigurationError
from emocolor.faces import Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.gradients import OPENCV_MAPS, parse_gradient
from stream.media.frames import with_neutral_chroma
from tests.emocolor.effects.ramp_frames import FULL, LIMITED, SPECS, WORDS, make_frame

PQ = ColorSpec(matrix="bt2020", primaries="bt2020", transfer="pq")
SCENE = Scene(time=0)
DEEPEST = {form.bits: form.name for form in PIXEL_FORMATS.values() if form.name.startswith("yuv444")}


def mapped(frame, text="turbo", **options):
    return Colormap(ColormapOptions(gradient=parse_gradient(text), **options)).apply(frame, SCENE)


def rgb_of(frame):
    """A 4:4:4 frame as R'G'B' in 0 to 255, clipped but not rounded again."""
    planes = (plane.astype(float) for plane in frame.planes)
    return np.clip(codes_to_rgb(*planes, frame.color, frame.format.bits), 0, 1) * 255


def rounded_codes(rgb, color, bits=8):
    return [min(round(code), (1 << bits) - 1) for code in rgb_to_codes(np.array(rgb, float), color, bits)]


def opencv_map(name):
    """(256, 3) sRGB in 0 to 255."""
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8), OPENCV_MAPS[name]).reshape(256, 3)[:, ::-1].astype(float)


@pytest.mark.parametrize("color", SPECS, ids=WORDS)
@pytest.mark.parametrize(("format_name", "most"), [("yuv444p", 2.0), ("yuv444p10le", 0.5)])
@pytest.mark.parametrize("name", ["jet", "turbo", "viridis", "hot"])
def test_equals_opencv_within_rounding(name, format_name, most, color):
    """Reference: OpenCV's colours at the exact gray level, between two of its 256 in proportion."""
    frame = make_frame(format_name, color=color)
    black, span, _, _ = code_range(color, frame.format.bits)
    levels = (frame.luma - black) / span * 255
    wanted = np.stack([np.interp(levels, np.arange(256), channel) for channel in opencv_map(name).T], axis=-1)
    assert np.abs(rgb_of(mapped(frame, name)) - wanted).max() <= most


@pytest.mark.parametrize("name", OPENCV_MAPS)
def test_every_opencv_map_equals_applying_it_to_the_gray_frame(name):
    frame = make_frame("yuv444p", color=FULL)
    gray = frame.luma.copy()
    wanted = cv2.applyColorMap(gray, OPENCV_MAPS[name])[..., ::-1].astype(float)
    assert np.abs(rgb_of(mapped(frame, name)) - wanted).max() <= 2


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("size_wh", [(64, 48), (33, 17), (1, 1)])
def test_every_format_and_odd_sizes_agree_with_444(name, size_wh):
    """Luma is that of the mapped 4:4:4 frame of the same depth, chroma each block's mean of it."""
    form = PIXEL_FORMATS[name]
    luma = np.random.default_rng(1).integers(16, 235, size_wh[::-1]) << (form.bits - 8)
    ours = mapped(make_frame(name, size_wh, luma=luma), "jet")
    reference = mapped(make_frame(DEEPEST[form.bits], size_wh, luma=luma), "jet")
    assert np.array_equal(ours.luma, reference.luma)
    assert len(ours.planes) == {"none": 1, "interleaved": 2, "planar": 3}[form.chroma]
    step_x, step_y = form.subsampling
    for plane, fine in zip(ours.chroma or (), reference.chroma, strict=False):
        rows, columns = plane.shape
        short = ((0, rows * step_y - fine.shape[0]), (0, columns * step_x - fine.shape[1]))
        blocks = np.pad(fine, short, mode="edge").reshape(rows, step_y, columns, step_x)
        assert np.abs(plane - blocks.mean(axis=(1, 3))).max() <= 0.5


def test_works_in_place_inside_longer_rows():
    memory = np.full((48, 96), 7, np.uint8)
    memory[:, :64] = make_frame().luma
    frame = make_frame(luma=0)
    frame = Frame(
        planes=(memory[:, :64], *frame.planes[1:]), format=frame.format, color=frame.color, pts=0, time_base=Fraction(1)
    )
    assert mapped(frame) is frame
    assert np.array_equal(memory[:, :64], mapped(make_frame()).luma)
    assert (memory[:, 64:] == 7).all()


def test_gray_frames_given_chroma_are_coloured():
    gray = make_frame("gray", color=FULL, luma=255)
    frame = mapped(with_neutral_chroma(gray), "#000-#00f")
    assert [plane[0, 0] for plane in frame.planes] == rounded_codes((0, 0, 1), FULL)


def test_the_frames_own_colours_do_not_matter_at_full_strength():
    plain, green = mapped(make_frame()), mapped(make_frame(chroma=0))
    assert all(np.array_equal(a, b) for a, b in zip(plain.planes, green.planes, strict=True))


def test_pure_colours_in_full_range_do_not_wrap_round():
    """Pure blue's Cb is 255.5 there, which rounds to 256."""
    frame = mapped(make_frame("yuv444p", color=FULL), "#00f-#f00")
    assert frame.chroma[0][0, 0] == 255
    assert frame.chroma[1][-1, -1] == 255


def test_codes_beyond_black_and_white_take_the_end_colours():
    frame = mapped(make_frame("yuv444p", luma=np.linspace(0, 15, 64)), "#123456-#fff")
    assert [set(plane.ravel().tolist()) for plane in frame.planes] == [
        {code} for code in rounded_codes(np.array([0x12, 0x34, 0x56]) / 255, LIMITED)
    ]
    above_the_depth = mapped(make_frame("yuv444p10le", luma=60_000), "#fff-#123456")
    assert above_the_depth.luma[0, 0] == rounded_codes(np.array([0x12, 0x34, 0x56]) / 255, LIMITED, 10)[0]


def test_a_stream_may_change_its_format_and_colours():
    effect = Colormap(ColormapOptions())
    for name, color in (("yuv420p", LIMITED), ("yuv420p", FULL), ("nv12", SPECS[0]), ("yuv420p10le", LIMITED)):
        ours, wanted = effect.apply(make_frame(name, color=color), SCENE), mapped(make_frame(name, color=color))
        assert all(np.array_equal(a, b) for a, b in zip(ours.planes, wanted.planes, strict=True))


def test_strength_goes_from_the_frame_to_the_map():
    before, whole = make_frame(chroma=90), mapped(make_frame(chroma=90))
    untouched = mapped(make_frame(chroma=90), strength=0)
    half = mapped(make_frame("nv12", chroma=90), strength=0.5)
    for was, none, some, all_ in zip(
        *((frame.luma, *frame.chroma) for frame in (before, untouched, half, whole)), strict=True
    ):
        assert np.array_equal(none, was)
        assert np.abs(some - (was.astype(float) + all_) / 2).max() <= 0.5


def test_in_hdr_black_to_white_leaves_gray_up_to_diffuse_white_alone():
    codes = np.arange(64, 940)
    frame = mapped(make_frame("yuv420p10le", (876, 2), PQ, luma=codes), "#000-#fff")
    white = round(rgb_to_codes(np.ones(3), PQ, 10)[0])
    assert np.abs(frame.luma.astype(int) - np.minimum(codes, white)).max() <= 1
    assert (frame.chroma[0] == 512).all()


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("preprocess", get_args(Preprocess))
@pytest.mark.parametrize("cycles", [(0, 40), (10, math.inf)])
def test_one_colour_stays_one_colour(preprocess, cycles, level):
    black, span, _, _ = code_range(LIMITED, 8)
    frame = make_frame(size_wh=(33, 17), luma=round(black + span * level))
    frame = mapped(frame, "#000-#fff", preprocess=preprocess, cycles=cycles)
    seen = {"sobel": 0.0, "canny": 0.0, "fourier": 0.5 if cycles[0] else level}.get(preprocess, level)
    assert np.abs(frame.luma - (black + span * seen)).max() <= 0.5
    assert (np.array(frame.chroma) == 128).all()


@settings(max_examples=50)
@given(
    st.sampled_from(sorted(PIXEL_FORMATS)),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(get_args(Preprocess)),
    st.sampled_from([(0, 40), (0.0, 1e-9), (1e-9, 1e30), (10, math.inf)]),
    st.integers(0, 2**32 - 1),
)
def test_any_frame_gives_legal_codes(name, width, height, preprocess, cycles, seed):
    form = PIXEL_FORMATS[name]
    luma = np.random.default_rng(seed).integers(0, 1 << form.bits, (height, width))
    frame = mapped(make_frame(name, (width, height), luma=luma), "hsv", preprocess=preprocess, cycles=cycles)
    unit = 1 << (form.bits - 8)
    assert 16 * unit <= frame.luma.min() <= frame.luma.max() <= 235 * unit
    for plane in frame.chroma or ():
        assert 16 * unit <= plane.min() <= plane.max() <= 240 * unit


def step(contrast=1.0, size=65):
    """Black on the left, ``contrast`` on the right, from the middle column on."""
    levels = np.zeros((size, size), np.float32)
    levels[:, size // 2 :] = contrast
    return levels


def wave(cycles_per_height, size_wh, amplitude=0.25):
    """A cosine down the frame that its mirror at the borders continues."""
    width, height = size_wh
    phase = (np.arange(height) + 0.5) / height * cycles_per_height * 2 * math.pi
    return np.repeat(0.5 + amplitude * np.cos(phase), width).reshape(height, width).astype(np.float32)


def preprocessed(levels, preprocess, **options):
    return preprocess_levels(levels, ColormapOptions(preprocess=preprocess, **options))


def test_none_only_passes_through_the_table():
    levels = step()
    assert preprocessed(levels, "none") is levels


@pytest.mark.parametrize("sigma_px", [0.8, 1.5, 4])
def test_gaussian_spreads_a_point_by_sigma(sigma_px):
    point = np.zeros((61, 61), np.float32)
    point[30, 30] = 1
    spread = preprocessed(point, "gaussian", sigma_px=sigma_px)
    assert spread.sum() == pytest.approx(1, rel=1e-4)
    assert (spread.sum(axis=0) * (np.arange(61) - 30) ** 2).sum() == pytest.approx(sigma_px**2, rel=0.02)


def test_bilateral_smooths_noise_and_keeps_the_step():
    noisy = step() + np.random.default_rng(0).normal(0, 0.03, (65, 65)).astype(np.float32)
    smooth = preprocessed(noisy, "bilateral", sigma_px=3)
    assert smooth[5:-5, 5:25].std() < 0.4 * noisy[5:-5, 5:25].std()
    assert np.abs(smooth[:, 33].mean() - smooth[:, 31].mean() - 1) < 0.02
    blurred = preprocessed(noisy, "gaussian", sigma_px=3)
    assert blurred[:, 33].mean() - blurred[:, 31].mean() < 0.4


@pytest.mark.parametrize("sigma_px", [0.3, 1.0, 1.5, 4.0])
@pytest.mark.parametrize("turned", [False, True])
def test_sobel_shows_a_steps_height_whatever_the_smoothing(sigma_px, turned):
    levels = step(0.6).T if turned else step(0.6)
    steepness = preprocessed(levels, "sobel", sigma_px=sigma_px)
    assert steepness.max() == pytest.approx(0.6, rel=0.12)
    line = steepness[32] if not turned else steepness[:, 32]
    assert line.argmax() in (31, 32)
    assert line[:15].max() < 0.01


def test_canny_finds_steps_from_its_contrast_on_as_thin_lines():
    for sigma_px in (1.0, 1.5, 3.0):
        found = preprocessed(step(0.3), "canny", sigma_px=sigma_px, edge_contrast=0.2)
        assert set(np.unique(found)) == {0.0, 1.0}
        assert (found[1:-1].sum(axis=1) == 1).all()
        assert np.flatnonzero(found[32])[0] in (31, 32)
        aslant = np.triu(np.full((65, 65), 0.16, np.float32))
        for faint in (step(0.16), aslant):
            assert not preprocessed(faint, "canny", sigma_px=sigma_px, edge_contrast=0.2).any()


@pytest.mark.parametrize("size_wh", [(64, 48), (80, 36), (33, 17)])
@pytest.mark.parametrize("cycles", [(0, 5), (0, 20), (3, math.inf), (2, 8)])
def test_fourier_filters_the_mirrored_frame(size_wh, cycles):
    """Reference: the plain Fourier transform of the frame with its mirror images, Butterworth gain."""
    width, height = size_wh
    levels = np.random.default_rng(2).uniform(0, 1, (height, width)).astype(np.float32)
    tiled = np.pad(levels.astype(float), ((0, height), (0, width)), mode="symmetric")
    down, across = np.fft.fftfreq(2 * height) * height, np.fft.fftfreq(2 * width) * height
    frequency = np.hypot(down[:, None], across)
    low, high = cycles
    gain = 1 / (1 + (frequency / high) ** 4)
    if low:
        gain *= 1 - 1 / (1 + (frequency / low) ** 4)
    wanted = np.fft.ifft2(np.fft.fft2(tiled) * gain).real[:height, :width] + (0.5 if low else 0)
    ours = preprocessed(levels, "fourier", cycles=cycles)
    # An odd size is filtered with one more row and column of its mirror image.
    even = width % 2 == height % 2 == 0
    assert np.abs(ours - wanted)[: None if even else -8, : None if even else -8].max() < (1e-4 if even else 0.05)


@given(st.floats(0.5, 100), st.integers(0, 1000))
def test_a_low_pass_keeps_the_mean(high, seed):
    levels = np.random.default_rng(seed).uniform(0, 1, (36, 64)).astype(np.float32)
    kept = preprocessed(levels, "fourier", cycles=(0, high))
    assert kept.mean() == pytest.approx(levels.mean(), abs=1e-5)
    assert kept.std() < levels.std()


def test_low_and_high_pass_of_one_cutoff_make_up_the_frame():
    levels = np.random.default_rng(3).uniform(0, 1, (48, 64)).astype(np.float32)
    low, high = (preprocessed(levels, "fourier", cycles=band) for band in ((0, 6), (6, math.inf)))
    assert low + high - 0.5 == pytest.approx(levels, abs=1e-5)


@pytest.mark.parametrize("size_wh", [(160, 120), (320, 240), (100, 600)])
def test_a_cutoff_does_not_depend_on_size_and_halves_its_own_frequency(size_wh):
    assert np.ptp(preprocessed(wave(10, size_wh), "fourier", cycles=(0, 10))) == pytest.approx(0.25, abs=0.01)
    assert np.ptp(preprocessed(wave(5, size_wh), "fourier", cycles=(0, 10))) > 0.45
    assert np.ptp(preprocessed(wave(20, size_wh), "fourier", cycles=(0, 10))) < 0.04


def test_a_low_pass_does_not_run_from_one_border_into_the_other():
    kept = preprocessed(step(size=64), "fourier", cycles=(0, 4))
    assert kept[:, 0].max() < 0.05
    assert kept[:, -1].min() > 0.95


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strength", 1.1), ("strength", -0.1), ("strength", math.nan), ("sigma_px", 0), ("sigma_px", 21),
        ("sigma_level", 0), ("edge_contrast", 0), ("edge_contrast", 2), ("cycles", (5, 5)), ("cycles", (-1, 5)),
        ("cycles", (0, math.nan)), ("preprocess", "sobl"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_named(name, value):
    with pytest.raises(ConfigurationError, match=name):
        ColormapOptions(**{name: value})
