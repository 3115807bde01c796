"""The command that measures what colorizers without training reach."""

import json

from training.colorizer.baselines import main
from training.colorizer.recolorers import BASELINES


def test_every_baseline_is_measured_and_written(two_blobs, tmp_path, run_main):
    code, printed, _ = run_main(main, "--images", two_blobs, "--out", tmp_path / "baselines.json")
    assert code == 0
    found = json.loads((tmp_path / "baselines.json").read_text())
    assert list(found) == list(BASELINES)
    assert {row["n"] for row in found.values()} == {2}
    assert len(printed.splitlines()) == len(BASELINES)


def test_bad_input_ends_in_one_line(tmp_path, run_main):
    code, _, message = run_main(main, "--images", tmp_path / "none", "--out", tmp_path / "baselines.json")
    assert code == 4
    assert message.startswith("error: No such file or folder")
