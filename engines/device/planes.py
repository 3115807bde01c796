"""Planes of NV12 frames in GPU memory, as torch tensors.

All work is queued in the device's default stream, as FFmpeg's is, so everything is written before it is read. NVDEC and
NVENC are units of their own beside the GPU's cores, so decoding and encoding still overlap with effects.
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
"""Bytes; rows of new frames are multiples of this. NVENC asks for 4, full memory transactions for 128."""


class DevicePlane:
    """Samples in GPU memory that look like an array to readers.

    Slices stay on the device. NumPy gets a copy in host memory, for which it synchronises. Writing to one as to an
    array fails.
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
            raise ValueError("samples in GPU memory cannot be read on the host without a copy")
        return np.asarray(to_host(self.tensor), dtype)

    def copy(self) -> NDArray[np.uint8]:
        """The samples in host memory."""
        return to_host(self.tensor)


def to_host(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """A copy of ``tensor`` in host memory, through pinned pages; synchronises."""
    if tensor.device.type == "cpu":
        return np.asarray(tensor.numpy().copy())
    # torch keeps pinned pages for later copies: to ask the driver for new ones costs more than the copy.
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor.contiguous(), non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return np.asarray(host.numpy())


class ExportedPlane(Protocol):
    """A plane of a PyAV frame."""

    def __dlpack__(self) -> Any: ...


def planes_of_av_frame(planes: Sequence[ExportedPlane], device: torch.device) -> tuple[Plane, ...]:
    """Views of an NV12 frame's planes if they are on ``device``, else copies of them there.

    Views share the frame's memory and keep it alive; a decoder may still read it.
    """
    # The capsule, not the plane: torch would pass its stream to the plane, and PyAV accepts no stream.
    tensors = (from_dlpack(plane.__dlpack__()) for plane in planes)
    return _as_planes([tensor.to(device) for tensor in tensors])


def _as_planes(tensors: Sequence[torch.Tensor]) -> tuple[Plane, ...]:
    # To type checkers they are arrays: Frame.planes states what can be done with them.
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
    """Luma (H, W) and chroma (H / 2, W / 2, 2) uint8 in one block of memory, not initialised.

    NVENC is given the address of luma and the length of a row, and expects chroma right below: the rows of both planes
    must lie in one (3 H / 2, pitch) block.
    """
    pitch = -(-width // PITCH) * PITCH
    rows = torch.empty((height * 3 // 2, pitch), dtype=torch.uint8, device=device)
    return rows[:height, :width], rows[height:, :width].view(height // 2, width // 2, 2)


class OwnMemory:
    """The first effect of every chain on a device: copies the frame, as the decoder may still read its own planes."""

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """The same frame in new memory on the same device, in the layout that NVENC takes."""
        given = tensors_of(frame)
        own = new_av_frame(*frame.size_wh, given[0].device)
        for target, source in zip(own, given, strict=True):
            target.copy_(source)
        return replace(frame, planes=_as_planes(own))
