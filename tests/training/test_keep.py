"""The records of a run that are kept."""

import pytest

pytest.importorskip("torch", reason="torch is not installed; run folders need it")

from emocolor.errors import ConfigurationError
from training.keep import keep_records, main


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("config.json", "epochs.csv", "final.json", "bin_weights.json", "curves.png", "checkpoint.pt"):
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("plots", [False, True])
def test_everything_but_the_checkpoint_is_kept(run, plots, tmp_path):
    keep_records(run, "colorizer/mine", plots=plots, results=tmp_path / "results")
    kept = {path.name for path in (tmp_path / "results" / "colorizer" / "mine").iterdir()}
    assert kept == {"config.json", "epochs.csv", "final.json", "bin_weights.json"} | (
        {"curves.png"} if plots else set()
    )


def test_a_run_that_is_not_finished_is_refused(run, tmp_path, capsys):
    (run / "final.json").unlink()
    with pytest.raises(ConfigurationError, match="not finished"):
        keep_records(run, "mine", plots=False, results=tmp_path / "results")
    with pytest.raises(SystemExit) as ended:
        main(["--run", str(run), "--name", "mine"])
    assert ended.value.code == ConfigurationError.exit_code
    assert capsys.readouterr().err.startswith("error: ")
