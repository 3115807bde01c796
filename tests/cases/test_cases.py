"""Every file that the scripts of a folder make goes through the command, and comes out with what was in it.

``EMOCOLOR_CASES`` names the folder: scripts ``NAME.sh OUTPUT``, and INDEX.tsv with a name, an ending and a description
in each line; they need the command ``ffmpeg``. Where CI has the folder a third of them runs, always the same by a hash
of their names; where it has none, the clips of ``test_own_clips`` stand for them.
"""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.cases.runs import run_case

FOLDER = os.environ.get("EMOCOLOR_CASES", "")
PARTS = 3 if os.environ.get("CI") else 1
ENDINGS = {"avi_2fps": "avi", "img_exif": "%03d.jpg"}
"""Where INDEX.tsv names none; other files become Matroska."""
CODES = {
    "zero": 4, "text": 4, "no_moov": 4, "mp3_cover": 4, "big8k": 4,
    "trunc_avi": 3, "trunc_mkv": 3, "trunc_ts": 3, "noise_h264": 3, "packed": 3,
}  # fmt: skip
"""Exit codes other than 0. FFmpeg's decoder takes five frames of ``packed`` for damaged; all 150 are exact."""
MAY_DIFFER = {
    "odd_webm": {"size": "the encoder takes even sides alone, which a warning says"},
    "cc608": {"times": "the stream holds none; FFmpeg makes them up"},
}
"""By case: differences by their word, and why they are right."""
JOINED = dict.fromkeys(("ts_concat", "ts_concat_mp2", "ts_gap"), 12.0)
"""Where the input's clock starts anew or leaps: s of video and audio, one part after the other."""
CONVERTED = ("color range", "color matrix")
"""What changes where RGB or full range is encoded in a format that does not have it."""


def names() -> list[str]:
    """The cases that run here."""
    if not FOLDER:
        return []
    lines = (Path(FOLDER) / "INDEX.tsv").read_text().splitlines()
    return [name for name in (line.split("\t")[0] for line in lines) if zlib.crc32(name.encode()) % PARTS == 0]


def ending_of(name: str) -> str:
    lines = (Path(FOLDER) / "INDEX.tsv").read_text().splitlines()
    found = {columns[0]: columns[1] for columns in (line.split("\t") for line in lines) if len(columns) > 1}
    return ENDINGS.get(name) or found.get(name) or "mkv"


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="EMOCOLOR_CASES names no folder of scripts that make odd files")
@pytest.mark.parametrize("name", names() or ["none"])
def test_a_file_comes_out_with_what_was_in_it(name, tmp_path):
    source = tmp_path / "in" / f"{name}.{ending_of(name)}".replace(f"{name}.%", "%")
    source.parent.mkdir()
    script = ["bash", str(Path(FOLDER) / f"{name}.sh"), str(source)]
    made = subprocess.run(
        script, capture_output=True, text=True, timeout=250, check=False, env={**os.environ, "PYTHON": sys.executable}
    )
    if made.returncode:
        pytest.skip(f"the script needs what is not here: {made.stderr.strip()[-200:]}")
    run = run_case(source, tmp_path / "out", "mkv")
    assert run.code == CODES.get(name, 0), run.printed
    assert "Traceback" not in run.printed
    assert not run.left
    if (length := JOINED.get(name)) is not None:
        assert run.made is not None
        assert run.made.intervals[-1] == pytest.approx(length - 1 / 25, abs=0.01)
        assert [track.end - run.made.times[0] for track in run.made.audio] == pytest.approx([length], abs=0.05)
    elif run.code == 0:
        allowed = {*CONVERTED, *MAY_DIFFER.get(name, {})}
        assert [one for one in run.differences if one.partition(":")[0] not in allowed] == [], run.printed
