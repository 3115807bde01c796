import csv
import json

import numpy as np
import pytest

from emocolor.errors import ConfigurationError, SinkError
from emocolor.faces import Box, Detection, EmotionEstimate, Face, Observation, ObservedFace, Scene
from stream.report.timeline import FIELDS, TimelineWriter

HAPPY = np.eye(7)[3]


def observed(time=0.5):
    keypoints = np.array([[10, 10], [30, 10], [20, 20], [20, 30], [5, 12], [35, 12]], float)
    seen = ObservedFace(
        track_id=4,
        detection=Detection(box=Box(0, 0, 40, 40), keypoints=keypoints, score=0.9),
        estimate=EmotionEstimate(probabilities=np.full(7, 1 / 7), entropy=1.9, mutual_information=0.1),
        confidence=0.5,
    )
    face = Face(track_id=4, box=Box(0, 0, 40, 40), roll_degrees=0, probabilities=HAPPY, certainty=0.7, presence=1)
    return Observation(time=time, cut=False, faces=(seen,)), Scene(time=time, faces=(face,))


def test_both_forms_hold_the_same(tmp_path):
    for name in ("t.jsonl", "t.csv"):
        writer = TimelineWriter(tmp_path / name)
        writer.write(*observed())
        assert not (tmp_path / name).exists()
        writer.finish()
    (record,) = map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines())
    assert tuple(record) == FIELDS
    assert (record["track"], record["emotion"], record["happy"], record["raw_happy"]) == (4, "happy", 1, 0.14286)
    (row,) = csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    assert row == {key: str(value) for key, value in record.items()}


def test_a_film_without_faces_still_has_a_header(tmp_path):
    writer = TimelineWriter(tmp_path / "t.csv")
    writer.finish()
    assert (tmp_path / "t.csv").read_text().strip() == ",".join(FIELDS)


def test_abort_leaves_nothing(tmp_path):
    writer = TimelineWriter(tmp_path / "t.jsonl")
    writer.write(*observed())
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_used(tmp_path):
    (tmp_path / "t.csv").touch()
    with pytest.raises(SinkError, match=r"option output\.overwrite"):
        TimelineWriter(tmp_path / "t.csv")
    with pytest.raises(SinkError, match="no/such"):
        TimelineWriter(tmp_path / "no/such/t.csv")
    with pytest.raises(ConfigurationError, match=r"\.jsonl or \.csv"):
        TimelineWriter(tmp_path / "t.xml")
