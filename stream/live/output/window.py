"""The video in a window, through OpenCV, in the main thread."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.errors import MissingDependencyError

from ..audio import AudioPacket
from .queued_output import OutputFormat

TITLE: Final = "emocolor-stream"
TRIAL_TIMEOUT_S: Final = 20.0
ESCAPE: Final = 27


def check_window(environment: Mapping[str, str] = os.environ) -> None:
    """Raises ``MissingDependencyError`` where no window can be opened.

    OpenCV's window systems end the whole process where there is no display, so another process tries.
    """
    if sys.platform.startswith("linux") and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        raise MissingDependencyError("A window needs a display: neither DISPLAY nor WAYLAND_DISPLAY is set here.")
    trial = [sys.executable, "-c", "import cv2; cv2.namedWindow('trial'); cv2.destroyAllWindows()"]
    try:
        done = subprocess.run(trial, capture_output=True, timeout=TRIAL_TIMEOUT_S, check=False, env=environment)
        works = done.returncode == 0
    except subprocess.TimeoutExpired:
        works = False
    if not works:
        raise MissingDependencyError(
            "No window can be opened: the display cannot be reached, or OpenCV was built without windows "
            "(opencv-python-headless)."
        )


class Window:
    """Shows the newest frame whenever the main thread refreshes it; no frame waits for it."""

    def __init__(self) -> None:
        self._newest: av.VideoFrame | None = None
        self._lock = threading.Lock()
        self._open = False
        self._full_screen = False

    def put_frame(self, frame: av.VideoFrame, output_format: OutputFormat) -> None:
        """Leave a frame; from any thread."""
        with self._lock:
            self._newest = frame

    def put_audio(self, packet: AudioPacket) -> None:
        """A window has no audio."""

    def refresh(self) -> bool:
        """Show the newest frame and handle keys: whether the viewer wants to end. Called often, in the main thread."""
        with self._lock:
            frame, self._newest = self._newest, None
        if frame is not None:
            self._show(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
        if not self._open:
            return False
        key = cv2.waitKey(1) & 0xFF
        if key == ord("f"):
            self._full_screen = not self._full_screen
            state = cv2.WINDOW_FULLSCREEN if self._full_screen else cv2.WINDOW_NORMAL
            cv2.setWindowProperty(TITLE, cv2.WND_PROP_FULLSCREEN, state)
        closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        return closed or key in (ord("q"), ESCAPE)

    def close(self) -> None:
        """Take the window away."""
        if self._open:
            cv2.destroyWindow(TITLE)
            self._open = False

    def _show(self, bgr: NDArray[np.uint8]) -> None:
        """``bgr`` is (H, W, 3) uint8."""
        if not self._open:
            os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # OpenCV's Qt warns of missing fonts all along
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            height, width = bgr.shape[:2]
            cv2.resizeWindow(TITLE, width, height)
            self._open = True
        cv2.imshow(TITLE, bgr)
