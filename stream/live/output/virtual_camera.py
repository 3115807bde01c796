"""The picture as a camera that other programs can choose, through pyvirtualcam."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

import av

from emocolor.errors import MissingDependencyError, SinkError

from ..audio import AudioPacket
from .output import Form

LOOPBACK_MODULE: Final = Path("/sys/module/v4l2loopback")


def check_virtual_camera() -> None:
    """Raises ``MissingDependencyError`` that says what to install, where there can be no virtual camera."""
    if importlib.util.find_spec("pyvirtualcam") is None:
        raise MissingDependencyError(
            "A virtual camera needs pyvirtualcam, which is not installed: pip install 'emocolor-stream[camera]'."
        )
    if sys.platform.startswith("linux") and not LOOPBACK_MODULE.exists():
        raise MissingDependencyError(
            "A virtual camera needs the kernel module v4l2loopback, which is not loaded: "
            "install v4l2loopback-dkms, then 'modprobe v4l2loopback exclusive_caps=1'."
        )


class VirtualCamera:
    """Sends pictures to the system's first free virtual camera."""

    def __init__(self, form: Form) -> None:
        """Open it. Raises ``SinkError``."""
        library: Any = importlib.import_module("pyvirtualcam")
        width, height = form.canvas.size_wh
        try:
            self._camera = library.Camera(width, height, float(form.rate), fmt=library.PixelFormat.I420)
        except RuntimeError as error:
            raise SinkError(f"The virtual camera cannot be used: {' '.join(str(error).split())}") from error

    def write(self, picture: av.VideoFrame) -> None:
        """As ``Output`` says."""
        try:
            self._camera.send(picture.to_ndarray())
        except (OSError, RuntimeError) as error:
            raise SinkError(f"The virtual camera takes no more: {error}.") from error

    def write_audio(self, packet: AudioPacket) -> None:
        """A camera has no sound."""

    def finish(self) -> None:
        """As ``Output`` says."""
        self._camera.close()

    def abort(self) -> None:
        """As ``Output`` says."""
        self._camera.close()
