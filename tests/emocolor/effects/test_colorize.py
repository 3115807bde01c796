"""Colorizing with colorizers whose output is known: where colour goes, and that luma stays."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from emocolor.chroma.stabilizer import ChromaEstimate, StabilizerOptions
from emocolor.color import codes_to_rgb, srgb_to_oklab
from emocolor.effects import Colorize, ColorizeOptions
from emocolor.effects.colorize import colorizer_input, colorizer_input_size, write_chroma
from emocolor.errors import ConfigurationError
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

LIMITED = ColorSpec(matrix="bt709")


class TwoTone:
    """Predicts one colour for dark and another for light, and records the sizes of its inputs."""

    def __init__(self, dark=(0.0, 0.0), light=(0.0, 0.0)):
        self.dark, self.light = dark, light
        self.seen = []

    def estimate(self, gray, vividness):
        self.seen.append(gray.shape)
        small = gray[2::4, 2::4, None] > 128
        ab = np.where(small, np.float32(self.light), np.float32(self.dark)).astype(np.float32)
        return ChromaEstimate(ab=ab, confidence=np.ones(ab.shape[:2], np.float32))


def make_frame(luma, form="yuv420p", color=LIMITED, pts=0):
    layout = PIXEL_FORMATS[form]
    kind = np.uint8 if layout.bits == 8 else np.uint16
    luma = np.asarray(luma).astype(kind)
    wide, high = layout.chroma_size_wh(luma.shape[1], luma.shape[0])
    middle = 1 << (layout.bits - 1)
    shape = [(high, wide, 2)] if layout.chroma == "interleaved" else [(high, wide)] * 2
    planes = (luma, *(np.full(s, middle, kind) for s in shape))
    return Frame(planes=planes, format=layout, color=color, pts=pts, time_base=Fraction(1, 25))


def scenery(size_wh, low=16, high=235, seed=0):
    random = np.random.default_rng(seed)
    across = np.linspace(low, high, size_wh[0])[None, :]
    return np.clip(across + random.normal(0, 4, (size_wh[1], size_wh[0])), low, high).round()


def colorized(frames, colorizer, cuts=(), **options):
    effect = Colorize(ColorizeOptions(**options), colorizer)
    done = []
    for number, frame in enumerate(frames):
        done += effect.add(frame, cut=number in cuts)
    return done + list(effect.end())


def test_after_the_end_a_new_shot_begins():
    colorizer = TwoTone((30, -60), (80, 70))
    effect = Colorize(ColorizeOptions(rate_hz=1), colorizer)
    for _ in range(2):
        done = list(effect.add(make_frame(scenery((128, 96))), cut=False)) + list(effect.end())
        assert len(done) == 1
    assert len(colorizer.seen) == 2


@pytest.mark.parametrize(
    ("form", "size_wh", "color"),
    [
        ("yuv420p", (128, 96), LIMITED),
        ("yuv420p", (323, 181), ColorSpec(matrix="bt601", full_range=True)),
        ("nv12", (128, 96), LIMITED),
        ("yuv444p", (96, 128), LIMITED),
        ("yuv422p10le", (128, 96), LIMITED),
        ("yuv420p", (64, 64), LIMITED),
        ("yuv420p", (1024, 64), LIMITED),
        ("yuv420p", (34, 20), LIMITED),
    ],
)
def test_luma_stays_bit_for_bit_and_every_chroma_code_is_legal(form, size_wh, color):
    unit = 1 << (PIXEL_FORMATS[form].bits - 8)
    lumas = [scenery(size_wh, seed=n) * unit for n in range(6)]
    frames = [make_frame(luma, form, color, pts=n) for n, luma in enumerate(lumas)]
    done = colorized(frames, TwoTone((30, -60), (80, 70)))
    assert [frame.pts for frame in done] == list(range(6))
    for frame, luma in zip(done, lumas, strict=True):
        assert np.array_equal(frame.luma, luma)
        low, high = (0, 255) if color.full_range else (16, 240)
        for plane in frame.chroma:
            assert low * unit <= plane.min() <= plane.max() <= high * unit
            assert plane.std() > unit


def test_a_flat_frame_takes_the_predicted_colour():
    done = colorized([make_frame(np.full((96, 128), 126))], TwoTone(dark=(40, 20)))
    y, cb, cr = (float(plane.mean()) for plane in (done[0].luma, *done[0].chroma))
    rgb = codes_to_rgb(np.array(y), np.array(cb), np.array(cr), LIMITED, 8)
    hue = srgb_to_oklab(rgb)
    assert hue[1] > 0.05 < hue[2] + 0.05
    assert rgb[0] > rgb[1] > rgb[2]


def test_gray_predicted_as_gray_stays_exactly_gray():
    done = colorized([make_frame(scenery((128, 96)))], TwoTone())
    for plane in done[0].chroma:
        assert (plane == 128).all()


@pytest.mark.parametrize("code", [16, 235])
def test_black_and_white_stay_black_and_white(code):
    done = colorized([make_frame(np.full((96, 128), code))], TwoTone((60, 60), (60, 60)))
    for plane in done[0].chroma:
        assert np.abs(plane.astype(int) - 128).max() <= 1


def test_colour_ends_where_the_edge_is():
    luma = np.full((192, 256), 60)
    luma[:, 128:] = 200
    frame = colorized([make_frame(luma)], TwoTone(dark=(0, -40), light=(40, 40)))[0]
    red = frame.chroma[1][48].astype(int)
    assert red[:60].max() < 128
    assert red[67:].min() > 140
    assert np.abs(np.diff(red)).argmax() in (62, 63, 64)


def test_the_colorizer_runs_at_its_rate_and_at_cuts():
    frames = [make_frame(scenery((128, 96), seed=n // 20), pts=n) for n in range(40)]
    colorizer = TwoTone((10, 10), (20, 20))
    assert len(colorized(frames, colorizer, cuts=(20,), rate_hz=5.0)) == 40
    assert len(colorizer.seen) == 8
    colorizer = TwoTone()
    colorized([replace(frame, pts=n) for n, frame in enumerate(frames)], colorizer, rate_hz=0.0)
    assert len(colorizer.seen) == 40


def test_nothing_crosses_a_cut():
    frames = [make_frame(scenery((128, 96)), pts=n) for n in range(20)]

    class OneAfterAnother(TwoTone):
        def estimate(self, gray, vividness):
            self.dark = self.light = (50, 0) if len(self.seen) < 3 else (-50, 0)
            return super().estimate(gray, vividness)

    done = colorized(frames, OneAfterAnother(), cuts=(10,), rate_hz=8.0)
    reds = [float(frame.chroma[1].mean()) for frame in done]
    assert min(reds[:10]) > 140
    assert max(reds[10:]) < 118


def test_saturation_and_warmth():
    frame = make_frame(np.full((96, 128), 126))
    assert all((plane == 128).all() for plane in colorized([frame], TwoTone((40, 20)), saturation=0.0)[0].chroma)
    cb, cr = colorized([make_frame(np.full((96, 128), 126))], TwoTone(), warmth=1.0)[0].chroma
    assert cb.mean() < 122
    assert cr.mean() > 131


def test_without_look_ahead_no_frame_waits():
    effect = Colorize(ColorizeOptions(stabilization=StabilizerOptions(look_ahead=0)), TwoTone())
    for n in range(3):
        assert [f.pts for f in effect.add(make_frame(scenery((128, 96)), pts=n), cut=False)] == [n]


@pytest.mark.parametrize(
    ("size_wh", "small"),
    [((1280, 720), (448, 256)), ((720, 1280), (256, 448)), ((64, 64), (256, 256)), ((1600, 100), (1024, 64))],
)
def test_the_colorizer_sees_a_small_copy(size_wh, small):
    assert colorizer_input_size(*size_wh) == small
    assert colorizer_input(make_frame(scenery(size_wh))).shape == small[::-1]


def test_the_copy_is_full_range():
    gray = colorizer_input(make_frame(np.full((96, 128), 235 * 4), "yuv420p10le"))
    assert (gray == 255).all()


def test_the_map_and_the_gray_copy_may_have_any_size():
    frame = make_frame(scenery((128, 96)))
    write_chroma(frame, np.full((64, 96), 100, np.uint8), np.full((5, 7, 2), 30, np.float32))
    assert frame.chroma[1].mean() > 130


@pytest.mark.parametrize("wrong", [{"vividness": 1.2}, {"saturation": -0.1}, {"warmth": 2}, {"rate_hz": float("nan")}])
def test_options_are_checked(wrong):
    with pytest.raises(ConfigurationError, match="must be a number between"):
        ColorizeOptions(**wrong)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_colorizer_sees_the_frame_upright(rotation):
    """Stored turned, as a phone stores it: the colour of the top, as shown, lands where the top is stored."""

    class SkyAbove:
        def estimate(self, gray, vividness):
            self.shape = gray.shape
            ab = np.zeros((gray.shape[0] // 4, gray.shape[1] // 4, 2), np.float32)
            ab[: len(ab) // 2] = (0, -60)
            return ChromaEstimate(ab=ab, confidence=np.ones(ab.shape[:2], np.float32))

    colorizer = SkyAbove()
    frame = replace(make_frame(np.full((96, 128), 120)), rotation=rotation)
    (done,) = colorized([frame], colorizer)
    blue = np.rot90(done.chroma[0].astype(int) - 128, -rotation // 90)  # as a player shows it
    assert colorizer.shape[0] < colorizer.shape[1] if rotation % 180 == 0 else colorizer.shape[0] > colorizer.shape[1]
    assert blue[: len(blue) // 4].mean() > 20
    assert abs(blue[-len(blue) // 4 :].mean()) < 3
