"""Whatever is done to frames, a film in pieces has the frames of one run, however it is divided."""

from fractions import Fraction
from itertools import cycle, islice

import av
import numpy as np
import pytest

from emocolor.effects import EFFECTS
from stream.archive.executors import InProcess
from stream.archive.film import FilmJob, join, missing, plan
from stream.archive.memory import is_exact
from stream.archive.planning import PieceLengths
from stream.demo.clip import demo_frames, make_demo_clip
from stream.job import Job
from stream.settings import job_settings
from tests.stream.archive.films import frames_of

STAGES = {
    "tint": {"effect": "tint"},
    "tint of faces": {"effect": "tint", "tint": {"region": "face"}},
    "tint of people": {"effect": "tint", "tint": {"region": "person"}},
    "tint of the background": {"effect": "tint", "tint": {"region": "background"}},
    "grade": {"effect": "grade"},
    "style": {"effect": "style"},
    "colormap": {"effect": "colormap"},
    "colorize": {"effect": "colorize", "colorize": {"force": True}},
    "chain": {"effect": "colorize,grade,tint", "colorize": {"force": True}},
    "split screen": {"effect": "tint", "compare": True},
    "deflicker": {"effect": "none", "restoration": {"deflicker": True}},
    "grain": {"effect": "none", "restoration": {"denoise": 0.5}},
    "both, and tint": {"effect": "tint", "restoration": {"deflicker": True, "denoise": 0.5}},
    "deinterlace": {"effect": "tint", "restoration": {"deinterlace": "on", "deflicker": True}},
}
QUICK = ("tint of people", "colormap", "chain", "split screen", "both, and tint")
"""One of each kind."""
REFUSED = {"overlay"}


@pytest.fixture(scope="module")
def short_film(tmp_path_factory):
    """A second with a face, a cut, and a longer shot before it."""
    path = tmp_path_factory.mktemp("films") / "short.mp4"
    make_demo_clip(path, seconds=1.0, size_wh=(240, 136))
    return path


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    """A shot of 23 seconds, longer than all that stages remember, and one of seven, at the rate of slow film."""
    path = tmp_path_factory.mktemp("films") / "long.mp4"
    make_demo_clip(path, seconds=30.0, size_wh=(240, 136), fps=16)
    return path


def whole_film(film, folder, values):
    with Job(job_settings(values, input=str(film), output=str(folder / "whole.mkv"))) as job:
        for _ in job:
            pass
    return folder / "whole.mkv"


def in_pieces(film, folder, values, lengths):
    job = FilmJob(input=film, output=folder / f"joined-{lengths.most}.mkv".replace("/", "-"), values=values)
    manifest = plan(job, lengths=lengths)
    list(InProcess().finished(job, [piece.index for piece in missing(manifest, job)]))
    join(manifest, job)
    return job.output, {piece.start for piece in manifest.pieces}


def check_division(film, folder, values, *seconds):
    """The film in pieces of each length is that of one run."""
    values = {**values, "output": {"codec": "ffv1"}}
    expected = frames_of(whole_film(film, folder, values))
    for most in seconds:
        joined, starts = in_pieces(film, folder, values, PieceLengths(least=Fraction(0), most=most))
        assert len(starts) > 1
        found = frames_of(joined)
        different = [time for (time, data), (_, other) in zip(found, expected, strict=True) if data != other]
        assert [float(time) for time in different] == [], f"pieces of {most} s"


def test_every_effect_is_here():
    effects = {name for values in STAGES.values() for name in values["effect"].split(",")}
    assert effects - {"none"} | REFUSED == set(EFFECTS)


def is_exact_in(values):
    return is_exact(job_settings(values, input="film.mp4"))


@pytest.mark.parametrize("name", QUICK)
def test_a_short_film_in_pieces(short_film, tmp_path, name):
    # What depends on the start of the shot is compared at the cut alone.
    check_division(short_film, tmp_path, STAGES[name], Fraction(2, 5) if is_exact_in(STAGES[name]) else Fraction(5))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, values in STAGES.items() if is_exact_in(values)])
def test_a_long_film_in_pieces_of_many_lengths(long_film, tmp_path, name):
    check_division(long_film, tmp_path, STAGES[name], *(Fraction(seconds) for seconds in (3, 8)))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, values in STAGES.items() if not is_exact_in(values)])
def test_a_long_film_in_a_piece_for_each_shot(long_film, tmp_path, name):
    check_division(long_film, tmp_path, STAGES[name], Fraction(60))


@pytest.mark.slow
def test_learned_colours_within_a_shot_differ_by_little(long_film, tmp_path):
    values = {**STAGES["colorize"], "output": {"codec": "ffv1"}}
    joined, starts = in_pieces(long_film, tmp_path, values, PieceLengths(least=Fraction(0), most=Fraction(15)))
    assert "joint" in starts
    whole = whole_film(long_film, tmp_path, values)
    pairs = zip(planes_of(joined), planes_of(whole), strict=True)
    differences = [np.abs(one.astype(int) - other) for one, other in pairs]
    assert max(each[:136].max() for each in differences) == 0  # luma
    assert 0 < max(each[136:].max() for each in differences) <= 3  # once it is 0, such shots can be divided as others


def planes_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def fields_of(frames, pattern):
    """Interlaced frames: the top and the bottom field of each show two frames of ``frames``, counted by ``pattern``."""
    frames = list(frames)
    for top, bottom in pattern:
        if max(top, bottom) >= len(frames):
            return
        woven = frames[top].copy()
        woven[1::2] = frames[bottom][1::2]
        yield woven


def interlaced(count):
    """50 fields per second."""
    return [(2 * number, 2 * number + 1) for number in range(count)]


def pulled_down(count):
    """Four frames of film in five of video."""
    cadence = cycle(((0, 0), (1, 1), (1, 2), (2, 3), (3, 3)))
    return [
        (4 * (number // 5) + top, 4 * (number // 5) + bottom)
        for number, (top, bottom) in enumerate(islice(cadence, count))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [interlaced, pulled_down])
@pytest.mark.parametrize("choice", ["auto", "on"])
def test_interlaced_film_in_a_piece_for_each_shot(tmp_path, pattern, choice):
    film = tmp_path / "film.mkv"
    images = list(demo_frames(seconds=5.0, size_wh=(240, 136)))
    pan = [np.roll(image, 3 * number, axis=1) for number, image in enumerate([*images, *(i[::-1] for i in images)])]
    with av.open(str(film), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 240, 136, "yuv420p"
        for image in fields_of(pan, pattern(400)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24").reformat(format="yuv420p")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    check_division(film, tmp_path, {"effect": "none", "restoration": {"deinterlace": choice}}, Fraction(60))
