"""The tint against S0's formula, computed the plain way in R'G'B'."""

from dataclasses import replace

import numpy as np
import pytest

from emocolor.color import code_range, codes_to_rgb, rgb_to_codes
from emocolor.effects import Tint
from emocolor.effects.tint import S0_TINT
from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from emocolor.faces import Box, Face, Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec
from emocolor.palettes import S0
from emocolor.person_regions import plane_mask
from tests.emocolor.effects.ramp_frames import SPECS, WORDS, make_frame


def one_hot(name):
    return np.eye(7)[EMOTIONS.index(name)]


def blob(size=16):
    """A person in the middle of a coarse mask: 1 inside, falling to 0 at a quarter of the way to the edges."""
    axis = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    radius = np.hypot(axis[:, None], axis[None, :])
    return np.clip((0.75 - radius) * 4, 0, 1).astype(np.float32)


def rgb_of(frame):
    """The frame as R'G'B' in 0 to 255, clipped but not rounded again, at luma resolution."""
    u, v = frame.chroma
    step_x, step_y = frame.format.subsampling
    height, width = frame.luma.shape
    rows, columns = np.arange(height) // step_y, np.arange(width) // step_x
    u, v = (plane[np.ix_(rows, columns)].astype(float) for plane in (u, v))
    rgb = codes_to_rgb(frame.luma.astype(float), u, v, frame.color, frame.format.bits)
    return np.clip(rgb, 0, 1) * 255


def s0_reference(frame, color_255, alpha):
    """S0 section 3.2 in float R'G'B' on the gray frame."""
    black, span, _, _ = code_range(frame.color, frame.format.bits)
    gray = (frame.luma.astype(float) - black) / span * 255
    return np.clip((1 - alpha) * gray[..., None] + alpha * color_255, 0, 255)


def errors_against_s0(color, many_probabilities, mode):
    """Absolute differences in R'G'B' code values from S0's formula, one array per mixture."""
    errors = []
    for probabilities in many_probabilities:
        frame = make_frame(color=color)
        wanted = s0_reference(frame, S0.color_of(probabilities, mode) * 255, 0.5)
        tinted = Tint(replace(S0_TINT, mode=mode)).apply(frame, Scene(time=0, probabilities=probabilities, certainty=1))
        errors.append(np.abs(rgb_of(tinted) - wanted))
    return np.array(errors)


@pytest.mark.parametrize("color", SPECS, ids=WORDS)
def test_argmax_equals_s0_within_rounding(color):
    errors = errors_against_s0(color, 0.6 * np.eye(7) + 0.4 / 7, "argmax")
    assert errors.max() <= 2
    assert errors.mean() <= 0.5


@pytest.mark.parametrize("color", SPECS, ids=WORDS)
def test_blend_equals_s0_within_rounding(color):
    mixtures = np.random.default_rng(0).dirichlet(np.ones(7) * 0.5, size=100)
    errors = errors_against_s0(color, mixtures, "blend")
    assert errors.max() <= 2
    assert errors.mean() <= 0.5


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("size_wh", [(64, 48), (33, 17)])
@pytest.mark.parametrize("region", ["frame", "face", "person", "background"])
def test_every_format_and_odd_sizes_agree_with_444(name, size_wh, region):
    """Luma of any format is tinted like that of 4:4:4 of the same depth."""
    luma = np.random.default_rng(1).integers(16, 235, size_wh[::-1])
    bits = PIXEL_FORMATS[name].bits
    luma = luma << (bits - 8)
    full = {8: "yuv444p", 9: "yuv444p9le", 10: "yuv444p10le", 12: "yuv444p12le", 14: "yuv444p14le", 16: "yuv444p16le"}
    frame, reference = make_frame(name, size_wh, luma=luma), make_frame(full[bits], size_wh, luma=luma)
    face = Face(
        track_id=1, box=Box(8, 4, 14, 10), roll_degrees=20, probabilities=one_hot("sad"), certainty=1, presence=1
    )
    scene = Scene(time=0, faces=(face,), probabilities=one_hot("sad"), certainty=1, person=blob())
    tint = Tint(replace(S0_TINT, region=region))
    ours, wanted = tint.apply(frame, scene), tint.apply(reference, scene)
    assert np.array_equal(ours.luma, wanted.luma)
    assert not np.array_equal(ours.luma, luma)
    if ours.chroma is not None and region == "frame":
        assert ours.chroma[0][0, 0] == wanted.chroma[0][0, 0]
        assert ours.chroma[0][-1, -1] == wanted.chroma[0][-1, -1]


@pytest.mark.parametrize("format_name", ["yuv420p", "nv12", "yuv444p10le", "yuv420p16le"])
@pytest.mark.parametrize("region", ["frame", "face", "person"])
@pytest.mark.parametrize("emotion", ["sad", "angry"])
def test_the_purest_colours_fit_into_full_range(format_name, region, emotion):
    """Pure blue and red lie half a code beyond the last one there; they must not wrap around."""
    frame = make_frame(format_name, (160, 120), SPECS[3])
    face = Face(
        track_id=1, box=Box(60, 40, 40, 40), roll_degrees=0, probabilities=one_hot(emotion), certainty=1, presence=1
    )
    scene = Scene(time=0, probabilities=one_hot(emotion), certainty=1, faces=(face,), person=blob())
    tinted = Tint(replace(S0_TINT, alpha=1.0, region=region)).apply(frame, scene)
    last = (1 << frame.format.bits) - 1
    assert max(int(plane.max()) for plane in tinted.planes) <= last
    center = rgb_of(tinted)[60, 80]
    assert np.abs(center - S0.colors[EMOTIONS.index(emotion)] * 255).max() <= 2


def test_face_region_leaves_the_rest_bit_for_bit():
    frame = make_frame(size_wh=(320, 240), chroma=90)
    before = frame.copy()
    face = Face(
        track_id=1, box=Box(140, 100, 40, 40), roll_degrees=0, probabilities=one_hot("angry"), certainty=1, presence=1
    )
    Tint(replace(S0_TINT, region="face")).apply(frame, Scene(time=0, faces=(face,)))
    inside = np.zeros(frame.luma.shape, bool)
    inside[60:180, 100:220] = True
    assert np.array_equal(frame.luma[~inside], before.luma[~inside])
    assert np.array_equal(frame.chroma[0][~inside[::2, ::2]], before.chroma[0][~inside[::2, ::2]])
    center = rgb_of(frame)[120, 160]
    assert center[0] > center[1] + 60
    assert center[0] > center[2] + 60


def test_face_edge_is_soft_and_presence_scales_it():
    def change(presence):
        frame = make_frame(size_wh=(320, 240), luma=np.full((240, 320), 60))
        face = Face(
            track_id=1, box=Box(120, 80, 80, 80), roll_degrees=0, probabilities=one_hot("happy"), certainty=1,
            presence=presence,
        )  # fmt: skip
        Tint(replace(S0_TINT, region="face")).apply(frame, Scene(time=0, faces=(face,)))
        return frame.luma[120].astype(int) - 60

    whole, half = change(1.0), change(0.5)
    assert np.abs(np.diff(whole)).max() <= 0.15 * whole.max()
    assert abs(half.max() / whole.max() - 0.5) < 0.02


def test_several_faces():
    def face(number, x, side, emotion):
        return Face(
            track_id=number, box=Box(x, 60, side, side), roll_degrees=0, probabilities=one_hot(emotion), certainty=1,
            presence=1,
        )  # fmt: skip

    scene = Scene(
        time=0, faces=(face(1, 40, 60, "angry"), face(2, 220, 40, "sad")), probabilities=one_hot("happy"), certainty=1
    )
    left, right, corner = (90, 70), (80, 240), (2, 2)

    def colors(**options):
        rgb = rgb_of(Tint(replace(S0_TINT, **options)).apply(make_frame(size_wh=(320, 240)), scene))
        return [
            ("red", "green", "blue")[int(np.argmax(rgb[at] - rgb[at].min() - [0, 1, 0]))]
            for at in (left, right, corner)
        ]

    gray = make_frame(size_wh=(320, 240))
    assert colors(region="face", several="each")[:2] == ["red", "blue"]
    largest_only = Tint(replace(S0_TINT, region="face", several="largest")).apply(gray, scene)
    assert gray.chroma[0][40, 120] == 128
    assert largest_only.chroma[0][45, 35] != 128
    each_on_frame = colors(region="frame", several="each")
    assert each_on_frame[:2] == ["red", "blue"]
    assert each_on_frame[2] == "red"  # happy's yellow: red and green alike, blue least


@pytest.mark.parametrize("base", ["gray", "color"])
@pytest.mark.parametrize("region", ["person", "background"])
@pytest.mark.parametrize("name", ["yuv444p", "nv12", "yuv420p10le"])
def test_people_and_background_are_blended_by_the_mask(name, region, base):
    """Every sample moves toward S0's blend, weighted by the mask."""
    color, rng = SPECS[2], np.random.default_rng(2)
    frame = make_frame(name, (97, 61), color)
    unit = 1 << (frame.format.bits - 8)
    for plane in (frame.luma, *frame.chroma):
        plane[...] = rng.integers(16 * unit, 235 * unit, plane.shape)
    before, person = frame.copy(), rng.random((7, 9)).astype(np.float32)
    scene = Scene(time=0, probabilities=one_hot("angry"), certainty=1, person=person)
    Tint(replace(S0_TINT, region=region, base=base, alpha=0.7)).apply(frame, scene)
    codes = rgb_to_codes(S0.colors[EMOTIONS.index("angry")], color, frame.format.bits)
    planes = zip((frame.luma, *frame.chroma), (before.luma, *before.chroma), codes, strict=True)
    for number, (ours, was, code) in enumerate(planes):
        mask = plane_mask(person if region == "person" else 1 - person, ours.shape).astype(float)
        kept = 128 * unit if base == "gray" and number else was.astype(float)
        wanted = was + mask * (0.3 * kept + 0.7 * code - was)
        assert np.abs(ours - wanted).max() <= 0.51


@pytest.mark.parametrize("region", ["person", "background"])
def test_a_mask_of_all_or_nothing_tints_all_or_nothing(region):
    def tinted(person, region=region):
        frame = make_frame(size_wh=(320, 240), chroma=90)
        scene = Scene(time=0, probabilities=one_hot("happy"), certainty=1, person=person)
        return Tint(replace(S0_TINT, region=region)).apply(frame, scene).planes

    untouched, whole = make_frame(size_wh=(320, 240), chroma=90).planes, tinted(None, "frame")
    nobody, everybody = np.zeros((8, 8), np.float32), np.ones((8, 8), np.float32)
    all_of_it, nothing = (everybody, nobody) if region == "person" else (nobody, everybody)
    for ours, none, kept, full in zip(tinted(all_of_it), tinted(nothing), untouched, whole, strict=True):
        assert np.array_equal(none, kept)
        assert np.abs(ours.astype(int) - full).max() <= 1


def test_without_a_mask_there_are_no_people():
    frames = [make_frame(size_wh=(320, 240), chroma=90) for _ in range(3)]
    scene = Scene(time=0, probabilities=one_hot("happy"), certainty=1)
    for frame, region in zip(frames, ("person", "background", "frame"), strict=True):
        Tint(replace(S0_TINT, region=region)).apply(frame, scene)
    person, background, whole = frames
    assert all(map(np.array_equal, person.planes, make_frame(size_wh=(320, 240), chroma=90).planes))
    assert all(map(np.array_equal, background.planes, whole.planes))


@pytest.mark.parametrize(("several", "left"), [("largest", "yellow"), ("area", "yellow"), ("each", "red")])
def test_people_take_the_frames_emotion_and_with_each_their_faces_their_own(several, left):
    face = Face(
        track_id=1, box=Box(120, 90, 40, 40), roll_degrees=0, probabilities=one_hot("angry"), certainty=1, presence=1
    )
    person = np.zeros((240, 320), np.float32)
    person[60:, 100:220] = 1
    scene = Scene(time=0, faces=(face,), probabilities=one_hot("happy"), certainty=1, person=person)
    places = {"face": (110, 140), "body": (200, 160), "wall": (30, 30)}

    def colors(region):
        rgb = rgb_of(
            Tint(replace(S0_TINT, region=region, several=several)).apply(make_frame(size_wh=(320, 240)), scene)
        )
        red, green, blue = (rgb[..., n] for n in range(3))
        words = np.where(red - blue < 20, "gray", np.where(green - blue < 20, "red", "yellow"))
        return {name: str(words[at]) for name, at in places.items()}

    assert colors("person") == {"face": left, "body": "yellow", "wall": "gray"}
    assert colors("background") == {"face": "gray", "body": "gray", "wall": "yellow"}


def test_only_regions_of_people_need_segmentation():
    needing = {
        region
        for region in ("frame", "face", "person", "background")
        if "people" in replace(S0_TINT, region=region).needs
    }
    assert needing == {"person", "background"}


def test_certainty_weakens_the_tint():
    def blue(certainty, weakening):
        frame = make_frame()
        Tint(replace(S0_TINT, certainty=weakening)).apply(
            frame, Scene(time=0, probabilities=one_hot("sad"), certainty=certainty)
        )
        return int(frame.chroma[0][0, 0]) - 128

    assert blue(0.2, 0.0) == blue(1.0, 0.0) > 0
    assert blue(0.0, 1.0) == 0
    assert blue(0.5, 1.0) == pytest.approx(blue(1.0, 1.0) / 2, abs=1)


def test_color_base_keeps_the_frames_own_colours():
    frame = make_frame(chroma=180)
    Tint(replace(S0_TINT, base="color", alpha=0.25)).apply(
        frame, Scene(time=0, probabilities=one_hot("sad"), certainty=1)
    )
    blue_code = 240  # Cb of pure blue
    assert int(frame.chroma[0][0, 0]) == round(0.75 * 180 + 0.25 * blue_code)


def test_hdr_colours_are_at_diffuse_white_not_at_the_peak():
    color = ColorSpec(matrix="bt2020", primaries="bt2020", transfer="pq")
    frame = make_frame("yuv420p10le", color=color, luma=np.full((48, 64), 64))
    Tint(replace(S0_TINT, alpha=1.0)).apply(frame, Scene(time=0, probabilities=one_hot("happy"), certainty=1))
    luma = (frame.luma[0, 0] - 64) / 876
    assert 0.5 < luma < 0.581  # 203 nits is 0.5807 in PQ; yellow is a little darker than white


@pytest.mark.parametrize(("name", "value"), [("alpha", 1.5), ("alpha", -0.1), ("certainty", 2), ("feather", 0)])
def test_options_out_of_range_are_named(name, value):
    with pytest.raises(ConfigurationError, match=name):
        replace(S0_TINT, **{name: value})
