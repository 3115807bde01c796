import signal
import subprocess
import sys

import pytest

from stream.cli import main


def test_words_are_run_and_signals_are_as_before(capsys):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("emocolor-stream ")
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_heavy_is_loaded_before_signals_are_handled():
    code = "import sys, stream.cli; print([name for name in ('typer', 'av', 'numpy', 'cv2') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
