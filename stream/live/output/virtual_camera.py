"""The video as a camera that other programs can choose, through pyvirtualcam."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

import av

from emocolor.errors import MissingDependencyError, SinkError

from ..audio import AudioPacket
from .queued_output import OutputFormat

LOOPBACK_MODULE: Final = Path("/sys/module/v4l2loopback")


def check_virtual_camera(
    *, package: str = "pyvirtualcam", loopback_module: Path = LOOPBACK_MODULE, system: str = sys.platform
) -> None:
    """Raises ``MissingDependencyError`` that says what to install, where there can be no virtual camera.

    The Python package and, where ``system`` is Linux, the loaded kernel module are looked for.
    """
    if importlib.util.find_spec(package) is None:
        raise MissingDependencyError(
            f"A virtual camera needs {package}, which is not installed: pip install 'emocolor-stream[camera]'."
        )
    if system.startswith("linux") and not loopback_module.exists():
        raise MissingDependencyError(
            "A virtual camera needs the kernel module v4l2loopback, which is not loaded: "
            "install v4l2loopback-dkms, then 'modprobe v4l2loopback exclusive_caps=1'."
        )


class VirtualCamera:
    """Sends frames to the system's first free virtual camera."""

    def __init__(self, output_format: OutputFormat) -> None:
        """Open it. Raises ``SinkError``."""
        library: Any = importlib.import_module("pyvirtualcam")
        width, height = output_format.canvas.size_wh
        try:
            self._camera = library.Camera(width, height, float(output_format.rate), fmt=library.PixelFormat.I420)
        except RuntimeError as error:
            raise SinkError(f"The virtual camera cannot be used: {' '.join(str(error).split())}") from error

    def write(self, frame: av.VideoFrame) -> None:
        """As ``LiveOutput`` says."""
        try:
            self._camera.send(frame.to_ndarray())
        except (OSError, RuntimeError) as error:
            raise SinkError(f"The virtual camera accepts no more frames: {error}.") from error

    def write_audio(self, packet: AudioPacket) -> None:
        """A camera has no audio."""

    def finish(self) -> None:
        """As ``LiveOutput`` says."""
        self._camera.close()

    def abort(self) -> None:
        """As ``LiveOutput`` says."""
        self._camera.close()
