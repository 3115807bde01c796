import csv
import json

import pytest

from stream.archive.frame_times import PtsList
from stream.archive.manifest import Piece
from stream.archive.timelines import JoinedTimeline, joined_records
from stream.files.output_file import place_all
from stream.report.timeline import FIELDS


def record(time, track, x=0.0):
    return {"time": time, "track": track, "x": x, "y": 10.0, "width": 40.0, "height": 50.0}


def pieces(*starts):
    return [Piece(index=i, start=start, times=PtsList([1000 * i])) for i, start in enumerate(starts)]


def tracks(starts, *parts):
    return [one["track"] for one in joined_records(zip(pieces(*starts), parts, strict=True))]


def test_after_a_cut_numbers_go_on():
    assert tracks(("film", "cut", "cut"), [record(0, 1), record(0, 2)], [], [record(9, 1), record(9, 2)]) == [
        1,
        2,
        3,
        4,
    ]


def test_at_a_joint_a_face_keeps_its_number():
    before = [record(4.9, 1, 0), record(4.9, 2, 300)]
    after = [record(5.0, 1, 305), record(5.0, 2, 3), record(5.0, 3, 700)]
    assert tracks(("film", "joint"), before, after) == [1, 2, 2, 1, 3]


def test_a_face_that_left_long_before_a_joint_is_another():
    assert tracks(("film", "joint"), [record(2.0, 1)], [record(5.0, 1)]) == [1, 2]


def test_two_faces_never_take_one_number():
    assert tracks(("film", "joint"), [record(4.9, 1)], [record(5.0, 1, 1), record(5.0, 2, 2)]) == [1, 1, 2]


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_both_formats_are_joined(tmp_path, ending):
    full = {name: 0 for name in FIELDS}
    parts = [tmp_path / f"{index}{ending}" for index in range(2)]
    for index, part in enumerate(parts):
        one = {**full, "time": 5.0 * index, "track": 1}
        with part.open("w", newline="") as file:
            if ending == ".csv":
                writer = csv.DictWriter(file, FIELDS)
                writer.writeheader()
                writer.writerow(one)
            else:
                file.write(json.dumps(one) + "\n")
    output = tmp_path / f"whole{ending}"
    readers = [part.read_bytes for part in parts]
    timeline = JoinedTimeline(output, list(zip(pieces("film", "cut"), readers, strict=True)), overwrite=False)
    timeline.complete()
    assert not output.exists()
    place_all(timeline.outputs)
    lines = output.read_text().splitlines()
    found = list(csv.DictReader(lines)) if ending == ".csv" else [json.loads(line) for line in lines]
    assert [(float(one["time"]), int(one["track"])) for one in found] == [(0.0, 1), (5.0, 2)]
    assert list(found[0]) == list(FIELDS)
