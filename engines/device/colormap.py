"""Colormaps on planes in GPU memory: the CPU effect makes the tables, the GPU looks them up."""

from dataclasses import replace

import torch

from emocolor.effects import Colormap, ColormapOptions
from emocolor.faces import Scene
from emocolor.frames import Frame

from .planes import tensors_of
from .tables import look_up, mapped, tables_of


class DeviceColormap:
    """Colour an NV12 frame on a device by its own lightness, without preprocessing.

    At full strength the result equals the CPU's bit for bit; below, chroma differs by one code at most. Frames must
    have planes of their own (:class:`~engines.device.planes.OwnMemory`), which are changed in place. Does not
    synchronise.
    """

    def __init__(self, options: ColormapOptions) -> None:
        assert options.preprocess == "none", options.preprocess
        self.options = options
        self._whole = Colormap(replace(options, strength=1.0))
        self._mixed = Colormap(options)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Map ``frame`` in place."""
        # Luma of the mix depends on luma alone. Chroma of the mix depends on both, so its table is that of the full
        # map, and what was there is blended in afterwards.
        to_luma = tables_of(frame, lambda ramp: self._mixed.apply(ramp, scene))[0]
        _, to_blue, to_red = tables_of(frame, lambda ramp: self._whole.apply(ramp, scene))
        luma, chroma = tensors_of(frame)
        for channel, table in zip(chroma.unbind(-1), (to_blue, to_red), strict=True):
            self._replace(channel, averaged_down(mapped(luma, table)))
        look_up(luma, to_luma)
        return frame

    def _replace(self, plane: torch.Tensor, codes: torch.Tensor) -> None:
        if self.options.strength == 1:
            plane.copy_(codes)
        else:
            plane.copy_(torch.lerp(plane.float(), codes.float(), self.options.strength).round_())


def averaged_down(codes: torch.Tensor) -> torch.Tensor:
    """Means of 2 x 2 codes, rounded half up as by OpenCV's INTER_AREA: (H, W) uint8, sides even, to (H / 2, W / 2)."""
    height, width = codes.shape
    blocks = codes.view(height // 2, 2, width // 2, 2)
    return blocks.sum((1, 3), dtype=torch.int16).add_(2).bitwise_right_shift_(2).to(torch.uint8)
