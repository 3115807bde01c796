"""The style effect around nets whose arithmetic is known: mixtures, colours there and back, sizes, borders."""

from itertools import product

import numpy as np
import pytest

from emocolor.color import LUMA_WEIGHTS, code_range, rgb_to_codes
from emocolor.effects import Style, StyleOptions
from emocolor.effects.style import IDENTITY, style_input_size
from emocolor.errors import ConfigurationError
from emocolor.faces import Scene, neutral_probabilities
from emocolor.frames import PIXEL_FORMATS, ColorSpec
from tests.emocolor.effects.style_frames import (
    ALL,
    HAPPY,
    NOBODY,
    SIZES,
    SPECS,
    Negative,
    Never,
    Same,
    errors,
    face,
    make_frame,
    negative_of,
    noise,
    one_hot,
    painted,
    same,
    slopes,
    worst,
)

# --- mixtures


def test_the_mixture_follows_the_scene():
    probabilities = np.array([0.1, 0, 0.2, 0.4, 0.1, 0.1, 0.1])
    scene = Scene(time=0, probabilities=probabilities, certainty=0.5)
    mixture = Style(StyleOptions(strength=0.8, certainty=0.5), Never()).mixture(scene)
    assert mixture.dtype == np.float32
    assert mixture[:IDENTITY] == pytest.approx(0.8 * 0.75 * probabilities)
    assert mixture[IDENTITY] == pytest.approx(1 - 0.8 * 0.75)


def test_a_fixed_mixture_counts_by_its_ratios_whatever_the_certainty():
    for scale in (1, 0.01, 20, 1e300):
        fixed = {"happy": 0.7 * scale, "sad": 0.3 * scale, "fear": 0}
        mixture = Style(StyleOptions(fixed=fixed, strength=0.5), Never()).mixture(NOBODY)
        assert mixture == pytest.approx(0.35 * np.eye(8)[3] + 0.15 * np.eye(8)[4] + 0.5 * np.eye(8)[7])


def test_the_style_fades_as_a_face_leaves():
    parts = []
    for certainty in np.linspace(0.9, 0, 10):
        probabilities = certainty * one_hot("angry") + (1 - certainty) * one_hot("neutral")
        scene = Scene(time=0, probabilities=probabilities, certainty=certainty)
        parts.append(float(Style(StyleOptions(), Never()).mixture(scene)[IDENTITY]))
    assert parts == pytest.approx(np.linspace(0.1, 1, 10))
    assert parts[-1] == 1


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize(
    ("options", "scene"),
    [
        (StyleOptions(strength=0), Scene(time=0, probabilities=one_hot("happy"), certainty=0.9)),
        (StyleOptions(fixed=HAPPY, strength=0), NOBODY),
        (StyleOptions(), Scene(time=0, probabilities=neutral_probabilities(), certainty=0)),
    ],
    ids=["no strength", "fixed, no strength", "nobody"],
)
def test_without_a_weight_of_style_no_net_runs_and_every_byte_stays(name, options, scene):
    before = noise(name, (67, 45))
    assert same(painted(before, options, scene, Never()), before)


@pytest.mark.parametrize("detail", [0.0, 0.5, 1.0])
def test_strength_grows_without_a_step(detail):
    """The negative changes no sample by more than 255 codes, so a fiftieth of the way by about 5, and likewise from
    0."""
    before, last = noise("yuv420p", (64, 48)), None
    for strength in (0, 0.001, 0.002, 0.003, *np.linspace(0.02, 1, 50)):
        now = painted(before, StyleOptions(fixed=HAPPY, strength=strength, detail=detail))
        if strength <= 0.003:
            assert worst(now, before) <= 2
        assert last is None or worst(now, last) <= 8
        last = now


# --- colours, there and back


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
def test_a_net_that_changes_nothing_leaves_every_byte(name):
    """Even codes that are no colour, and detail too fine for the net's input."""
    for size_wh in (*SIZES, (400, 380), (7, 5), (1, 1)):
        before = noise(name, size_wh)
        options = StyleOptions(fixed=HAPPY, detail=1.0, size=128)
        assert same(painted(before, options, style_transfer=Same()), before)


@pytest.mark.parametrize("name", [name for name, form in sorted(PIXEL_FORMATS.items()) if form.chroma != "none"])
def test_colours_come_back_from_the_net_within_two_codes(name):
    """Without detail every sample comes from the net, in every matrix and range."""
    for size_wh, color in product(SIZES, SPECS):
        before = slopes(name, size_wh, color)
        after = painted(before, StyleOptions(fixed=HAPPY, detail=0.0), style_transfer=Same())
        assert worst(after, before) <= 2.1
        assert max(error.mean() for error in errors(after, before)) <= 0.6


@pytest.mark.parametrize("color", SPECS, ids=lambda s: f"{s.matrix}-{'full' if s.full_range else 'limited'}")
@pytest.mark.parametrize("name", ["yuv444p", "yuv444p10le"])
@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_the_nets_output_is_the_result(color, name, detail):
    """Colours within the gamut, against their negative in float64.

    8 bits of R'G'B' are wrong by up to half a code, and the negative of this error is added where detail is kept.
    """
    random, form = np.random.default_rng(3), PIXEL_FORMATS[name]
    rgb = random.random((96, 128, 3))
    black, span, middle, chroma_span = code_range(color, form.bits)
    red, blue = LUMA_WEIGHTS[color.matrix]
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    cb, cr = (rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))
    frame = make_frame(black + span * luma, middle + chroma_span * cb.clip(-0.5, 0.49),
                       middle + chroma_span * cr.clip(-0.5, 0.49), name, color)  # fmt: skip
    for part in (0.3, 1.0):
        wanted = negative_of(frame, part)
        given = painted(frame, StyleOptions(fixed=HAPPY, strength=part, detail=detail))
        for plane, codes in zip(given.planes, wanted, strict=True):
            error = np.abs(plane - codes) / (1 << (form.bits - 8))
            assert error.max() <= 3
            assert error.mean() <= 0.7


@pytest.mark.parametrize("color", SPECS, ids=lambda s: f"{s.matrix}-{'full' if s.full_range else 'limited'}")
@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv422p12le", "yuv411p"])
def test_the_net_sees_the_frames_colours(color, name):
    form = PIXEL_FORMATS[name]
    for rgb in (np.array([200, 80, 40]), np.array([20, 60, 220]), np.array([255, 255, 255]), np.array([0, 0, 0])):
        codes = rgb_to_codes(rgb / 255, color, form.bits)
        shapes = [(48, 64), *[form.chroma_size_wh(64, 48)[::-1]] * 2]
        style_transfer = Negative()
        painted(make_frame(*map(np.full, shapes, codes), name, color), style_transfer=style_transfer)
        assert np.abs(style_transfer.seen[0].astype(int) - rgb).max() <= 2
        assert style_transfer.seen[0].shape == (48, 64, 3)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_white_paint_is_diffuse_white_in_hdr(transfer):
    color = ColorSpec(matrix="bt2020", primaries="bt2020", transfer=transfer)
    white = rgb_to_codes(np.ones(3), color, 10)[0]
    style_transfer, flat = Negative(), np.full((48, 64), 512)
    black = painted(
        make_frame(np.full((48, 64), white), flat, flat, "yuv444p10le", color), ALL, style_transfer=style_transfer
    )
    assert style_transfer.seen[0].min() >= 254
    assert np.abs(black.luma.astype(float) - 64).max() <= 4
    made = painted(make_frame(np.full((48, 64), 64), flat, flat, "yuv444p10le", color), ALL)
    assert np.abs(made.luma.astype(float) - white).max() <= 4


def test_damaged_samples_beyond_their_depth_do_no_harm():
    frame = make_frame(*(np.full((32, 32), 0xFFFF) for _ in range(3)), "yuv444p10le")
    assert max(int(plane.max()) for plane in painted(frame).planes) <= 1023


@pytest.mark.parametrize("region", ["frame", "face"])
def test_interleaved_chroma_gets_what_planar_chroma_gets(region):
    scene = Scene(time=0, faces=(face(),))
    options = StyleOptions(fixed=HAPPY, region=region)
    before = slopes("yuv420p", (96, 64))
    ours = painted(make_frame(*before.planes, "nv12"), options, scene)
    wanted = painted(before, options, scene)
    assert np.array_equal(ours.luma, wanted.luma)
    assert all(np.array_equal(a, b) for a, b in zip(ours.chroma, wanted.chroma, strict=True))
    assert not np.array_equal(wanted.chroma[0], before.chroma[0])


def test_gray_planes_take_luma():
    before = slopes("gray", (64, 48))
    wanted = painted(make_frame(before.luma, *np.full((2, 48, 64), 128)))
    assert np.array_equal(painted(before).luma, wanted.luma)


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv444p10le", "yuv411p"])
@pytest.mark.parametrize("size_wh", [(96, 64), (1000, 600)])
@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_kept_planes_stay_bit_for_bit(name, size_wh, detail):
    before = slopes(name, size_wh)
    free, luma_kept, chroma_kept = (
        painted(before, StyleOptions(fixed=HAPPY, keep=keep, detail=detail)) for keep in ("none", "luma", "chroma")
    )
    assert np.array_equal(luma_kept.luma, before.luma)
    assert np.array_equal(chroma_kept.luma, free.luma)
    assert not np.array_equal(free.luma, before.luma)
    for kept, moved, was, new in zip(chroma_kept.chroma, luma_kept.chroma, before.chroma, free.chroma, strict=True):
        assert np.array_equal(kept, was)
        assert np.array_equal(moved, new)
        assert not np.array_equal(new, was)


# --- sizes, detail and borders


@pytest.mark.parametrize(
    ("size_wh", "short_side", "wanted"),
    [
        ((640, 360), 360, (640, 360)),
        ((1280, 720), 360, (640, 360)),
        ((1920, 816), 360, (848, 360)),
        ((1080, 1920), 360, (360, 640)),
        ((323, 181), 360, (323, 181)),
        ((1024, 64), 360, (1024, 64)),
        ((854, 480), 256, (456, 256)),
        ((1280, 720), 265, (472, 264)),
    ],
)
def test_the_nets_input_has_the_chosen_size(size_wh, short_side, wanted):
    assert style_input_size(*size_wh, short_side) == wanted
    style_transfer = Negative()
    painted(slopes("yuv420p", size_wh), StyleOptions(fixed=HAPPY, size=short_side), style_transfer=style_transfer)
    assert style_transfer.seen[0].shape == (*wanted[::-1], 3)


@pytest.mark.parametrize("detail", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_detail_too_fine_for_the_net_stays_by_its_option(detail, strength):
    """A copy of half the size loses all of a checkerboard of single pixels."""
    board = 120 + 40 * (np.indices((256, 320)).sum(0) % 2)
    flat = np.full((128, 160), 128)
    options = StyleOptions(fixed=HAPPY, size=128, strength=strength, detail=detail)
    after = painted(make_frame(board, flat, flat, "yuv420p"), options, style_transfer=Same())
    assert np.ptp(after.luma.astype(float)) == pytest.approx(40 * (1 - strength * (1 - detail)), abs=1)
    assert after.luma.mean() == pytest.approx(140, abs=1)


@pytest.mark.parametrize("size_wh", [(323, 181), (34, 18), (1001, 727), (1278, 722), (363, 730)])
@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_borders_are_painted_as_well_as_the_middle(size_wh, detail):
    before = slopes("yuv444p", size_wh)
    wanted = negative_of(before)
    after = painted(before, StyleOptions(fixed=HAPPY, detail=detail))
    for plane, codes in zip(after.planes, wanted, strict=True):
        error = np.abs(plane - codes)
        inside = error[4:-4, 4:-4].max()
        error[4:-4, 4:-4] = 0
        assert error.max() <= inside + 0.5
        assert inside <= 3


@pytest.mark.parametrize("size_wh", [(1, 1), (5, 3), (15, 40), (40, 15), (16, 15)])
@pytest.mark.parametrize("name", ["yuv444p", "yuv420p", "yuv410p"])
def test_the_smallest_frames_are_painted_too(size_wh, name):
    before = slopes(name, size_wh)
    after = painted(before)
    assert [plane.shape for plane in after.planes] == [plane.shape for plane in before.planes]
    if name == "yuv444p":
        for plane, codes in zip(after.planes, negative_of(before), strict=True):
            assert np.abs(plane - codes).max() <= 3


def test_a_frame_does_not_affect_the_next():
    effect = Style(ALL, Negative())
    for size_wh, name in (((96, 64), "yuv420p"), ((64, 48), "yuv444p10le"), ((96, 64), "nv12"), ((96, 64), "yuv420p")):
        before = slopes(name, size_wh)
        assert same(effect.apply(before.copy(), NOBODY), painted(before))


# --- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": 1.5}, "style strength must be a number between 0 and 1, got 1.5"),
        ({"strength": float("nan")}, "strength must be a number between 0 and 1, got nan"),
        ({"certainty": -0.1}, "certainty must"),
        ({"size": 63}, "size must be a whole number between 64 and 4320, got 63"),
        ({"detail": 2}, "detail must"),
        ({"region": "faces"}, "got 'faces'; did you mean 'face'"),
        ({"keep": "color"}, "keep must be one of none, chroma, luma, got 'color'"),
        ({"precision": "f64"}, "precision must be one of f32, bf16, f16, got 'f64'"),
        ({"fixed": {"hapy": 1}}, "no style 'hapy'; did you mean 'happy'"),
        ({"fixed": {"happy": -1}}, "part of style 'happy' must be a number from 0 up, got -1"),
        ({"fixed": {"happy": float("nan")}}, "got nan"),
        ({"fixed": {"happy": float("inf")}}, "got inf"),
        ({"fixed": {"happy": 0.0, "sad": 0.0}}, "needs a part above 0"),
        ({"fixed": {}}, "needs a part above 0"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(ConfigurationError, match=words):
        StyleOptions(**options)
