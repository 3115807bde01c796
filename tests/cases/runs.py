"""One case: its input made, the command run on it, and what came out compared with what went in."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from tests.cases.comparison import differences
from tests.cases.facts import Facts, facts_of

COMMAND: Final = (sys.executable, "-m", "stream.cli")
CHEAP: Final = ("--effect", "colormap:bone", "--encoder-preset", "ultrafast", "--crf", "30", "--quiet")
"""No net runs, and the encoder hurries."""
TIMEOUT_S: Final = 200


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the command did with a file."""

    code: int
    printed: str
    differences: tuple[str, ...]
    """Between input and output; none where there is no output."""
    made: Facts | None
    """What is in the output, if it can be read."""
    left: tuple[str, ...]
    """Files in the output's folder beside it."""


def run_case(source: Path | str, folder: Path, ending: str) -> Run:
    """Run the command on a file that is there, or a pattern of images."""
    folder.mkdir()
    output = folder / f"out.{ending}"
    done = subprocess.run(
        [*COMMAND, str(source), "-o", str(output), *CHEAP],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found: tuple[str, ...] = ()
    made: Facts | None = None
    if output.exists():
        try:
            made = facts_of(output)
            found = tuple(differences(facts_of(source), made))
        except (av.FFmpegError, ValueError) as error:
            found = (f"unreadable: {error}",)
    left = tuple(sorted(path.name for path in folder.iterdir() if path != output))
    return Run(code=done.returncode, printed=done.stdout + done.stderr, differences=found, made=made, left=left)
