"""The evaluation command: one kind of net each, and nothing heavy before it is needed."""

import subprocess
import sys

import pytest

from training.evaluate import main


@pytest.mark.parametrize("kind", ["emotion", "colorizer", "video", "style"])
def test_every_kind_has_its_options(kind, run_main):
    code, told, _ = run_main(main, kind, "--help")
    assert code == 0
    assert "--weights" in told


def test_a_kind_must_be_given(run_main):
    code, _, message = run_main(main)
    assert code == 2
    assert "the following arguments are required: kind" in message


def test_torch_is_not_loaded():
    script = "import sys; import training.evaluate; assert not {'torch', 'matplotlib'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)
