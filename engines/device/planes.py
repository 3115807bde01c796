"""Planes of NV12 images in a GPU's memory, as tensors of torch.

All work is put into the device's default stream, where FFmpeg puts its own: what is read has been written. NVDEC and
NVENC are machines beside the GPU's cores, so decoding and encoding still overlap with effects.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.dlpack import from_dlpack

from emocolor.faces import Scene
from emocolor.frames import Frame, Plane

PITCH: Final = 256
"""Bytes that a row of an own image is a multiple of; NVENC wants 4, whole transactions of memory 128."""


class DevicePlane:
    """Samples in a GPU's memory that look like an array to those who only read.

    Slices stay on the device. NumPy gets a copy in the host's memory, for which it waits. What would write to one as
    to an array fails.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor
        """(H, W) or (h, w, 2) uint8."""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        return self.tensor.ndim

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.tensor)

    def __getitem__(self, key: Any) -> "DevicePlane":
        return DevicePlane(self.tensor[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("samples in a GPU's memory cannot be seen from the host without a copy")
        return np.asarray(to_host(self.tensor), dtype)

    def copy(self) -> NDArray[np.uint8]:
        """The samples in the host's memory."""
        return to_host(self.tensor)


def to_host(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """A copy of ``tensor`` in the host's memory, through pages that stay in place; waits for the device."""
    if tensor.device.type == "cpu":
        return np.asarray(tensor.numpy().copy())
    # torch keeps such pages for later copies: asking the driver for new ones costs more than the copy.
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor.contiguous(), non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return np.asarray(host.numpy())


class ExportedPlane(Protocol):
    """A plane of a image, as PyAV exports it."""

    def __dlpack__(self) -> Any: ...


def planes_of_av_frame(planes: Sequence[ExportedPlane], device: torch.device) -> tuple[Plane, ...]:
    """Views of an NV12 image's planes where they lie on ``device``, else copies of them there.

    The views share memory with the image and keep it alive; a decoder may still read it.
    """
    # A capsule, not the plane: torch would name its stream to the plane, and PyAV takes no stream.
    tensors = (from_dlpack(plane.__dlpack__()) for plane in planes)
    return _as_planes([tensor.to(device) for tensor in tensors])


def _as_planes(tensors: Sequence[torch.Tensor]) -> tuple[Plane, ...]:
    # Arrays to type checkers: what can be done with them is what Frame.planes says.
    planes: Any = tuple(DevicePlane(tensor) for tensor in tensors)
    found: tuple[Plane, ...] = planes
    return found


def tensors_of(frame: Frame) -> tuple[torch.Tensor, torch.Tensor]:
    """Luma (H, W) and chroma (H / 2, W / 2, 2) uint8 of an NV12 frame on a device."""
    luma, chroma = frame.planes
    assert isinstance(luma, DevicePlane)
    assert isinstance(chroma, DevicePlane)
    return luma.tensor, chroma.tensor


def new_av_frame(width: int, height: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Luma (H, W) and chroma (H / 2, W / 2, 2) uint8 in one piece of memory, not initialised.

    NVENC is told where luma begins and how long a row is, and looks for chroma right below: the planes' rows must be
    those of one (3 H / 2, pitch) piece.
    """
    pitch = -(-width // PITCH) * PITCH
    rows = torch.empty((height * 3 // 2, pitch), dtype=torch.uint8, device=device)
    return rows[:height, :width], rows[height:, :width].view(height // 2, width // 2, 2)


class OwnMemory:
    """The first effect of every chain on a device: gives the frame planes of its own, which may be written to."""

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """The same image in new memory on the same device, in the form that NVENC takes."""
        given = tensors_of(frame)
        own = new_av_frame(*frame.size_wh, given[0].device)
        for target, source in zip(own, given, strict=True):
            target.copy_(source)
        return replace(frame, planes=_as_planes(own))
