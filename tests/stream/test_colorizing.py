"""Whole jobs that give colours, with the net that ships: luma, what is in colour already, and bad input."""

import asyncio
from dataclasses import replace
from itertools import islice, pairwise

import av
import cv2
import numpy as np
import pytest

from emocolor.chroma.reference import ReferenceOptions
from emocolor.effects import ColorizeOptions, ColormapOptions, GradeOptions
from emocolor.effects.tint import S0_TINT
from emocolor.errors import ConfigurationError, SourceError
from stream.demo.clip import demo_frames
from stream.job import Job
from stream.media.source import VideoSource
from stream.restore.reference_photo import read_reference
from stream.settings import AnalysisOptions, JobSettings

SEPIA = np.array([1.08, 0.98, 0.78])


def write(path, frames, pix_fmt="yuv420p", codec="ffv1", full_range=False, **options):
    """A clip of 25 frames a second from RGB frames; ``gray`` formats keep luma alone."""
    with av.open(str(path), "w") as container:
        stream = None
        for number, rgb in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=25, options=options)
                stream.height, stream.width = rgb.shape[:2]
                stream.pix_fmt = pix_fmt
                stream.codec_context.color_range = 2 if full_range else 1
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb, np.uint8), format="rgb24")
            frame = frame.reformat(format=pix_fmt, dst_color_range="JPEG" if full_range else "MPEG")
            frame.color_range = 2 if full_range else 1
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def gray_of(frames, tint=(1.0, 1.0, 1.0)):
    for rgb in frames:
        yield np.clip(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None] * np.asarray(tint), 0, 255).astype(np.uint8)


def shots(count=30, size_wh=(160, 96)):
    """The start of the demo; its sides are even, what is asked for need not be."""
    made = islice(demo_frames(seconds=2, size_wh=(200, 120)), count)
    return [cv2.resize(frame, size_wh, interpolation=cv2.INTER_AREA) for frame in made]


def run(path, *effects, cores=None, **settings):
    """Frames and warnings of a job."""

    async def go():
        found = []
        analysis = AnalysisOptions() if any("faces" in effect.needs for effect in effects) else None
        made = JobSettings(input=str(path), analysis=analysis, effects=effects, **settings)
        async with Job(made, cores=cores) as job:
            async for step in job:
                found.append(([np.array(plane) for plane in step.frame.planes], step.frame))
            return found, job.warnings

    return asyncio.run(go())


def decoded(path):
    source = VideoSource(str(path))
    try:
        return [[np.array(plane) for plane in unit.frame.planes] for unit in source.units() if unit.frame is not None]
    finally:
        source.close()


def chroma_of(planes):
    """Cb and Cr about their middle, as codes of 8 bits."""
    unit = 1 << (8 if planes[0].dtype == np.uint16 and planes[1].max() > 4095 else 0)
    return np.stack([plane.astype(np.float32) / unit - 128 for plane in planes[1:]])


@pytest.mark.parametrize(
    ("pix_fmt", "size_wh", "full_range"),
    [
        ("yuv420p", (160, 96), False),
        ("yuv420p", (160, 96), True),
        ("yuv420p", (163, 97), False),
        ("yuv422p", (160, 96), False),
        ("yuv444p", (161, 95), True),
        ("gray", (160, 96), True),
        ("gray", (163, 97), False),
        ("yuv420p10le", (160, 96), False),
        ("gray10le", (160, 96), True),
    ],
)
def test_the_luma_that_is_encoded_is_the_luma_that_was_decoded(tmp_path, pix_fmt, size_wh, full_range):
    clip = write(tmp_path / "in.mkv", gray_of(shots(12, size_wh)), pix_fmt, full_range=full_range)
    done, warnings = run(clip, ColorizeOptions())
    before = decoded(clip)
    assert len(done) == len(before) == 12
    assert warnings == []
    middle = 1 << (done[0][1].format.bits - 1)
    for (planes, _), was in zip(done, before, strict=True):
        assert np.array_equal(planes[0], was[0])
        assert np.abs(np.stack(planes[1:]).astype(int) - middle).max() > middle // 50  # there is colour


def test_luma_comes_back_from_a_lossless_file(tmp_path):
    from stream.media.sink import SinkOptions

    clip = write(tmp_path / "in.mkv", gray_of(shots(8)))

    async def go():
        settings = JobSettings(
            input=str(clip), output=str(tmp_path / "out.mkv"), analysis=None, effects=(ColorizeOptions(),),
            sink=SinkOptions(codec="ffv1"),
        )  # fmt: skip
        async with await Job.open(settings) as job:
            async for _ in job:
                pass

    asyncio.run(go())
    for was, given in zip(decoded(clip), decoded(tmp_path / "out.mkv"), strict=True):
        assert np.array_equal(was[0], given[0])
        assert not np.array_equal(was[1], given[1])


def test_footage_in_colour_keeps_its_colours_with_a_warning(tmp_path):
    clip = write(tmp_path / "in.mkv", shots(30))
    done, warnings = run(clip, ColorizeOptions())
    assert all(np.array_equal(a, b) for (planes, _), was in zip(done, decoded(clip), strict=True)
               for a, b in zip(planes, was, strict=True))  # fmt: skip
    assert len(warnings) == 1
    assert "option colorize.force" in warnings[0]


def test_force_gives_new_colours(tmp_path):
    clip = write(tmp_path / "in.mkv", shots(10))
    done, warnings = run(clip, ColorizeOptions(force=True))
    assert warnings == []
    assert not np.array_equal(done[0][0][1], decoded(clip)[0][1])


def test_toned_film_counts_as_gray(tmp_path):
    clip = write(tmp_path / "in.mkv", gray_of(shots(20), SEPIA))
    done, warnings = run(clip, ColorizeOptions())
    assert warnings == ["The input is toned black-and-white: its luma is kept, its tone is replaced by new colours."]
    assert not np.array_equal(done[0][0][1], decoded(clip)[0][1])


@pytest.mark.parametrize("in_color", [True, False])
def test_inputs_that_cannot_be_sampled_are_classified_by_their_first_second(tmp_path, in_color):
    frames = shots(40) if in_color else list(gray_of(shots(40)))
    for number, rgb in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{number:03}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    done, warnings = run(tmp_path / "%03d.png", ColorizeOptions())
    assert len(done) == 40
    assert bool(warnings) == in_color
    changed = [not np.array_equal(planes[1], was[1]) for (planes, _), was in
               zip(done, decoded(tmp_path / "%03d.png"), strict=True)]  # fmt: skip
    assert all(changed) if not in_color else not any(changed)


@pytest.mark.parametrize(
    ("level", "size_wh"),
    [(0, (96, 64)), (255, (96, 64)), (130, (96, 64)), (90, (1024, 64)), (90, (64, 1024)), (90, (34, 18))],
)
def test_flat_and_odd_frames_get_colours_that_are_no_faults(tmp_path, level, size_wh):
    """Black and white stay without colour; no frame turns strongly green, whatever its shape."""
    flat = [np.full((size_wh[1], size_wh[0], 3), level, np.uint8)] * 6
    done, _ = run(write(tmp_path / "in.mkv", flat), ColorizeOptions(vividness=1))
    assert len(done) == 6
    for planes, _ in done:
        blue, red = chroma_of(planes)
        assert np.abs(np.stack([blue, red])).max() <= (2 if level in (0, 255) else 60)
        assert not ((blue < -25) & (red < -25)).any()
    for (before, _), (after, _) in pairwise(done):
        assert np.abs(chroma_of(before) - chroma_of(after)).max() <= 2


def test_the_result_does_not_depend_on_how_many_cores_there_are(tmp_path):
    clip = write(tmp_path / "clip.mkv", gray_of(shots(20)))
    results = [[planes for planes, _ in run(clip, ColorizeOptions(rate_hz=0), cores=cores)[0]] for cores in (1, 2, 16)]
    assert len(results[0]) == 20
    for one, *more in zip(*results, strict=True):
        assert all(np.array_equal(a, b) for other in more for a, b in zip(one, other, strict=True))


def test_effects_follow_on_the_colours(tmp_path):
    clip = write(tmp_path / "in.mkv", gray_of(shots(12)))
    alone, _ = run(clip, ColorizeOptions())
    tinted, _ = run(clip, ColorizeOptions(), replace(S0_TINT, alpha=0.2, base="color"))
    graded, _ = run(clip, ColorizeOptions(), GradeOptions())
    assert len(alone) == len(tinted) == len(graded) == 12
    assert not np.array_equal(alone[6][0][0], tinted[6][0][0])
    assert tinted[6][0][1].std() == pytest.approx(0.8 * alone[6][0][1].std(), rel=0.1)


def test_colorize_comes_first():
    with pytest.raises(ConfigurationError, match="comes once and first"):
        JobSettings(input="in.mp4", analysis=None, effects=(ColormapOptions(), ColorizeOptions()))


def test_the_options_move_colours_as_they_say(tmp_path):
    clip = write(tmp_path / "in.mkv", gray_of(shots(6)))
    plain, vivid, strong, warm, gray = (
        chroma_of(run(clip, ColorizeOptions(**options))[0][3][0])
        for options in ({"vividness": 0}, {"vividness": 1}, {"saturation": 2}, {"warmth": 1}, {"saturation": 0})
    )
    normal = chroma_of(run(clip, ColorizeOptions())[0][3][0])
    assert np.abs(plain).mean() < np.abs(vivid).mean()
    assert np.abs(strong).mean() > 1.3 * np.abs(normal).mean()
    assert warm[1].mean() > normal[1].mean() + 3
    assert warm[0].mean() < normal[0].mean() - 3
    assert np.abs(gray).max() <= 1


def test_a_reference_moves_the_palette(tmp_path):
    clip = write(tmp_path / "in.mkv", gray_of(shots(6)))
    random = np.random.default_rng(0)
    blues = np.clip(random.normal([190, 110, 50], 25, (60, 80, 3)), 0, 255).astype(np.uint8)  # BGR
    cv2.imwrite(str(tmp_path / "blue.png"), blues)
    reference = ReferenceOptions(statistics=read_reference(tmp_path / "blue.png"))
    options = ColorizeOptions(vividness=0.5, reference=reference)
    moved, plain = (chroma_of(run(clip, chosen)[0][3][0]) for chosen in (options, ColorizeOptions()))
    assert moved[0].mean() > plain[0].mean() + 5
    with pytest.raises(SourceError):
        read_reference(clip)
