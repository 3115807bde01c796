"""Clips made once per test run, and where shared footage may be found."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from stream.demo_clip import make_demo_clip

# Nothing here asserts on the clock: a busy machine would fail what is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def demo_clip(tmp_path_factory):
    """Two seconds of a moving portrait with sound, 480x270, 25 fps."""
    path = tmp_path_factory.mktemp("clips") / "demo.mp4"
    make_demo_clip(path, seconds=2.0, size_wh=(480, 270))
    return path


@pytest.fixture(scope="session")
def shared_clips():
    """The folder of real footage that ``EMOCOLOR_CLIPS`` names."""
    folder = os.environ.get("EMOCOLOR_CLIPS")
    if not folder:
        pytest.skip("EMOCOLOR_CLIPS names no folder of clips")
    return Path(folder)
