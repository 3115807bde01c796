"""How a set of faces frames them."""

import json

import numpy as np
import pytest

from emocolor.errors import SourceError
from training.emotion.face_geometry import main, measure


def test_framing(portraits_file, run_main):
    code, printed, _ = run_main(main, "--data", portraits_file, "--faces", "6", "--seed", "0")
    assert code == 0
    found = json.loads(printed)
    assert found["faces"] == 6
    assert 0.6 < found["box_width"] < 1.1
    assert 0.2 < found["eyes_down"] < 0.6


def test_images_without_faces_are_an_error(tmp_path, run_main):
    np.savez(tmp_path / "flat.npz", images=np.full((2, 64, 64), 90, np.uint8), labels=[0, 1], usage=[0, 0])
    with pytest.raises(SourceError, match="No face was found in 2"):
        measure(tmp_path / "flat.npz", count=2, seed=0)
    code, _, message = run_main(main, "--data", tmp_path / "flat.npz")
    assert code == SourceError.exit_code
    assert message.startswith("error: No face was found")
