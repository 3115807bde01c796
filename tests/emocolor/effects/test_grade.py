"""The grade against a reference that computes the same changes in float64, colour by colour."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from emocolor.color import code_range, codes_to_rgb, srgb_to_oklab
from emocolor.effects import Grade, GradeOptions
from emocolor.effects.grade import (
    FEELING_OF_COLOR,
    NO_CHANGE,
    PLEASURE_AROUSAL,
    TURN_RADIANS,
    UNIT_LOG,
    WARM_RADIANS,
    change_of,
)
from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from emocolor.faces import Box, Face, Scene, neutral_probabilities
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from tests.emocolor.effects.grade_reference import codes_of, reference, rgb_of_oklab

SPECS = [ColorSpec(matrix=m, full_range=f) for m in ("bt601", "bt709") for f in (False, True)]
WORDS = [f"{s.matrix}-{'full' if s.full_range else 'limited'}" for s in SPECS]
LIMITED_709, FULL_709 = SPECS[2:]
LIVELY = [e for e in EMOTIONS if e != "neutral"]
FULL = GradeOptions(strength=1.0)


def one_hot(name):
    return np.eye(7)[EMOTIONS.index(name)]


def feeling(name, **more):
    return Scene(time=0, probabilities=one_hot(name), certainty=1, **more)


def make_frame(luma, blue, red, format_name="yuv444p", color=LIMITED_709):
    """A frame of planes given as codes; chroma must have its own plane's shape."""
    form = PIXEL_FORMATS[format_name]
    kind = np.uint8 if form.bits == 8 else np.uint16
    luma, blue, red = (np.rint(plane).astype(kind) for plane in (luma, blue, red))
    planes = {"planar": (luma, blue, red), "interleaved": (luma, np.stack([blue, red], axis=-1)), "none": (luma,)}
    return Frame(planes=planes[form.chroma], format=form, color=color, pts=0, time_base=Fraction(1, 25))


def frame_of(rgb, color=LIMITED_709, format_name="yuv444p"):
    """A 4:4:4 frame of R'G'B' (H, W, 3) in [0, 1]."""
    return make_frame(*codes_of(rgb, color, PIXEL_FORMATS[format_name].bits), format_name, color)


def rgb_of(frame):
    """R'G'B' of a 4:4:4 frame, not clipped."""
    return codes_to_rgb(*(plane.astype(float) for plane in frame.planes), frame.color, frame.format.bits)


def oklab_of(frame):
    return np.moveaxis(srgb_to_oklab(rgb_of(frame).clip(0, 1)), -1, 0)


def hue_degrees(frame):
    _, a, b = oklab_of(frame)
    return np.degrees(np.arctan2(b, a))


def turned_by(after, before):
    """Signed difference of angles in degrees."""
    return (after - before + 180) % 360 - 180


def muted_colors(count, most=0.6, seed=0):
    """R'G'B' (count, 50, 3) up to ``most`` of the way from some gray to any colour."""
    rng = np.random.default_rng(seed)
    gray, part, color = rng.random((count, 50, 1)), rng.random((count, 50, 1)) * most, rng.random((count, 50, 3))
    return gray + part * (color - gray)


def chroma_errors(colors, color, emotion, format_name="yuv444p"):
    """Distances in (Cb, Cr) from the reference, in codes of 8 bits."""
    frame = frame_of(colors, color, format_name)
    _, *wanted = reference(frame, change_of(one_hot(emotion), 1.0))
    graded = Grade(FULL).apply(frame, feeling(emotion))
    unit = 1 << (frame.format.bits - 8)
    return np.hypot(*((plane - codes) / unit for plane, codes in zip(graded.chroma, wanted, strict=True)))


def test_a_change_of_brightness_and_saturation_brings_the_pleasure_and_arousal_of_the_emotion():
    for emotion in EMOTIONS:
        change = change_of(one_hot(emotion), 1.0)
        feels = FEELING_OF_COLOR @ np.array([change.lightness, change.chroma]) / UNIT_LOG
        assert feels == pytest.approx(PLEASURE_AROUSAL[emotion], abs=0.01)
        assert change.turn == pytest.approx(TURN_RADIANS * PLEASURE_AROUSAL[emotion][0], abs=0.002)


def test_emotions_mix_by_their_probabilities():
    both = change_of(0.5 * one_hot("happy") + 0.5 * one_hot("angry"), 1.0)
    happy, angry = (change_of(one_hot(emotion), 1.0) for emotion in ("happy", "angry"))
    assert both.chroma == pytest.approx((happy.chroma + angry.chroma) / 2, abs=0.004)
    assert both.lightness == pytest.approx((happy.lightness + angry.lightness) / 2, abs=0.004)


@pytest.mark.parametrize("color", SPECS, ids=WORDS)
@pytest.mark.parametrize("emotion", ["happy", "sad", "fear", "surprise"])
def test_colours_are_those_of_the_reference(color, emotion):
    """Of colours up to 0.6 of the way to any: the mean includes rounding to whole codes, 0.38 by itself."""
    errors = chroma_errors(muted_colors(160), color, emotion)
    assert errors.mean() <= 0.65
    assert np.quantile(errors, 0.99) <= 2.6
    assert errors.max() <= 16


@pytest.mark.parametrize("emotion", ["happy", "sad", "fear", "surprise"])
def test_even_the_most_saturated_colours_are_near_the_reference(emotion):
    errors = chroma_errors(np.random.default_rng(1).random((200, 50, 3)), LIMITED_709, emotion)
    assert errors.mean() <= 1.0
    assert np.quantile(errors, 0.99) <= 6


@pytest.mark.parametrize("format_name", ["yuv444p10le", "yuv444p16le"])
def test_deep_colours_are_those_of_the_reference(format_name):
    errors = chroma_errors(muted_colors(100), LIMITED_709, "happy", format_name)
    assert errors.mean() <= 0.5
    assert np.quantile(errors, 0.99) <= 2.4


@pytest.mark.parametrize("color", SPECS, ids=WORDS)
@pytest.mark.parametrize("emotion", LIVELY)
def test_grays_stay_gray_and_get_exactly_the_reference_s_luma(color, emotion):
    codes = np.arange(256).reshape(16, 16)
    gray = np.full((16, 16), 128)
    frame = make_frame(codes, gray, gray, color=color)
    wanted = np.rint(reference(frame, change_of(one_hot(emotion), 1.0))[0])
    graded = Grade(FULL).apply(frame, feeling(emotion))
    black, span, _, _ = code_range(color, 8)
    beyond = (codes < black) | (codes > black + span)
    assert np.array_equal(graded.luma, np.where(beyond, codes, wanted))
    assert graded.luma.ravel()[[int(black), int(black + span)]].tolist() == [black, black + span]
    assert (np.diff(graded.luma.ravel().astype(int)) >= 0).all()
    assert all(np.array_equal(plane, gray) for plane in graded.chroma)


def test_happy_is_lighter_and_more_colourful_sad_darker_and_less():
    before = frame_of(muted_colors(200, most=0.4))
    lightness, chroma = oklab_of(before)[0].mean(), np.hypot(*oklab_of(before)[1:]).mean()
    for emotion, sign in (("happy", 1), ("sad", -1)):
        lab = oklab_of(Grade(GradeOptions()).apply(before.copy(), feeling(emotion)))
        assert sign * (lab[0].mean() - lightness) > 0.02
        assert sign * (np.hypot(*lab[1:]).mean() / chroma - 1) > 0.1


def test_hues_turn_toward_orange_with_pleasure_and_away_with_displeasure_and_keep_their_order():
    angles = np.radians(np.arange(0, 360, 3.0))
    lab = np.stack([np.full(120, 0.65), 0.09 * np.cos(angles), 0.09 * np.sin(angles)], axis=-1)
    ring = rgb_of_oklab(lab)[None]
    before = frame_of(ring, format_name="yuv444p12le")
    was = hue_degrees(before)[0]
    from_orange = np.sin(WARM_RADIANS - np.radians(was))
    for emotion in ("happy", "sad"):
        now = hue_degrees(Grade(FULL).apply(before.copy(), feeling(emotion)))[0]
        turn = turned_by(now, was)
        wanted = math.degrees(TURN_RADIANS) * PLEASURE_AROUSAL[emotion][0] * from_orange
        assert np.abs(turn - wanted).max() < 2.5
        assert (turned_by(np.roll(now, -1), now) > 0).all()


@pytest.mark.parametrize("emotion", LIVELY)
def test_no_colour_leaves_the_gamut_but_by_the_tables_coarseness(emotion):
    """Rounding to whole codes alone makes 0.01."""
    colors = np.random.default_rng(2).random((400, 50, 3))
    graded = rgb_of(Grade(FULL).apply(frame_of(colors), feeling(emotion)))
    beyond = np.maximum(-graded, graded - 1).max(-1)
    assert np.quantile(beyond, 0.995) < 0.02
    assert beyond.max() < 0.04


def all_codes(color, bits=8, step=5):
    """A 4:4:4 frame of codes over the whole of (Y, Cb, Cr), also where no colour is."""
    axis = np.arange(0, 256, step) * (1 << (bits - 8))
    luma, blue, red = np.meshgrid(axis, axis, axis, indexing="ij")
    name = "yuv444p" if bits == 8 else f"yuv444p{bits}le"
    flat = (plane.reshape(len(axis), -1) for plane in (luma, blue, red))
    return make_frame(*flat, name, color)


@pytest.mark.parametrize("color", SPECS, ids=WORDS)
def test_a_change_that_vanishes_leaves_even_impossible_colours(color):
    before = all_codes(color)
    graded = Grade(GradeOptions(strength=0.008)).apply(before.copy(), feeling("fear"))
    assert any(not np.array_equal(plane, was) for plane, was in zip(graded.planes, before.planes, strict=True))
    for plane, was in zip(graded.planes, before.planes, strict=True):
        assert np.abs(plane.astype(int) - was).max() <= 2


def test_a_change_of_emotion_does_not_pop():
    """In a hundredth of the way nothing moves by more than 2 codes; at the gamut's corners, where hues lie close, 8."""
    muted = frame_of(muted_colors(100))
    corners = frame_of(np.random.default_rng(4).random((100, 50, 3)).round())
    for before, most in ((muted, 2), (corners, 8)):
        last = None
        for part in np.linspace(0, 1, 101):
            mixed = part * one_hot("happy") + (1 - part) * one_hot("fear")
            frame = Grade(FULL).apply(before.copy(), Scene(time=0, probabilities=mixed, certainty=1))
            planes = np.stack([plane.astype(int) for plane in frame.planes])
            assert last is None or np.abs(planes - last).max() <= most
            last = planes


@pytest.mark.parametrize(
    ("options", "scene"),
    [
        (FULL, Scene(time=0, probabilities=neutral_probabilities(), certainty=1)),
        (GradeOptions(strength=0), feeling("happy")),
        (GradeOptions(), replace(feeling("happy"), certainty=0)),
    ],
    ids=["neutral", "no strength", "no certainty"],
)
def test_no_change_leaves_every_byte(options, scene):
    before = all_codes(LIMITED_709, step=15)
    graded = Grade(options).apply(before.copy(), scene)
    assert change_of(neutral_probabilities(), 1.0) == NO_CHANGE
    assert all(np.array_equal(plane, was) for plane, was in zip(graded.planes, before.planes, strict=True))


def test_certainty_weakens_the_change_by_its_option():
    def light(certainty, weakening, strength=0.8):
        gray = np.full((2, 2), 128)
        options = GradeOptions(strength=strength, certainty=weakening)
        return int(
            Grade(options)
            .apply(make_frame(gray, gray, gray), replace(feeling("happy"), certainty=certainty))
            .luma[0, 0]
        )

    assert light(0.2, 0.0) == light(1.0, 1.0) > light(0.5, 1.0) == light(1.0, 1.0, strength=0.4) > light(0.0, 1.0)
    assert light(0.0, 1.0) == 128


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("size_wh", [(64, 48), (33, 17)])
def test_every_format_agrees_with_444(name, size_wh):
    """Luma wherever it is, and chroma where the frame is of one colour."""
    form = PIXEL_FORMATS[name]
    unit = 1 << (form.bits - 8)
    width, height = size_wh
    columns, rows = form.chroma_size_wh(width, height)
    ramp = np.linspace(16 * unit, 235 * unit, width * height).reshape(height, width)
    for luma in (ramp, np.full((height, width), 120 * unit)):
        frame = make_frame(luma, np.full((rows, columns), 110 * unit), np.full((rows, columns), 150 * unit), name)
        deep = "yuv444p" if form.bits == 8 else f"yuv444p{form.bits}le"
        wanted = make_frame(luma, np.full(luma.shape, 110 * unit), np.full(luma.shape, 150 * unit), deep)
        ours, wanted = (Grade(FULL).apply(f, feeling("happy")) for f in (frame, wanted))
        assert np.array_equal(ours.luma, wanted.luma)
    for plane, other in zip(ours.chroma or (), wanted.chroma, strict=False):
        assert (plane == other[0, 0]).all()
        assert plane[0, 0] != (110 * unit, 150 * unit)[plane is ours.chroma[1]]


def test_interleaved_chroma_gets_what_planar_chroma_gets():
    rng = np.random.default_rng(3)
    luma, (blue, red) = rng.integers(16, 236, (48, 64)), rng.integers(90, 160, (2, 24, 32))
    face = Face(
        track_id=1, box=Box(16, 8, 24, 24), roll_degrees=10, probabilities=one_hot("sad"), certainty=1, presence=1
    )
    planar, interleaved = (
        Grade(FULL).apply(make_frame(luma, blue, red, name), feeling("happy", faces=(face,)))
        for name in ("yuv420p", "nv12")
    )
    assert np.array_equal(planar.luma, interleaved.luma)
    assert all(np.array_equal(*planes) for planes in zip(planar.chroma, interleaved.chroma, strict=True))


def test_rows_may_be_longer_than_the_frame():
    rgb = muted_colors(40)
    packed = frame_of(rgb)
    padded = replace(packed, planes=tuple(np.pad(plane, ((0, 0), (0, 14)))[:, :50] for plane in packed.planes))
    ours, wanted = (Grade(FULL).apply(frame, feeling("happy")) for frame in (padded, packed.copy()))
    assert all(np.array_equal(*planes) for planes in zip(ours.planes, wanted.planes, strict=True))


@pytest.mark.parametrize("color", SPECS, ids=WORDS)
@pytest.mark.parametrize("bits", [8, 10])
def test_no_code_moves_far(color, bits):
    """As infinities and errors of sign would: distance from gray grows to 3 times at most."""
    unit = 1 << (bits - 8)
    before = all_codes(color, bits, step=15)
    was = np.hypot(*(plane.astype(float) - 128 * unit for plane in before.chroma))
    for emotion in LIVELY:
        graded = Grade(FULL).apply(before.copy(), feeling(emotion))
        assert max(int(plane.max()) for plane in graded.planes) < 1 << bits
        now = np.hypot(*(plane.astype(float) - 128 * unit for plane in graded.chroma))
        assert (now <= 3 * was + unit).all()


@pytest.mark.parametrize(
    ("beyond", "last"), [((40_000, 500, 560), (1023, 500, 560)), ((600, 40_000, 1300), (600, 1023, 1023))]
)
def test_codes_beyond_their_depth_count_as_the_last(beyond, last):
    ours, wanted = (
        Grade(FULL).apply(make_frame(*(np.full((16, 16), code) for code in codes), "yuv444p10le"), feeling("sad"))
        for codes in (beyond, last)
    )
    assert all(np.array_equal(*planes) for planes in zip(ours.planes, wanted.planes, strict=True))


def skin_frame(size_wh=(320, 240)):
    """4:2:0 in 10 bits of one skin colour."""
    width, height = size_wh
    luma, blue, red = codes_of(np.array([0.45, 0.33, 0.27]), bits=10)
    small = (height // 2, width // 2)
    return make_frame(np.full((height, width), luma), np.full(small, blue), np.full(small, red), "yuv420p10le")


def face_at(box, presence=1.0):
    return Face(
        track_id=1, box=box, roll_degrees=0, probabilities=one_hot("sad"), certainty=1, presence=presence
    )  # fmt: skip


@pytest.mark.parametrize("emotion", LIVELY)
@pytest.mark.parametrize("rgb", [(0.80, 0.60, 0.50), (0.45, 0.30, 0.24), (0.93, 0.78, 0.70)])
def test_skin_keeps_its_hue_within_what_rounding_costs(emotion, rgb):
    """Within 1.5 degrees in 10 bits; at so little chroma, one 8-bit code is up to two degrees."""
    for name, most in (("yuv444p10le", 1.5), ("yuv444p", 3.0)):
        before = frame_of(np.full((60, 60, 3), rgb), format_name=name)
        graded = Grade(FULL).apply(before.copy(), feeling(emotion, faces=(face_at(Box(0, 0, 60, 60)),)))
        assert abs(turned_by(hue_degrees(graded), hue_degrees(before))[30, 30]) < most


def test_skin_takes_half_of_the_chroma_none_of_the_hue_and_all_of_the_lightness():
    box = Box(100, 80, 80, 80)
    whole, protected, unprotected = (
        Grade(GradeOptions(strength=1.0, skin=skin)).apply(skin_frame(), feeling("happy", faces=faces))
        for skin, faces in ((1.0, ()), (1.0, (face_at(box),)), (0.0, (face_at(box),)))
    )
    full = change_of(one_hot("happy"), 1.0)
    centre = make_frame(*(plane[:1, :1] for plane in skin_frame().planes), "yuv444p10le")
    wanted = reference(centre, replace(full, chroma=full.chroma / 2, turn=0.0))
    ours = [
        plane[row, column] for plane, row, column in zip(protected.planes, (120, 60, 60), (140, 70, 70), strict=True)
    ]
    assert np.array(ours) == pytest.approx(np.array(wanted).ravel(), abs=4)
    assert np.abs(np.array(ours) - [whole.luma[0, 0], *(plane[0, 0] for plane in whole.chroma)]).max() >= 8
    assert np.array_equal(protected.luma, whole.luma)
    for plane, other, free in zip(protected.chroma, unprotected.chroma, whole.chroma, strict=True):
        assert np.array_equal(other, free)
        assert np.array_equal(plane[:20], free[:20])


def test_the_protection_is_soft_and_follows_presence():
    def kept(presence):
        frames = [
            Grade(FULL).apply(skin_frame(), feeling("happy", faces=faces))
            for faces in ((), (face_at(Box(100, 60, 120, 120), presence),))
        ]
        return frames[0].chroma[1][60].astype(int) - frames[1].chroma[1][60]

    whole, half = kept(1.0), kept(0.5)
    assert whole.max() >= 8
    assert np.abs(np.diff(whole)).max() <= 2
    assert abs(half.max() - whole.max() / 2) <= 1


def test_gray_formats_take_luma_only():
    codes = np.arange(256).reshape(16, 16)
    gray, colored = make_frame(codes, codes, codes, "gray"), make_frame(codes, codes, codes)
    graded = Grade(FULL).apply(gray, feeling("sad", faces=(face_at(Box(2, 2, 8, 8)),)))
    assert len(graded.planes) == 1
    assert np.array_equal(graded.luma, Grade(FULL).apply(colored, feeling("sad")).luma)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_hdr_moves_half_as_far(transfer):
    rgb = muted_colors(40)
    hdr = ColorSpec(matrix="bt2020", primaries="bt2020", transfer=transfer)
    frames = frame_of(rgb, hdr, "yuv444p10le"), frame_of(rgb, ColorSpec(matrix="bt2020"), "yuv444p10le")
    ours, wanted = (
        Grade(GradeOptions(strength=s)).apply(frame, feeling("happy"))
        for s, frame in zip((1.0, 0.5), frames, strict=True)
    )
    assert all(np.array_equal(*planes) for planes in zip(ours.planes, wanted.planes, strict=True))


@pytest.mark.parametrize(("name", "value"), [("strength", 1.5), ("certainty", -0.1), ("skin", 2), ("skin", math.nan)])
def test_options_out_of_range_are_named(name, value):
    with pytest.raises(ConfigurationError, match=name):
        GradeOptions(**{name: value})
