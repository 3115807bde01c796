"""The picture in a window, through OpenCV, by the main thread."""

import os
import subprocess
import sys
import threading
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.errors import MissingDependencyError

from ..audio import AudioPacket
from .output import Form

TITLE: Final = "emocolor-stream"
OPENING_S: Final = 20.0
ESCAPE: Final = 27


def check_window() -> None:
    """Raises ``MissingDependencyError`` where no window can be opened.

    OpenCV's window systems end the whole program where there is no screen, so that is tried in another.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise MissingDependencyError("--view needs a screen: neither DISPLAY nor WAYLAND_DISPLAY is set here.")
    try:
        trial = "import cv2; cv2.namedWindow('trial'); cv2.destroyAllWindows()"
        done = subprocess.run([sys.executable, "-c", trial], capture_output=True, timeout=OPENING_S, check=False)
        works = done.returncode == 0
    except subprocess.TimeoutExpired:
        works = False
    if not works:
        raise MissingDependencyError(
            "--view cannot open a window: the screen cannot be reached, or this OpenCV was built without windows "
            "(opencv-python-headless)."
        )


class Window:
    """Shows the newest picture whenever the main thread comes by; no picture waits for it."""

    def __init__(self) -> None:
        self._newest: av.VideoFrame | None = None
        self._lock = threading.Lock()
        self._open = False
        self._full_screen = False

    def put_picture(self, picture: av.VideoFrame, form: Form) -> None:
        """Leave a picture; from any thread."""
        with self._lock:
            self._newest = picture

    def put_audio(self, packet: AudioPacket) -> None:
        """A window has no sound."""

    def refresh(self) -> bool:
        """Show the newest picture and look at the keys; whether the viewer wants to end. In the main thread, often."""
        with self._lock:
            picture, self._newest = self._newest, None
        if picture is not None:
            self._show(np.asarray(picture.to_ndarray(format="bgr24"), np.uint8))
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
            os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # OpenCV's Qt misses its fonts at every turn
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            height, width = bgr.shape[:2]
            cv2.resizeWindow(TITLE, width, height)
            self._open = True
        cv2.imshow(TITLE, bgr)
