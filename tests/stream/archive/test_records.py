"""What a piece's files are: recorded once, and told from everything else that lies there."""

import av
import numpy as np
import pytest

from stream.archive.records import Observed, PieceFiles, ranks_of, read_record, state_of, write_record
from tests.stream.archive.films import make_film, packets_of

OBSERVED = Observed(analyses=5, faces=True, warnings=("It is dark.",))


@pytest.fixture
def files(tmp_path):
    timeline = tmp_path / "0123456789abcdef0123.jsonl"
    timeline.write_text("{}\n")
    return PieceFiles(video=make_film(tmp_path / "0123456789abcdef0123.mp4", shots=(9,)), timeline=timeline)


def test_a_record_comes_back(files):
    write_record(files, OBSERVED)
    record = read_record(files)
    assert (record.piece, record.analyses, record.faces) == ("0123456789abcdef0123", 5, True)
    assert record.warnings == ("It is dark.",)
    assert record.bytes == files.video.stat().st_size
    times = [pts for pts, *_ in packets_of(files.video, "video")]
    assert [sorted(times)[rank] for rank in record.order] == times
    assert state_of(files) == "rendered"


def test_the_delay_is_that_of_the_encoder(tmp_path):
    path = tmp_path / "b.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.options = {"bf": "2", "b-adapt": "0"}
        for pts in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), "yuv420p")
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    files = PieceFiles(video=path, timeline=None)
    write_record(files, OBSERVED)
    record = read_record(files)
    assert record.order != sorted(record.order) == list(range(12))
    assert record.delay == 1


@pytest.mark.parametrize(
    ("times", "ranks"),
    [([], []), ([0, 80, 40, 120], [0, 2, 1, 3]), ([0, 0, 0, 1], [0, 1, 2, 3]), ([5, 2, 2], [2, 0, 1])],
)
def test_packets_of_one_time_keep_their_order(times, ranks):
    """Frames less than a millisecond apart have one time in Matroska."""
    assert ranks_of(times) == ranks


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda files: files.record.unlink(), "absent"),
        (lambda files: files.video.unlink(), "damaged"),
        (lambda files: files.video.write_bytes(b"short"), "damaged"),
        (lambda files: files.timeline.unlink(), "damaged"),
        (lambda files: files.record.write_text("{}"), "damaged"),
        (lambda files: files.record.write_bytes(b"\xff\0"), "damaged"),
        (lambda files: files.record.write_text(files.record.read_text().replace("0123456", "6543210")), "damaged"),
    ],
)
def test_what_is_not_what_was_recorded_does_not_count(files, change, state):
    write_record(files, OBSERVED)
    change(files)
    assert read_record(files) is None
    assert state_of(files) == state


def test_a_piece_without_a_timeline_does_where_none_is_wanted(files):
    write_record(files, OBSERVED)
    files.timeline.unlink()
    assert read_record(PieceFiles(video=files.video, timeline=None)) is not None


def test_all_files_of_a_piece_are_removed(files):
    write_record(files, OBSERVED)
    files.remove()
    assert list(files.video.parent.iterdir()) == []
    files.remove()
