"""The command that measures the temporal stability at several inference rates."""

import json
from itertools import islice

from stream.demo.clip import demo_frames
from training.colorizer.stabilization import main, with_names


def test_clips_are_named_by_their_files():
    found = with_names({"clips": {"/a/b.mkv": 1}, "left_out": {"/a/c.mkv": "gray"}, "rate_hz": 3})
    assert found == {"clips": {"b.mkv": 1}, "left_out": {"c.mkv": "gray"}, "rate_hz": 3}


def test_rates_are_measured_and_written(tmp_path, write_clip, run_main):
    clip = write_clip(tmp_path / "demo.mkv", islice(demo_frames(seconds=12, size_wh=(112, 64)), 8))
    out = tmp_path / "video.json"
    given = ["--clips", clip, "--out", out, "--rates", "5", "--seconds", "1"]
    code, printed, _ = run_main(main, *given)
    assert code == 0
    found = json.loads(out.read_text())
    assert {rate: row["rate_hz"] for rate, row in found.items()} == {"5": 5.0}
    assert found["5"]["clips"].keys() == {"demo.mkv"}
    assert found["5"]["n_frames"] == 8
    assert len(printed.splitlines()) == 1
