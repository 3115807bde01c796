"""The segmenter's input, stabilized masks, and masks on planes.

The segmenters here are plain arithmetic, so that their masks are known; MediaPipe's is tested with its adapter.
"""

from fractions import Fraction

import numpy as np
import pytest

from emocolor.color import LUMA_WEIGHTS, code_range
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.person_regions import FADE_SECONDS, MASK_SIDE, PersonMasks, plane_mask, square_rgb

FULL, LIMITED = ColorSpec(full_range=True), ColorSpec()


def frame_of(rgb, format_name="yuv444p", color=FULL, *, pts=0, fps=25, rotation=0):
    """A frame from R'G'B' (H, W, 3) in [0, 1]; chroma is sampled, not averaged."""
    form = PIXEL_FORMATS[format_name]
    kind, last = (np.uint8 if form.bits == 8 else np.uint16), (1 << form.bits) - 1
    (red, blue), (black, span, middle, chroma_span) = LUMA_WEIGHTS[color.matrix], code_range(color, form.bits)
    level = rgb @ [red, 1 - red - blue, blue]
    cb, cr = ((rgb[..., n] - level) / (2 * (1 - weight)) for n, weight in ((2, blue), (0, red)))
    codes = (black + span * level, middle + chroma_span * cb, middle + chroma_span * cr)
    y, cb, cr = (np.rint(plane).clip(0, last).astype(kind) for plane in codes)
    step_x, step_y = form.subsampling
    cb, cr = cb[::step_y, ::step_x], cr[::step_y, ::step_x]
    planes = {"planar": (y, cb, cr), "interleaved": (y, np.stack([cb, cr], axis=-1)), "none": (y,)}[form.chroma]
    return Frame(planes=planes, format=form, color=color, pts=pts, time_base=Fraction(1, fps), rotation=rotation)


def gray_frame(luma, **place):
    """A gray frame in full range from luma (H, W) uint8."""
    place = {"pts": 0, "time_base": Fraction(1, 25), **place}
    return Frame(planes=(luma,), format=PIXEL_FORMATS["gray"], color=FULL, **place)


def checker(size=256, cell=64):
    """Four colours in fields, (size, size, 3) in [0, 1]."""
    colors = np.array([[[0.9, 0.1, 0.1], [0.1, 0.8, 0.2]], [[0.2, 0.3, 0.9], [0.7, 0.7, 0.7]]])
    fields = (np.arange(size) // cell) % 2
    return colors[fields[:, None], fields[None, :]]


class Bright:
    """Takes red for a person; the redder, the more confidently."""

    def segment(self, rgb):
        return rgb[..., 0].astype(np.float32) / 255

    def close(self):
        pass


class InTurn:
    """Yields masks of one value each, in turn, for any frame; repeats the last."""

    def __init__(self, *values):
        self._values = list(values)

    def segment(self, rgb):
        value = self._values.pop(0) if len(self._values) > 1 else self._values[0]
        return np.full(rgb.shape[:2], value, np.float32)

    def close(self):
        pass


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("format_name", ["yuv420p", "nv12", "yuv422p", "yuv444p10le", "yuv420p16le", "yuv411p"])
def test_the_input_has_the_frames_own_colours(format_name, full_range, matrix):
    rgb = checker()
    seen = square_rgb(frame_of(rgb, format_name, ColorSpec(matrix=matrix, full_range=full_range)))
    middles = np.s_[32::64, 32::64]  # of the fields, away from edges that chroma does not share
    assert seen.shape == (MASK_SIDE, MASK_SIDE, 3)
    assert seen.dtype == np.uint8
    assert np.abs(seen[middles] - rgb[middles] * 255).max() <= 2.5


@pytest.mark.parametrize("format_name", ["gray", "gray10le", "gray12le"])
def test_gray_formats_give_a_gray_input(format_name):
    bits = PIXEL_FORMATS[format_name].bits
    black, span, _, _ = code_range(LIMITED, bits)
    luma = np.full((90, 160), round(black + 0.4 * span), np.uint8 if bits == 8 else np.uint16)
    seen = square_rgb(
        Frame(planes=(luma,), format=PIXEL_FORMATS[format_name], color=LIMITED, pts=0, time_base=Fraction(1, 25))
    )
    assert np.abs(seen.astype(int) - 102).max() <= 1


@pytest.mark.parametrize("size_wh", [(1, 1), (2, 300), (323, 181), (255, 257), (511, 1023), (1920, 1080), (176, 144)])
def test_frames_of_every_size_are_shown_whole_and_undistorted(size_wh):
    """A red field from a third to two thirds of either side stays there."""
    width, height = size_wh
    rgb = np.zeros((height, width, 3))
    across, down = ((np.arange(n) + 0.5) / n for n in size_wh)
    inside = (np.abs(down - 0.5) < 1 / 6)[:, None] & (np.abs(across - 0.5) < 1 / 6)
    rgb[inside, 0] = 1
    seen = square_rgb(frame_of(rgb))[..., 0] / 255
    assert seen.shape == (MASK_SIDE, MASK_SIDE)
    if min(size_wh) > 100:
        assert seen.mean() == pytest.approx(1 / 9, abs=0.006)
        rows, columns = np.nonzero(seen > 0.5)
        for found in (rows, columns):
            assert (found.min(), found.max() + 1) == pytest.approx((MASK_SIDE / 3, MASK_SIDE * 2 / 3), abs=2)


def test_the_frame_is_only_read():
    frame = frame_of(checker(), "nv12")
    before = frame.copy()
    PersonMasks(Bright()).next(frame, cut=False)
    assert all(np.array_equal(plane, was) for plane, was in zip(frame.planes, before.planes, strict=True))


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (180, 2), (270, 3)])
def test_a_turned_frame_is_shown_upright_and_its_mask_is_as_it_is_stored(rotation, turns):
    """``turns`` quarters to the left store a frame that a player turns back to the right."""
    shown = []

    class Watcher(Bright):
        def segment(self, rgb):
            shown.append(rgb)
            return super().segment(rgb)

    upright = np.zeros((120, 200, 3))
    upright[:40, :50] = (1, 0.2, 0)  # a red corner at the top left
    stored = np.ascontiguousarray(np.rot90(upright, turns))
    mask = PersonMasks(Watcher()).next(frame_of(stored, rotation=rotation), cut=False)
    assert np.abs(shown[0].astype(int) - square_rgb(frame_of(upright))).max() <= 3  # a code or so, by rounding
    assert np.abs(plane_mask(mask, stored.shape[:2]) - stored[..., 0]).mean() < 0.01


def test_the_first_mask_is_the_segmenters_own():
    frame = frame_of(checker())
    assert np.array_equal(PersonMasks(Bright()).next(frame, cut=False), Bright().segment(square_rgb(frame)))


@pytest.mark.parametrize("pts", [1, 3, 250])
def test_in_a_still_frame_the_past_fades_with_media_time(pts):
    frame = gray_frame(np.full((90, 160), 100, np.uint8))
    masks = PersonMasks(InTurn(1.0, 0.0))
    masks.next(frame, cut=False)
    later = masks.next(gray_frame(frame.luma, pts=pts), cut=False)
    assert later == pytest.approx(np.exp(-pts / 25 / FADE_SECONDS), abs=1e-6)


def test_a_wavering_edge_is_stabilized():
    still = np.random.default_rng(0).integers(0, 256, (90, 160), np.uint8)
    masks = PersonMasks(InTurn(*[0.3, 0.7] * 30))
    found = [masks.next(gray_frame(still, pts=n), cut=False)[0, 0] for n in range(60)]
    assert np.ptp(found[30:]) < 0.25 * 0.4
    assert np.mean(found[30:]) == pytest.approx(0.5, abs=0.02)


def test_twice_as_many_frames_make_no_difference():
    """A frame that brightens evenly while a person is gone from one moment to the next."""

    def mask_after_a_second(fps):
        masks = PersonMasks(InTurn(1.0, 0.0))
        for n in range(fps // 5 + 1):
            level = round(50 + 5 * n * 25 / fps)
            mask = masks.next(gray_frame(np.full((32, 32), level, np.uint8), pts=n, time_base=Fraction(1, fps)), cut=0)
        return float(mask.mean())

    assert mask_after_a_second(25) == pytest.approx(mask_after_a_second(125), rel=0.02)
    assert 0 < mask_after_a_second(25) < 0.5 * np.exp(-0.2 / FADE_SECONDS)  # the change of light counts too


def test_the_mask_keeps_up_with_motion():
    """A red square crosses the frame in a second and a half; two frames behind it, nothing of it is left."""
    masks = PersonMasks(Bright())
    for n in range(38):
        rgb = np.full((180, 320, 3), 0.3)
        rgb[..., 0] = 0
        left = n * 6
        rgb[60:120, left : left + 60, 0] = 1
        mask = plane_mask(masks.next(frame_of(rgb, pts=n), cut=False), (180, 320))
        wanted = rgb[..., 0]
        assert np.abs(mask - wanted).mean() < 0.01
        assert mask[60:120, : max(0, left - 12)].max(initial=0) < 0.1


def test_nothing_crosses_a_cut():
    frame = gray_frame(np.full((90, 160), 100, np.uint8))
    masks = PersonMasks(InTurn(1.0, 0.25))
    masks.next(frame, cut=False)
    assert np.all(masks.next(gray_frame(frame.luma, pts=1), cut=True) == 0.25)


def test_neither_the_segmenters_masks_nor_returned_ones_are_modified():
    own = (np.ones((MASK_SIDE, MASK_SIDE), np.float32), np.zeros((MASK_SIDE, MASK_SIDE), np.float32))

    class Reuse(Bright):
        """Returns the same two arrays again and again."""

        calls = 0

        def segment(self, rgb):
            self.calls += 1
            return own[self.calls % 2]

    masks = PersonMasks(Reuse())
    given = [masks.next(gray_frame(np.full((90, 160), 100, np.uint8), pts=n), cut=False) for n in range(4)]
    before = [mask.copy() for mask in given]
    given += [masks.next(gray_frame(np.full((90, 160), 100, np.uint8), pts=n), cut=False) for n in range(4, 8)]
    assert all(map(np.array_equal, given[:4], before))
    assert np.all(own[0] == 1)
    assert np.all(own[1] == 0)


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (17, 33), (181, 323), (1080, 1920)])
def test_a_mask_fills_any_plane(shape):
    ramp = np.tile(np.linspace(0, 1, MASK_SIDE, dtype=np.float32), (MASK_SIDE, 1))
    fine = plane_mask(ramp, shape)
    assert fine.shape == shape
    assert fine.dtype == np.float32
    assert 0 <= fine.min() <= fine.max() <= 1
    centers = (np.arange(shape[1]) + 0.5) / shape[1]
    assert np.abs(fine - np.clip((centers * MASK_SIDE - 0.5) / (MASK_SIDE - 1), 0, 1)).max() < 1e-3


def test_planes_of_a_frame_get_the_same_region():
    person = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    luma, chroma = plane_mask(person, (360, 640)), plane_mask(person, (180, 320))
    assert np.abs(luma.reshape(180, 2, 320, 2).mean(axis=(1, 3)) - chroma).max() < 0.02
