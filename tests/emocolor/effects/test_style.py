"""The style effect around painters whose arithmetic is known: mixtures, colours there and back, regions, borders."""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import get_args

import numpy as np
import pytest

from emocolor.color import LUMA_WEIGHTS, code_range, codes_to_rgb, rgb_to_codes
from emocolor.effects import Style, StyleOptions
from emocolor.effects.style import IDENTITY, StyleRegion, small_size
from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from emocolor.faces import Box, Face, Scene, neutral_probabilities
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

SPECS = [ColorSpec(matrix=matrix, full_range=full) for matrix in LUMA_WEIGHTS for full in (False, True)]
LIMITED_709 = ColorSpec(matrix="bt709")
SIZES = [(323, 181), (34, 18), (16, 16), (1024, 64)]
HAPPY = {"happy": 1.0}
ALL = StyleOptions(fixed=HAPPY, detail=1.0)
NOBODY = Scene(time=0)


class Negative:
    """Its styles are all the negative, its mixtures are linear: what is kept of the frame comes back as it went."""

    def __init__(self):
        self.seen = []

    def paint(self, rgb, mixture):
        assert rgb.dtype == np.uint8
        assert min(rgb.shape[:2]) >= 36
        assert mixture.shape == (8,)
        assert mixture.dtype == np.float32
        self.seen.append(rgb)
        part = mixture[IDENTITY]
        return np.rint(part * rgb + (1 - part) * (255.0 - rgb)).astype(np.uint8)


class Same:
    """Paints nothing, whatever the mixture."""

    def paint(self, rgb, mixture):
        return rgb.copy()


class Never:
    """For frames that no net should be run on."""

    def paint(self, rgb, mixture):
        raise AssertionError("there is nothing to paint here")


def one_hot(name):
    return np.eye(7)[EMOTIONS.index(name)]


def face(x=24, y=12, side=24, presence=1.0):
    return Face(
        track_id=1, box=Box(x, y, side, side), roll_degrees=10, probabilities=one_hot("sad"), certainty=1,
        presence=presence,
    )  # fmt: skip


def make_frame(luma, blue, red, name="yuv444p", color=LIMITED_709):
    """A frame of planes given as codes; chroma must have its own plane's shape."""
    form = PIXEL_FORMATS[name]
    kind = np.uint8 if form.bits == 8 else np.uint16
    luma, blue, red = (np.rint(plane).astype(kind) for plane in (luma, blue, red))
    planes = {"planar": (luma, blue, red), "interleaved": (luma, np.stack([blue, red], axis=-1)), "none": (luma,)}
    return Frame(planes=planes[form.chroma], format=form, color=color, pts=0, time_base=Fraction(1, 25))


def noise(name, size_wh, color=LIMITED_709, seed=0):
    """Any codes of the format's depth, most of them no colour at all."""
    form, random = PIXEL_FORMATS[name], np.random.default_rng(seed)
    shapes = [size_wh[::-1], *[form.chroma_size_wh(*size_wh)[::-1]] * 2]
    return make_frame(*(random.integers(0, 1 << form.bits, shape) for shape in shapes), name, color)


def slopes(name, size_wh, color=LIMITED_709):
    """Colours that change slowly over the frame, of about 50 codes of 8 bits in every plane."""
    form = PIXEL_FORMATS[name]
    unit = 1 << (form.bits - 8)
    width, height = size_wh
    across, down = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    columns, rows = form.chroma_size_wh(width, height)
    chroma_across, chroma_down = np.linspace(0, 1, columns)[None, :], np.linspace(0, 1, rows)[:, None]
    luma = 100 + 30 * across + 20 * down
    blue, red = 118 + 20 * chroma_across - 8 * chroma_down, 120 + 10 * chroma_across + 14 * chroma_down
    return make_frame(unit * luma, unit * blue, unit * red, name, color)


def errors(frame, other):
    """Differences of every plane's samples, in codes of 8 bits."""
    unit = 1 << (frame.format.bits - 8)
    return [np.abs(a.astype(float) - b) / unit for a, b in zip(frame.planes, other.planes, strict=True)]


def worst(frame, other):
    return max(error.max() for error in errors(frame, other))


def same(frame, other):
    return all(np.array_equal(a, b) for a, b in zip(frame.planes, other.planes, strict=True))


def painted(frame, options=ALL, scene=NOBODY, style_transfer=None):
    """A copy of the frame, painted by the negative if by nothing else."""
    return Style(options, style_transfer or Negative()).apply(frame.copy(), scene)


def negative_of(frame, part=1.0):
    """Y, Cb and Cr codes, unrounded, of a 4:4:4 frame ``part`` of the way to its negative."""
    color, bits = frame.color, frame.format.bits
    rgb = codes_to_rgb(*(plane.astype(float) for plane in frame.planes), color, bits)
    rgb = (1 - part) * rgb + part * (1 - rgb)
    red, blue = LUMA_WEIGHTS[color.matrix]
    black, span, middle, chroma_span = code_range(color, bits)
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    cb, cr = (rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))
    return black + span * luma, middle + chroma_span * cb, middle + chroma_span * cr


# --- mixtures


def test_the_mixture_follows_the_scene():
    probabilities = np.array([0.1, 0, 0.2, 0.4, 0.1, 0.1, 0.1])
    scene = Scene(time=0, probabilities=probabilities, certainty=0.5)
    mixture = Style(StyleOptions(strength=0.8, certainty=0.5), Never()).mixture(scene)
    assert mixture.dtype == np.float32
    assert mixture[:IDENTITY] == pytest.approx(0.8 * 0.75 * probabilities)
    assert mixture[IDENTITY] == pytest.approx(1 - 0.8 * 0.75)


def test_a_fixed_mixture_counts_by_its_ratios_and_no_doubt_weakens_it():
    for scale in (1, 0.01, 20, 1e300):
        fixed = {"happy": 0.7 * scale, "sad": 0.3 * scale, "fear": 0}
        mixture = Style(StyleOptions(fixed=fixed, strength=0.5), Never()).mixture(NOBODY)
        assert mixture == pytest.approx(0.35 * np.eye(8)[3] + 0.15 * np.eye(8)[4] + 0.5 * np.eye(8)[7])


def test_a_face_that_leaves_takes_the_style_with_it():
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
def test_without_a_part_of_style_no_net_runs_and_every_byte_stays(name, options, scene):
    before = noise(name, (67, 45))
    assert same(painted(before, options, scene, Never()), before)


@pytest.mark.parametrize("detail", [0.0, 0.5, 1.0])
def test_strength_grows_without_a_step(detail):
    """The negative moves no sample by more than 255 codes: in a fiftieth of the way by about 5, and from 0 likewise."""
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
    """Even of what is no colour, and of detail too fine for the copy that the net sees."""
    for size_wh in (*SIZES, (400, 380), (7, 5), (1, 1)):
        before = noise(name, size_wh)
        options = StyleOptions(fixed=HAPPY, detail=1.0, size=128)
        assert same(painted(before, options, style_transfer=Same()), before)


@pytest.mark.parametrize("name", [name for name, form in sorted(PIXEL_FORMATS.items()) if form.chroma != "none"])
def test_colours_come_back_from_the_net_within_two_codes(name):
    """With no detail kept every sample comes from the net, in every matrix and range."""
    for size_wh, color in product(SIZES, SPECS):
        before = slopes(name, size_wh, color)
        after = painted(before, StyleOptions(fixed=HAPPY, detail=0.0), style_transfer=Same())
        assert worst(after, before) <= 2.1
        assert max(error.mean() for error in errors(after, before)) <= 0.6


@pytest.mark.parametrize("color", SPECS, ids=lambda s: f"{s.matrix}-{'full' if s.full_range else 'limited'}")
@pytest.mark.parametrize("name", ["yuv444p", "yuv444p10le"])
@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_what_the_net_paints_is_what_comes_out(color, name, detail):
    """Colours within the gamut, against their negative in float64. 8 bits of R'G'B' are wrong by up to half a
    code, and the negative of their error comes on top where what they lost is kept."""
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
def test_what_is_to_be_kept_is_kept_bit_for_bit(name, size_wh, detail):
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
def test_the_net_sees_a_frame_of_the_size_asked_for(size_wh, short_side, wanted):
    assert small_size(*size_wh, short_side) == wanted
    style_transfer = Negative()
    painted(slopes("yuv420p", size_wh), StyleOptions(fixed=HAPPY, size=short_side), style_transfer=style_transfer)
    assert style_transfer.seen[0].shape == (*wanted[::-1], 3)


@pytest.mark.parametrize("detail", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_detail_too_fine_for_the_net_stays_as_far_as_asked(detail, strength):
    """A checkerboard of single pixels is all lost to a copy of half the size."""
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


def test_what_one_frame_left_behind_does_not_show_in_the_next():
    effect = Style(ALL, Negative())
    for size_wh, name in (((96, 64), "yuv420p"), ((64, 48), "yuv444p10le"), ((96, 64), "nv12"), ((96, 64), "yuv420p")):
        before = slopes(name, size_wh)
        assert same(effect.apply(before.copy(), NOBODY), painted(before))


# --- regions


def half(left=1.0, right=0.0):
    """People on one half of the frame, as a coarse map."""
    return np.repeat(np.float32([[left, right]]), 32, axis=1).repeat(36, axis=0)


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv444p10le", "yuv422p"])
def test_people_or_their_background_are_painted(name):
    before = slopes(name, (128, 96))
    whole = painted(before)
    scene = Scene(time=0, person=half())
    people, background = (painted(before, replace(ALL, region=region), scene) for region in ("person", "background"))
    for inside, outside, was, new in zip(people.planes, background.planes, before.planes, whole.planes, strict=True):
        left, right = (slice(None), slice(0, was.shape[1] * 3 // 8)), (slice(None), slice(-was.shape[1] * 3 // 8, None))
        assert np.array_equal(inside[left], new[left])
        assert np.array_equal(inside[right], was[right])
        assert np.array_equal(outside[left], was[left])
        assert np.array_equal(outside[right], new[right])
        assert not np.array_equal(new[left], was[left])


@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_half_a_mask_paints_half(detail):
    before = slopes("yuv420p", (128, 96))
    options = StyleOptions(fixed=HAPPY, detail=detail)
    whole = painted(before, options)
    scene = Scene(time=0, person=half(0.5, 0.5))
    for plane, was, new in zip(
        painted(before, replace(options, region="person"), scene).planes, before.planes, whole.planes, strict=True
    ):
        assert np.abs(plane - (was / 2 + new / 2)).max() <= 1


def test_where_nobody_was_segmented_nobody_is():
    before = slopes("yuv420p", (128, 96))
    for scene in (NOBODY, Scene(time=0, person=half(0.001, 0))):
        assert same(painted(before, replace(ALL, region="person"), scene, Never()), before)
    assert same(painted(before, replace(ALL, region="background"), NOBODY), painted(before))
    everybody = Scene(time=0, person=half(1, 1))
    assert same(painted(before, replace(ALL, region="background"), everybody, Never()), before)


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv444p10le"])
def test_faces_or_all_but_faces_are_painted(name):
    before = slopes(name, (320, 240))
    whole, scene = painted(before), Scene(time=0, faces=(face(140, 100, 40), face(20, 20, 30)))
    faces, rest = (painted(before, replace(ALL, region=region), scene) for region in ("face", "keep-face"))
    for inside, outside, was, new in zip(faces.planes, rest.planes, before.planes, whole.planes, strict=True):
        step = before.luma.shape[0] // was.shape[0]
        far, center = (slice(200 // step, None),), (slice(115 // step, 125 // step), slice(155 // step, 165 // step))
        assert np.array_equal(inside[far], was[far])
        assert np.array_equal(inside[center], new[center])
        assert np.array_equal(outside[far], new[far])
        assert np.array_equal(outside[center], was[center])
        assert not np.array_equal(inside[30 // step : 40 // step, 30 // step : 40 // step],
                                  was[30 // step : 40 // step, 30 // step : 40 // step])  # fmt: skip


def test_a_face_eases_in_and_the_edge_of_its_region_is_soft():
    before = make_frame(np.full((240, 320), 60), *np.full((2, 240, 320), 128))
    whole, part = (
        painted(before, replace(ALL, region="face"), Scene(time=0, faces=(face(120, 80, 80, presence),)))
        .luma[120].astype(int) - 60
        for presence in (1.0, 0.5)
    )  # fmt: skip
    assert np.abs(np.diff(whole)).max() <= 0.15 * whole.max()
    assert part.max() == pytest.approx(whole.max() / 2, abs=1)


def test_faces_that_overlap_do_not_hide_each_other():
    before = slopes("yuv420p", (320, 240))
    leaving, staying = face(130, 100, 50, presence=0.2), face(140, 100, 40)
    options = replace(ALL, region="face")
    alone, both, turned = (
        painted(before, options, Scene(time=0, faces=faces))
        for faces in ((staying,), (staying, leaving), (leaving, staying))
    )
    assert same(both, turned)
    assert not same(both, alone)
    center = (slice(110, 130), slice(150, 170))
    assert np.array_equal(both.luma[center], alone.luma[center])


def test_without_faces_no_face_is_painted():
    before = slopes("yuv420p", (128, 96))
    assert same(painted(before, replace(ALL, region="face"), NOBODY, Never()), before)
    assert same(painted(before, replace(ALL, region="keep-face"), NOBODY), painted(before))
    outside = Scene(time=0, faces=(face(1000, 1000, 20),))
    assert same(painted(before, replace(ALL, region="face"), outside, Never()), before)


# --- options


@pytest.mark.parametrize("region", get_args(StyleRegion))
@pytest.mark.parametrize("fixed", [None, HAPPY])
def test_faces_and_people_are_only_asked_for_where_they_matter(region, fixed):
    options = StyleOptions(region=region, fixed=fixed)
    assert ("faces" in options.needs) == (fixed is None or region in ("face", "keep-face"))
    assert ("people" in options.needs) == (region in ("person", "background"))


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
def test_what_is_wrong_is_named(options, words):
    with pytest.raises(ConfigurationError, match=words):
        StyleOptions(**options)
