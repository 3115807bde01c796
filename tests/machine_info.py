"""What the outputs of nets and encoders depend on beside the code; read by ``output_hashes.py``."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

PACKAGES: Final = ("openvino", "av", "mediapipe", "opencv-contrib-python", "numpy")
INSTRUCTION_SETS: Final = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
"""What the choice of kernels in OpenVINO and OpenCV depends on."""


def environment() -> dict[str, str]:
    """The machine, and the versions of what computes, decodes and encodes."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def _processor() -> str:
    """Model and instruction sets, as Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", facts.get("Features", "")).split()
    return " ".join([facts.get("model name", ""), *(name for name in INSTRUCTION_SETS if name in flags)]).strip()
