"""What ``doctor`` finds on this machine."""

import av
import numpy as np

from engines.spec import emotion_net_names
from stream.cli.doctor import ENCODERS, PACKAGES, examine


def test_it_reports_the_machine_and_that_nets_and_faces_work(capsys):
    assert examine() == 0
    written = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in written.out.splitlines())
    assert {"system", "packages", "ffmpeg", "nets", "faces"} <= set(lines)
    assert f"numpy {np.__version__}" in lines["packages"]
    assert f"av {av.__version__}" in lines["packages"]
    assert all(name in lines["packages"] for name in PACKAGES)
    assert "libx264" in written.out
    assert set(ENCODERS) > {"libx264"}
    assert any(name in lines["nets"] for name in emotion_net_names())
