"""Clips made once per test run, where shared footage may be found, and tests that need a GPU."""

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

from stream.demo.clip import make_demo_clip

# Nothing here asserts on the clock: a busy machine would fail what is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# What the tests start writes into pipes as it does for users, whose Python buffers them.
os.environ.pop("PYTHONUNBUFFERED", None)


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "tensorrt: needs TensorRT on an NVIDIA GPU; skipped without, failed without where REQUIRE_TENSORRT=1",
    )


def pytest_runtest_setup(item):
    """What needs a GPU is skipped without one, unless the environment says that there is one."""
    for marker, variable, lack in (("gpu", "REQUIRE_GPU", _no_gpu), ("tensorrt", "REQUIRE_TENSORRT", _no_tensorrt)):
        if item.get_closest_marker(marker) and (reason := lack()):
            if os.environ.get(variable) == "1":
                pytest.fail(f"{variable}=1, but {reason}", pytrace=False)
            pytest.skip(reason)


def _no_gpu():
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    import torch

    return "" if torch.cuda.is_available() else "there is no NVIDIA GPU that torch can use"


def _no_tensorrt():
    lacking = [name for name in ("torch_tensorrt", "tensorrt") if importlib.util.find_spec(name) is None]
    return _no_gpu() or (f"{' and '.join(lacking)} not installed" if lacking else "")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_this_run(tmp_path_factory):
    """Compiled nets of the tests, and of the processes that they start, stay out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOCOLOR_CACHE", str(tmp_path_factory.mktemp("cache", numbered=False)))
        yield


@pytest.fixture(scope="session")
def demo_clip(tmp_path_factory):
    """Two seconds of a moving portrait with audio, 480x270, 25 fps."""
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


@pytest.fixture(scope="session")
def cases():
    """The folder of odd inputs that ``EMOCOLOR_CASES`` names."""
    folder = os.environ.get("EMOCOLOR_CASES")
    if not folder:
        pytest.skip("EMOCOLOR_CASES names no folder of odd inputs")
    return Path(folder)
