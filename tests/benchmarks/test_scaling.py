"""What counts as growing too fast; and everything that is measured still runs."""

import json
from fractions import Fraction

import numpy as np
import pytest

from emocolor.errors import ConfigurationError, SinkError, SourceError
from tests.benchmarks import scaling
from tests.benchmarks.scaling_costs import Cost, Footage, Rounds, Stopwatch, analysing, back_and_forth, costs, size_of

LINES = (360, 720, 1080, 2160)
LEAST = {"faces": 1, "lines": 180, "passes": 1}
SHORT = Rounds(analyses=2, colorized=4, encoded=4, classified=1)


@pytest.fixture(scope="module")
def footage(demo_clip):
    return Footage(demo_clip)


def pixels(lines):
    width, height = size_of(lines)
    return np.array(width) * height


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.4])
def test_the_exponent_of_lines_is_that_of_pixels(power):
    exponent, steepest = scaling.growth("lines", LINES, [3e-4 * pixels(lines) ** power for lines in LINES])
    assert exponent == pytest.approx(power, abs=1e-6)
    assert steepest == pytest.approx(power, abs=1e-6)


def test_the_exponent_of_faces_is_that_of_what_they_add():
    exponent, _ = scaling.growth("faces", (0, 1, 4, 16), [20 + 0.5 * faces**1.5 for faces in (0, 1, 4, 16)])
    assert exponent == pytest.approx(1.5)


def test_the_steepest_step_is_that_between_neighbours():
    exponent, steepest = scaling.growth("passes", (1, 2, 4, 8), [1, 2, 2, 16])
    assert steepest == pytest.approx(3)
    assert exponent == pytest.approx(1.2)


def row(name, exponent, ours=True):
    return {"name": name, "cause": "lines", "exponent": exponent, "ours": ours}


def test_only_our_own_costs_that_grow_too_fast_are_reported():
    found = [row("slow", 0.4), row("just", 1.1), row("fast", 1.2), row("encode", 1.2, ours=False), row("none", np.nan)]
    assert [line.split()[0] for line in scaling.too_fast(found)] == ["fast", "none"]
    assert next(scaling.too_fast(found)) == "fast grows as pixels to the power of 1.20, more than 1.1."


def test_frames_go_back_and_forth_in_time(footage):
    frames = footage.frames(180)[:3]
    order = list(back_and_forth(frames, 7))
    assert [next(k for k, one in enumerate(frames) if one.luma is frame.luma) for frame in order] == [
        0,
        1,
        2,
        1,
        0,
        1,
        2,
    ]
    assert [frame.time for frame in order] == [float(Fraction(k, 30)) for k in range(7)]


def test_frames_have_the_faces_that_they_should(footage):
    with analysing(footage.with_faces(4), 4, analyses=2) as work:
        assert work(Stopwatch()) > 0
    with (
        pytest.raises(SourceError, match="3 faces are found where 5 are shown"),
        analysing(footage.with_faces(3), 5, analyses=2) as work,
    ):
        work(Stopwatch())


def test_a_clip_without_a_face_is_refused(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "gray.png"), np.full((90, 160, 3), 128, np.uint8))
    with pytest.raises(SourceError, match=r"gray\.png shows no face"):
        Footage(tmp_path / "gray.png")


@pytest.mark.slow
def test_every_cost_is_measured_and_shown(footage, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it draws the plot")
    found = []
    for cost in costs(footage, SHORT):
        least = LEAST[cost.cause]
        sizes = (0, 1, 2) if cost.cause == "faces" else (least, 2 * least)  # two points make a line
        found.append(scaling.measure(cost, sizes, 1))
    assert {one["cause"] for one in found} == set(LEAST)
    assert all(ms > 0 for one in found for ms in (*one["cpu_ms"], *one["wall_ms"]))
    scaling.draw(found, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size < 150_000
    tables = scaling.tables(found)
    assert tables.count("| exponent | steepest step |") == 3
    assert "| CPU ms a frame, by lines of the frame | 180p | 360p |" in tables
    assert json.loads(json.dumps(found)) == found


def test_medians_of_rounds_are_taken_per_frame():
    from contextlib import nullcontext

    spent = iter([1.0, 0.2, 7.0, 0.4, 3.0, 0.6])

    def work(watch):
        watch.cpu += next(spent)
        watch.wall += 1
        return 2

    found = scaling.measure(Cost(name="any", cause="passes", ready=lambda size: nullcontext(work)), (4, 1), 3)
    assert found["cpu_ms"] == [1500, 200]
    assert found["wall_ms"] == [500, 500]


def test_what_is_known_to_be_wrong_is_refused_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="--rounds must be at least 1, got 0"):
        scaling.check(0, [])
    with pytest.raises(SinkError, match="there is no folder"):
        scaling.check(1, [tmp_path / "none" / "out.json"])
