"""What this machine has, and what would run on it."""

import importlib.metadata
import platform
from collections.abc import Iterator

from emocolor.errors import EmocolorError
from engines.runners.devices import has_nvidia_driver, wants_cuda

from ..media.locations import PROTOCOLS
from ..pipeline.cores import usable_cores
from .messages import say, show

PACKAGES = (
    "av",
    "numpy",
    "mediapipe",
    "opencv-contrib-python",
    "openvino",
    "aiortc",
    "aiohttp",
    "torch",
    "torch-tensorrt",
)
ENCODERS = (
    "libx264",
    "libx265",
    "libsvtav1",
    "libvpx-vp9",
    "prores_ks",
    "ffv1",
    "h264_nvenc",
    "hevc_nvenc",
    "h264_qsv",
)


def examine() -> int:
    """Print the findings; 0 where the main job can run, else the exit code of what is missing."""
    for title, line in _findings():
        show(f"{title:<12} {line}")
    try:
        show(f"{'nets':<12} {_try_nets()}")
        show(f"{'faces':<12} {_try_faces()}")
    except EmocolorError as error:
        say(f"error: {error}")
        return error.exit_code
    return 0


def _findings() -> Iterator[tuple[str, str]]:
    import av
    from av.codec import Codec
    from av.codec.hwaccel import hwdevices_available

    cores = usable_cores()
    yield "system", f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"
    yield "packages", ", ".join(f"{name} {_version_of(name)}" for name in PACKAGES)
    libraries = {name: ".".join(map(str, v)) for name, v in av.library_versions.items()}
    yield "ffmpeg", ", ".join(f"{name} {libraries[name]}" for name in ("libavcodec", "libavformat", "libswscale"))
    yield "encoders", ", ".join(name for name in ENCODERS if _has_encoder(Codec, name))
    yield "protocols", ", ".join(PROTOCOLS)
    yield "hwaccels", ", ".join(sorted(hwdevices_available())) or "none"
    yield "gpu", _gpu()


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _has_encoder(codec_type: type, name: str) -> bool:
    from av.codec.codec import UnknownCodecError

    try:
        codec_type(name, "w")
    except UnknownCodecError:
        return False
    return True


def _gpu() -> str:
    if not has_nvidia_driver():
        return "no NVIDIA device; nets run on the CPU"
    try:
        wants_cuda("cuda")
    except EmocolorError as error:
        return f"an NVIDIA device, but nets run on the CPU ({error})"
    from ..media.nvdec import EXACT_CODECS

    tried = ", ".join(sorted(EXACT_CODECS))
    return f"an NVIDIA device: nets run on it, NVDEC is tried for {tried}; faces and people are found on the CPU"


def _try_nets() -> str:
    from engines.colorizer import load_colorizer
    from engines.emotion import load_emotion_net
    from engines.spec import colorizer_names, emotion_net_names, style_net_names
    from engines.style import load_style_transfer

    loaded = [load_emotion_net(name) for name in emotion_net_names()]
    faces = [f"{net.spec.name} ({net.crop_size} px faces) on {net.runner.backend}, f32" for net in loaded]
    colorists = [load_colorizer(name) for name in colorizer_names()]
    colors = [f"{net.spec.name} (colours) on {net.runner.backend}, f32" for net in colorists]
    stylists = [load_style_transfer(name) for name in style_net_names()]
    return ", ".join(faces + colors + [f"{net.spec.name} (styles) on {net.runner.backend}, f32" for net in stylists])


def _try_faces() -> str:
    import numpy as np

    from engines.mediapipe.face_detector import MediaPipeFaceDetector
    from engines.mediapipe.person_segmenter import MediaPipePersonSegmenter

    detector = MediaPipeFaceDetector()
    try:
        detector.detect(np.zeros((64, 64), np.uint8), [], 0)
    finally:
        detector.close()
    MediaPipePersonSegmenter().close()
    return "MediaPipe finds faces and people on the CPU"
