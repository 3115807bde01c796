"""The corpus of gray, toned and coloured clips, and what the benchmark of colour detection reports."""

import json
from itertools import islice

import av
import numpy as np
import pytest

from tests.benchmarks import color_detection
from tests.benchmarks.color_detection import Result, best_threshold, classify, confusion, filled, tables
from tests.benchmarks.tone_corpus import EXCERPT_FRAMES, SOURCES, Source, conditions, make_clips


@pytest.fixture
def images():
    return list(np.random.default_rng(0).integers(0, 255, (EXCERPT_FRAMES, 48, 64, 3), np.uint8))


def result(truth, found, score=0.1, **others):
    common = {"source": "film", "chooses": True, "kind": "kind", "name": "name", "encoding": "x264 crf 20"}
    return Result(**(common | others), truth=truth, found=found, score=score)


def test_no_film_is_in_both_halves():
    names = [one.name for one in SOURCES]
    assert len(set(names)) == len(names)
    halves = [sum(one.colored for one in SOURCES if one.chooses is half) for half in (True, False)]
    assert halves == [5, 5]


@pytest.mark.parametrize("condition", conditions(), ids=lambda one: f"{one.kind} {one.name}")
def test_treatments_keep_number_and_size_of_frames_and_are_what_they_should_be(condition, images):
    made = condition.treat(images)
    assert [(one.shape, one.dtype) for one in made] == [(one.shape, one.dtype) for one in images]
    spread = np.ptp(made[-1].astype(int), axis=2).max()
    assert condition.truth == "gray" or spread > 20


def test_clips_are_made_once_and_classified(demo_clip, tmp_path):
    source = Source(name="demo", file=demo_clip.name, starts=(0, 1))
    found = [classify(source, *made) for made in islice(make_clips(demo_clip.parent, source, tmp_path), 2)]
    assert [(one.truth, one.found, one.is_right) for one in found] == [("gray", "gray", True)] * 2
    clips = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(clips) == 2
    with av.open(str(min(clips))) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2 * EXCERPT_FRAMES
    list(islice(make_clips(demo_clip.parent, source, tmp_path), 2))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == clips


def test_the_threshold_lies_between_gray_and_colour():
    gray = [result("toned", "gray", score) for score in (0.0, 0.06, 0.1)]
    assert best_threshold([*gray, *(result("color", "color", score) for score in (0.14, 0.3))]) == pytest.approx(
        0.12, abs=0.001
    )


def test_confusion_counts_what_clips_were_taken_for():
    rows = list(confusion([result("toned", "gray"), result("toned", "color"), result("color", "color")]))
    assert rows[2:] == ["| gray | 0 | 0 | 0 | 0 |", "| toned | 2 | 1 | 0 | 1 |", "| colour | 1 | 0 | 0 | 1 |"]


def test_the_page_has_the_tables_of_the_record():
    record = json.loads(color_detection.RECORD.read_text())
    page = color_detection.PAGE.read_text()
    assert page == filled(page, tables(record))
    with pytest.raises(ValueError, match="no marks"):
        filled("# Page", "text")
