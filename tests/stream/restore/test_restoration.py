"""Restoring real clips, as the decoder gives them."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emocolor.cuts import CutDetector
from emocolor.errors import ConfigurationError
from emocolor.frames import PIXEL_FORMATS, Frame
from stream.media.frames import planes_of, writable
from stream.media.source import MediaUnit, SourceOptions, VideoSource
from stream.pipeline.analysis import mark_cuts
from stream.restore.restoration import restore
from stream.restore.restoration_options import RestorationOptions

Luma = NDArray[Any]
FilmMaker = Callable[..., Path]
SIZE_WH = (160, 96)
TOP, BOTTOM = 2, 3
ALL = RestorationOptions(deinterlace="auto", denoise=0.5, deflicker=True)


def pan(count: int, speed: int = 3, size_wh: tuple[int, int] = SIZE_WH, seed: int = 0) -> list[Luma]:
    """Luma (H, W) uint8 of a camera moving over something with coarse and fine detail."""
    width, height = size_wh
    shape = (height, width + speed * count)
    noise = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    scene: Any = sum(scale * cv2.GaussianBlur(noise, (0, 0), scale) for scale in (1.5, 4, 12))
    scene = np.clip(120 + 40 * scene / scene.std(), 0, 255).astype(np.uint8)
    return [scene[:, n * speed : n * speed + width].copy() for n in range(count)]


def woven(frames: Sequence[Luma], first: int = TOP) -> list[Luma]:
    """Every two frames as the fields of one."""
    made = []
    for early, late in zip(frames[::2], frames[1::2], strict=True):
        frame = (late if first == TOP else early).copy()
        frame[::2] = (early if first == TOP else late)[::2]
        made.append(frame)
    return made


def pulled_down(frames: Sequence[Luma]) -> list[Luma]:
    """Film of 24 frames a second as 30 interlaced frames: two fields of one frame, three of the next."""
    return woven([frame for n, frame in enumerate(frames) for _ in range(2 + n % 2)])


def combs(luma: Luma, bits: int = 8) -> float:
    """Part of the points that stick out from both lines beside them."""
    lines = luma.astype(np.int64) >> (bits - 8)
    return float(((lines[:-2] - lines[1:-1]) * (lines[2:] - lines[1:-1]) > 100).mean())


def psnr(one: Luma, other: Luma) -> float:
    inner = np.s_[4:-4, 4:-4]
    error = float(np.mean((one[inner].astype(np.float64) - other[inner]) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))


@pytest.fixture
def make_film(tmp_path: Path) -> FilmMaker:
    """Stores lumas without loss, flagged as fields or not; deeper formats get random low bits."""

    def make(
        lumas: Sequence[Luma],
        *,
        pix_fmt: str = "yuv420p",
        fields: int = 0,
        full_range: bool = False,
        name: str = "film",
    ) -> Path:
        path = tmp_path / f"{name}.mkv"
        bits, shape = PIXEL_FORMATS[pix_fmt].bits, lumas[0].shape
        low = np.random.default_rng(0).integers(0, 1 << (bits - 8), shape, np.uint16)
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("libx264" if fields else "ffv1", rate=25)
            context = stream.codec_context
            context.width, context.height, context.pix_fmt = shape[1], shape[0], pix_fmt
            context.color_range = 2 if full_range else 1
            if fields:
                context.options = {"qp": "0", "preset": "ultrafast"}
                context.field_order, context.flags = fields, context.flags | 0x40000 | 0x20000000
            for number, luma in enumerate(lumas):
                frame = av.VideoFrame(shape[1], shape[0], pix_fmt)
                frame.color_range = 2 if full_range else 1
                codes = luma if bits == 8 else (luma.astype(np.uint16) << (bits - 8)) + low
                for plane, values in zip(
                    planes_of(frame, PIXEL_FORMATS[pix_fmt]), (codes, 1 << (bits - 1), 1 << (bits - 1)), strict=False
                ):
                    plane[:] = values
                frame.pts = number
                container.mux(stream.encode(flagged(frame, fields) if fields else frame))
            container.mux(stream.encode(None))
        return path

    return make


def flagged(frame: av.VideoFrame, fields: int) -> av.VideoFrame:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    setter = graph.add("setfield", "tff" if fields == TOP else "bff")
    graph.link_nodes(source, setter, graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def units_of(path: Path, **options: Any) -> list[MediaUnit]:
    source = VideoSource(str(path), SourceOptions(**options))
    units = list(mark_cuts(source.units(), CutDetector()))
    source.close()
    return units


def frames_of(units: Iterable[MediaUnit]) -> list[Frame]:
    return [unit.frame for unit in units if unit.frame is not None]


def lumas_of(units: Iterable[MediaUnit]) -> list[Luma]:
    return [frame.luma.copy() for frame in frames_of(units)]


def restored(path: Path, options: RestorationOptions | None = None) -> list[Luma]:
    return lumas_of(restore(units_of(path), options or RestorationOptions(deinterlace="auto")))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"deinterlace": "yes"}, "auto, on, off"),
        ({"denoise": -0.1}, "between 0 and 1"),
        ({"denoise": 1.5}, "1.5"),
        ({"denoise": float("nan")}, "nan"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        RestorationOptions(**options)


@pytest.mark.parametrize("fields", [0, TOP])
def test_progressive_film_passes_untouched_whatever_its_flags(make_film: FilmMaker, fields: int) -> None:
    path = make_film(pan(30), fields=fields)
    units = units_of(path)
    assert frames_of(units)[0].handle.interlaced_frame == bool(fields)
    made = list(restore(units, RestorationOptions(deinterlace="auto")))
    assert all(one is other for one, other in zip(made, units, strict=True))
    with av.open(str(path)) as container:
        decoded = [planes_of(frame, PIXEL_FORMATS["yuv420p"])[0] for frame in container.decode(video=0)]
    assert all(np.array_equal(one, other) for one, other in zip(lumas_of(made), decoded, strict=True))


def test_without_options_nothing_is_changed(make_film: FilmMaker) -> None:
    units = units_of(make_film(woven(pan(20))))
    made = list(restore(units, RestorationOptions(deinterlace="off")))
    assert all(one is other for one, other in zip(made, units, strict=True))


@pytest.mark.parametrize("first", [TOP, BOTTOM])
@pytest.mark.parametrize("flags", ["right", "wrong", "none"])
def test_interlaced_film_loses_its_combs(make_film: FilmMaker, first: int, flags: str) -> None:
    moments = pan(50)
    fields = {"right": first, "wrong": TOP + BOTTOM - first, "none": 0}[flags]
    path = make_film(woven(moments, first), fields=fields)
    before, after = lumas_of(units_of(path)), restored(path)
    assert np.mean([combs(luma) for luma in before]) > 0.1
    assert max(combs(luma) for luma in after) < 0.02
    # Each frame shows the moment of its first field.
    assert all(psnr(luma, moments[2 * n]) > 33 for n, luma in enumerate(after))


def test_deinterlacing_may_be_asked_for(make_film: FilmMaker) -> None:
    """Three frames are too few to tell."""
    path = make_film(woven(pan(6)), fields=TOP)
    assert combs(restored(path)[1]) > 0.1 > 10 * combs(restored(path, RestorationOptions(deinterlace="on"))[1])


def test_film_that_was_pulled_down_comes_back_exactly(make_film: FilmMaker) -> None:
    film = pan(40)
    after = restored(make_film(pulled_down(film)))
    assert len(after) == 50
    originals = {frame.tobytes() for frame in film}
    assert all(luma.tobytes() in originals for luma in after)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "yuv420p", "yuv422p10le", "yuv444p16le", "yuv440p", "yuv411p"])
def test_every_form_is_deinterlaced_in_its_own_codes(make_film: FilmMaker, pix_fmt: str, full_range: bool) -> None:
    moments, bits = pan(40), PIXEL_FORMATS[pix_fmt].bits
    path = make_film(woven(moments), pix_fmt=pix_fmt, full_range=full_range)
    given, made = frames_of(units_of(path)), frames_of(restore(units_of(path), RestorationOptions(deinterlace="auto")))
    assert [(f.format, f.color, f.size_wh) for f in made] == [(f.format, f.color, f.size_wh) for f in given]
    assert all(combs(frame.luma, bits) < 0.02 for frame in made)
    assert all(psnr(frame.luma / (1 << (bits - 8)), moments[2 * n]) > 33 for n, frame in enumerate(made))
    assert all(np.array_equal(new.luma[::2], old.luma[::2]) for new, old in zip(made, given, strict=True))
    assert all((plane == 1 << (bits - 1)).all() for frame in made for plane in frame.planes[1:])


def test_interleaved_chroma_is_kept(make_film: FilmMaker) -> None:
    units = units_of(make_film(pulled_down(pan(24))))
    semi = [
        replace(unit, frame=replace(f, format=PIXEL_FORMATS["nv12"], planes=(f.luma, np.stack(f.planes[1:], -1))))
        for unit in units
        if (f := unit.frame) is not None
    ]
    made = frames_of(restore(semi, RestorationOptions(deinterlace="auto")))
    plain = frames_of(restore(units, RestorationOptions(deinterlace="auto")))
    assert made[0].format.name == "nv12"
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(made, plain, strict=True))
    assert all((frame.planes[1] == 128).all() for frame in made)


@pytest.mark.parametrize("options", [ALL, RestorationOptions(deinterlace="on"), RestorationOptions(denoise=1)])
def test_times_packets_and_their_order_stay(make_clip: Any, options: RestorationOptions) -> None:
    path = make_clip(
        times=[0, 512, 1024, 1100, 2048, 5000, 5512, 9000, 9512, 20000],
        turn=-90,
        sample_aspect_ratio=Fraction(4, 3),
        audio=[{"codec": "aac", "parts": 60}],
        subtitles=[{"codec": "mov_text", "lines": [(0, 500, "one")], "metadata": {}}],
    )
    given = [each for unit in units_of(path) for each in (unit, MediaUnit(frame=None))]
    told = [(unit.packets, unit.frame and replace(unit.frame, planes=(), handle=None)) for unit in given]
    made = list(restore(given, options))
    assert [(unit.packets, unit.frame and replace(unit.frame, planes=(), handle=None)) for unit in made] == told


def test_shots_do_not_touch(make_film: FilmMaker) -> None:
    """The whole film restored is its shots restored, one by one."""
    random = np.random.default_rng(1)

    def worn(shot: Sequence[Luma], light: float) -> list[Luma]:
        """The shot in a light of its own, with flicker and grain."""
        lit = (luma * light * random.normal(1, 0.05) + random.normal(0, 3, luma.shape) for luma in shot)
        return [np.clip(luma, 0, 255).astype(np.uint8) for luma in lit]

    shots = [worn(pan(14, 1, seed=1), 0.6), worn(woven(pan(30, 1, seed=2)), 1.2), worn(pan(12, 1, seed=3), 0.7)]
    whole = restored(make_film([luma for shot in shots for luma in shot]), ALL)
    apart = [luma for n, shot in enumerate(shots) for luma in restored(make_film(shot, name=str(n)), ALL)]
    assert all(np.array_equal(one, other) for one, other in zip(whole, apart, strict=True))


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_flicker_and_grain_go(make_film: FilmMaker, pix_fmt: str) -> None:
    random, moving = np.random.default_rng(2), pan(40, speed=1)
    shot = [np.clip((p - 16.0) * random.normal(1, 0.06) + 16 + random.normal(0, 4, p.shape), 0, 255) for p in moving]
    path = make_film([luma.astype(np.uint8) for luma in shot], pix_fmt=pix_fmt)
    before, after = lumas_of(units_of(path)), restored(path, ALL)
    assert np.var([luma.mean() for luma in after]) < np.var([luma.mean() for luma in before]) / 3
    grainy = [np.clip(moving[0] + random.normal(0, 4, luma.shape), 0, 255).astype(np.uint8) for luma in moving[:12]]
    still = make_film(grainy, pix_fmt=pix_fmt, name="still")
    grain = [float(np.std(lumas, axis=0).mean()) for lumas in (lumas_of(units_of(still)), restored(still, ALL))]
    assert grain[1] < grain[0] / 1.8


def test_what_becomes_of_a_frame_later_does_not_reach_others(make_film: FilmMaker) -> None:
    """Effects may write to frames as they come out, while the filters still read their neighbours."""
    random = np.random.default_rng(4)
    path = make_film([np.clip(p + random.normal(0, 4, p.shape), 0, 255).astype(np.uint8) for p in pan(20)])

    def rendered() -> Iterator[Luma]:
        for unit in restore(units_of(path), ALL):
            assert unit.frame is not None
            frame = writable(unit.frame)
            yield frame.luma.copy()
            frame.luma[:] = 0

    assert all(np.array_equal(one, other) for one, other in zip(rendered(), restored(path, ALL), strict=True))


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "gray10le", "yuv440p"])
def test_planes_lie_in_the_frame_that_goes_with_them(make_film: FilmMaker, pix_fmt: str) -> None:
    """Else later stages would write to chroma that the decoder still refers to."""
    path = make_film(woven(pan(30)), pix_fmt=pix_fmt)
    for frame in frames_of(restore(units_of(path), ALL)):
        own = planes_of(frame.handle, frame.format)
        assert all(np.shares_memory(plane, mine) for plane, mine in zip(frame.planes, own, strict=True))


def test_another_size_or_form_under_way(make_film: FilmMaker) -> None:
    parts = [
        units_of(make_film(woven(pan(24)), name="a")),
        units_of(make_film(woven(pan(24, size_wh=(64, 48))), name="b")),
        units_of(make_film(pan(12, size_wh=(64, 48)), pix_fmt="yuv422p10le", name="c")),
    ]
    given = [unit for part in parts for unit in part]
    made = list(restore(given, ALL))
    assert [f.size_wh for f in frames_of(made)] == [f.size_wh for f in frames_of(given)]
    assert [f.format for f in frames_of(made)] == [f.format for f in frames_of(given)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 25])
@pytest.mark.parametrize("deinterlace", ["auto", "on"])
def test_a_stop_midway_loses_nothing(make_film: FilmMaker, count: int, deinterlace: Any) -> None:
    source = VideoSource(str(make_film(woven(pan(100)))))
    taken = []

    def until_stopped() -> Iterator[MediaUnit]:
        for unit in source.units():
            taken.append(unit)
            if len(frames_of(taken)) == count:
                source.stop()
            yield unit

    made = list(restore(until_stopped(), replace(ALL, deinterlace=deinterlace)))
    source.close()
    assert [frame.pts for frame in frames_of(made)] == [frame.pts for frame in frames_of(taken)]
    assert count <= len(made) < 50


def test_few_frames_are_held(make_film: FilmMaker) -> None:
    units, taken = units_of(make_film(pan(80))), 0

    def counted() -> Iterator[MediaUnit]:
        nonlocal taken
        for unit in units:
            taken += 1
            yield unit

    held = [taken - given for given, _ in enumerate(restore(counted(), ALL), start=1)]
    assert max(held) <= 22, "0.4 s of look-ahead, 0.3 s, and two frames"


@pytest.mark.parametrize("size_wh", [(2, 2), (8, 4), (16, 8), (33, 17), (640, 8)])
@pytest.mark.parametrize("deinterlace", ["auto", "on"])
def test_any_size(make_film: FilmMaker, size_wh: tuple[int, int], deinterlace: Any) -> None:
    lumas = woven(pan(24, size_wh=size_wh))
    assert len(restored(make_film(lumas), replace(ALL, deinterlace=deinterlace))) == 12


@pytest.mark.parametrize("value", [0, 16, 255])
def test_a_film_of_one_colour_stays(make_film: FilmMaker, value: int) -> None:
    lumas = [np.full((48, 64), value, np.uint8)] * 6
    assert all((luma == value).all() for luma in restored(make_film(lumas), replace(ALL, deinterlace="on")))


def test_real_footage(shared_clips: Path) -> None:
    old = sorted(shared_clips.glob("bw_*.mp4"))
    assert old
    for path in [*old, shared_clips / "odd_fullrange_yuvj.mp4"]:
        units = list(itertools.islice(units_of(path, end_seconds=3), 80))
        assert all(
            a is b for a, b in zip(units, restore(units, RestorationOptions(deinterlace="auto")), strict=True)
        ), path.name
    interlaced = shared_clips / "made_interlaced_576i.mp4"
    before, after = lumas_of(units_of(interlaced)), restored(interlaced)
    assert np.mean([combs(luma) for luma in after]) < np.mean([combs(luma) for luma in before]) / 5
