"""A Chromium whose camera is a file, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from stream.demo.clip import demo_frames

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--use-fake-device-for-media-stream",
)
SIZE_WH = (640, 360)
FPS = 30
FILM_S = 12.0
"""Of the demo clip's film, whose face smiles at first."""
SMILING = 30
"""Frames of it that are taken."""


@contextmanager
def chromium(camera: Path | None = None) -> Iterator[Any]:
    """A running browser (``playwright.sync_api.Browser``); skips where it is not installed.

    The camera shows the film that the file holds, or Chromium's own pattern. It is lent where a context has the
    permission ``camera``, and refused otherwise.
    """
    api, path = _installed()
    with api.sync_playwright() as playwright:
        flags = [*FLAGS, *([f"--use-file-for-fake-video-capture={camera}"] if camera else [])]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def write_smiling_camera(path: Path) -> None:
    """Write a smiling face, 640x360 at 30 fps, forth and back, as YUV4MPEG2, which Chromium repeats without end."""
    frames = demo_frames(seconds=FILM_S, size_wh=SIZE_WH, fps=FPS)
    forth = [next(frames) for _ in range(SMILING)]
    with av.open(str(path), "w", format="yuv4mpegpipe") as container:
        stream = container.add_stream("rawvideo", rate=FPS)
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        for frame in [*forth, *forth[-2:0:-1]]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode(None))


def _installed() -> tuple[Any, str]:
    try:
        from playwright import sync_api
    except ImportError:
        _missing("Playwright is not installed (pip install playwright)")
    path = shutil.which("chromium")
    if path is None:
        _missing("Chromium is not installed (apt-get install chromium)")
    return sync_api, path


def _missing(reason: str) -> Any:
    if os.environ.get("REQUIRE_CHROMIUM") == "1":
        pytest.fail(f"{reason}, and REQUIRE_CHROMIUM=1")
    pytest.skip(reason)
