"""The style on planes in GPU memory: the net sees the frame there, and nothing passes through host memory.

The steps and their order are those of :mod:`emocolor.effects.style`, but in float32, while OpenCV scales and converts
8 bits in fixed point. On torch's CPU device the result is within three codes of the CPU path's, and within a quarter of
a code on average.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from emocolor.effects import Style, StyleOptions
from emocolor.effects.style import IDENTITY, MIN_INPUT_SIDE, MIN_STYLE_WEIGHT, code_conversion, style_input_size
from emocolor.errors import OutOfMemoryError
from emocolor.faces import Scene
from emocolor.frames import Frame

from ..style import NetStyleTransfer
from .planes import tensors_of
from .resize import scaled


class DeviceStyle(Style):
    """Paint whole NV12 frames on a device. Not thread-safe.

    Frames must have planes of their own (:class:`~engines.device.planes.OwnMemory`), which are changed in place.
    """

    def __init__(self, options: StyleOptions, style_transfer: NetStyleTransfer) -> None:
        assert options.region == "frame", options.region
        super().__init__(options, style_transfer)
        self._net = style_transfer

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Paint ``frame`` in place."""
        mixture = self.mixture(scene)
        part = 1 - float(mixture[IDENTITY])
        if part < MIN_STYLE_WEIGHT:
            return frame
        kept = 1 - (1 - self.options.detail) * part
        luma, chroma = tensors_of(frame)
        conversion = code_conversion(frame.color, frame.format.bits)
        size_wh = style_input_size(*frame.size_wh, self.options.size)
        copy = _transformed([luma, *chroma.unbind(-1)], conversion.to_rgb, size_wh)
        difference = paint(self._net, copy, mixture).float() - kept * copy.float()
        rows = np.column_stack([conversion.to_codes, (1 - kept) * conversion.zero])
        for plane, row, stays in zip((luma, *chroma.unbind(-1)), rows, ("luma", "chroma", "chroma"), strict=True):
            if self.options.keep != stays:
                _write(plane, difference, row, kept)
        return frame


def paint(style_transfer: NetStyleTransfer, rgb: torch.Tensor, mixture: NDArray[np.float32]) -> torch.Tensor:
    """Paint ``rgb`` (h, w, 3) uint8 in a mixture (8,) of styles and the identity; the result is on the same device.

    If the net's runtime takes only arrays, or if the device runs out of memory, ``NetStyleTransfer.paint`` does it
    through host memory.
    """
    height, width = rgb.shape[:2]
    multiple = style_transfer.spec.multiple
    sides = (-(-max(MIN_INPUT_SIDE, side) // multiple) * multiple for side in (height, width))
    rows, columns = (_mirrored(side, full, rgb.device) for side, full in zip((height, width), sides, strict=True))
    run = getattr(style_transfer.runner, "run_tensors", None)
    if run is not None and style_transfer.has_room_for(len(rows), len(columns)):
        given = {"rgb": rgb[rows][:, columns][None], "mixture": torch.from_numpy(mixture)[None]}
        try:
            painted: torch.Tensor = run(given)["painted"][0, :height, :width]
            return painted
        except OutOfMemoryError:
            pass
    whole = np.ascontiguousarray(rgb[rows][:, columns].cpu().numpy())
    return torch.from_numpy(style_transfer.paint(whole, mixture)[:height, :width]).to(rgb.device)


def _mirrored(length: int, full: int, device: torch.device) -> torch.Tensor:
    """Indices (full,) into ``length`` samples, continued beyond the last by mirroring, which does not repeat it."""
    places = torch.arange(full, device=device) % max(1, 2 * length - 2)
    return torch.minimum(places, max(1, 2 * length - 2) - places).clamp_(max=length - 1)


def _transformed(planes: list[torch.Tensor], matrix: NDArray[np.float64], size_wh: tuple[int, int]) -> torch.Tensor:
    """Three planes of codes, scaled to one size and converted to R'G'B' (h, w, 3) uint8 by a matrix (3, 4)."""
    codes = torch.stack([scaled(plane.float(), size_wh).round_() for plane in planes], dim=-1)
    affine = torch.from_numpy(matrix.astype(np.float32)).to(codes.device)
    return (codes @ affine[:, :3].T + affine[:, 3]).round_().clamp_(0, 255).to(torch.uint8)


def _write(plane: torch.Tensor, difference: torch.Tensor, row: NDArray[np.float64], kept: float) -> None:
    """``plane = kept * plane + change``, rounded, in place; change is ``row`` (4,) times (R', G', B', 1), scaled."""
    weights = torch.from_numpy(row.astype(np.float32)).to(plane.device)
    change = scaled(difference @ weights[:3] + weights[3], (plane.shape[1], plane.shape[0]))
    plane.copy_(change.add(plane.float(), alpha=kept).round_().clamp_(0, 255))
