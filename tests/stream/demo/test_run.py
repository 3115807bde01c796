import json
from itertools import pairwise

import av
import cv2
import pytest

from emocolor.errors import SinkError
from stream.demo.run import SHOWN_SECONDS, run_demo
from stream.report.frame_strip import GAP


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The twelve seconds of the demo, small and at five frames per second."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return folder, run_demo(folder, size_wh=(320, 180), fps=5)


def test_every_file_is_there_and_described(made):
    folder, files = made
    assert sorted(path.name for path in files) == sorted(path.name for path in folder.iterdir())
    assert all(path.stat().st_size > 0 for path in files)
    assert all(files.values())


def test_the_result_has_the_clips_frames_and_its_audio(made):
    folder, _ = made
    with av.open(str(folder / "input.mp4")) as clip, av.open(str(folder / "coloured.mp4")) as result:
        assert [stream.type for stream in result.streams] == ["video", "audio"]
        given, recoloured = list(clip.decode(video=0)), list(result.decode(video=0))
    assert [frame.pts * frame.time_base for frame in recoloured] == [frame.pts * frame.time_base for frame in given]
    assert len(given) == 60


def test_the_timeline_has_the_emotions_that_the_face_shows(made):
    folder, _ = made
    records = [json.loads(line) for line in (folder / "timeline.jsonl").read_text().splitlines()]
    times = [record["time"] for record in records]
    assert times == sorted(times)
    assert len({record["emotion"] for record in records}) >= 3
    gap = max(later - earlier for earlier, later in pairwise(times))
    assert gap > 0.5, "the camera leaves the face for a while"


def test_the_strip_shows_a_column_for_each_time(made):
    folder, _ = made
    strip, chart = (cv2.imread(str(folder / name)) for name in ("strip.png", "timeline.png"))
    assert strip.shape[1] == 1200
    width = (1200 - GAP * (len(SHOWN_SECONDS) - 1)) / len(SHOWN_SECONDS)
    for column in range(1, len(SHOWN_SECONDS)):
        assert (strip[: strip.shape[0] // 3, round(column * (width + GAP)) - 2] == 255).all()
    assert chart.shape == (340, 960, 3)


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "timeline.png").write_bytes(b"mine")
    with pytest.raises(SinkError, match=r"timeline\.png exists\. The option output\.overwrite replaces it"):
        run_demo(tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"Cannot make the folder .*file/demo.*Choose another place"):
        run_demo(tmp_path / "file" / "demo")
