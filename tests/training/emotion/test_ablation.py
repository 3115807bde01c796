"""The ablation's rows, and one real run of two of them."""

import json

import pytest

pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError
from training.emotion.ablation import CONFIG, main, read_rows


def test_each_row_differs_from_the_base_in_what_it_names_and_no_two_are_alike():
    rows = read_rows(CONFIG)
    assert len(rows) >= 8
    assert len({row.name for row in rows}) == len(rows)
    assert len({repr(row.recipe) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[base]\nepochs = 2\n", "lacks 'row'"),
        ("[base]\n[[row]]\nname = 'a'\nwords = 'b'\nepoch = 3\n", "unknown key 'epoch'"),
        ("[base]\n[[row]]\nname = 'a'\nwords = 'b'\nepochs = 'ten'\n", "epochs cannot be 'ten'"),
        ("[base\n", "cannot be read"),
    ],
)
def test_unusable_files_are_named(text, words, tmp_path):
    (tmp_path / "rows.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_rows(tmp_path / "rows.toml")


def test_rows_are_run_once_and_their_metrics_written(few_faces_file, tmp_path, run_main):
    (tmp_path / "rows.toml").write_text(
        '[base]\nnet = "tiny"\nbatch = 16\nbf16 = false\nlabels = "both"\n'
        '[[row]]\nname = "base"\nwords = "base"\n'
        '[[row]]\nname = "mixup"\nwords = "with mixup"\nmixup = 0.2\n'
        '[[row]]\nname = "unused"\nwords = "unused"\nseed = 9\n'
    )
    given = ["--config", tmp_path / "rows.toml", "--data", few_faces_file, "--runs", tmp_path / "runs", "--smoke"]
    given += ["--rows", "base", "mixup", "--out", tmp_path / "table.json"]
    code, printed, _ = run_main(main, *given)
    assert code == 0
    found = json.loads((tmp_path / "table.json").read_text())
    assert list(found) == ["base", "mixup"]
    assert found["mixup"]["settings"]["mixup"] == 0.2
    assert printed.count("\n| ") == 3
    final = tmp_path / "runs" / "mixup" / "final.json"
    written = final.stat().st_mtime_ns
    assert run_main(main, *given)[0] == 0
    assert final.stat().st_mtime_ns == written


def test_an_unknown_row_ends_in_one_line(tmp_path, run_main):
    code, _, message = run_main(main, "--data", "none.npz", "--runs", tmp_path, "--rows", "nothing")
    assert code == 2
    assert message.startswith("error: No row nothing. Rows: base, ")
