"""The tint on planes in GPU memory: :class:`emocolor.effects.Tint` decides what to tint and how, this module does it.

Tinting a whole frame maps each code by itself, so the CPU's effect makes lookup tables of it: the result is the same,
bit for bit. Regions are blended by masks in float32 and differ by one code at most.
"""

import numpy as np
import torch
from torch.nn import functional

from emocolor.arrays import Mask, Vector
from emocolor.color import code_range
from emocolor.effects import Tint
from emocolor.face_regions import place_disc
from emocolor.faces import Face
from emocolor.frames import Frame

from .planes import tensors_of
from .tables import look_up, tables_of


class DeviceTint(Tint):
    """Blend an NV12 frame on a device, or a region of it, with the colour of the smoothed emotion.

    Frames must have planes of their own (:class:`~engines.device.planes.OwnMemory`), which are changed in place. Does
    not synchronise.
    """

    def _tint_whole(self, frame: Frame, probabilities: Vector, certainty: float) -> None:
        tables = tables_of(frame, lambda ramp: super(DeviceTint, self)._tint_whole(ramp, probabilities, certainty))
        luma, chroma = tensors_of(frame)
        look_up(luma, tables[0])
        look_up(chroma[..., 0], tables[1])
        look_up(chroma[..., 1], tables[2])

    def _tint_masked(self, frame: Frame, mask: Mask, probabilities: Vector, certainty: float) -> None:
        luma, chroma = tensors_of(frame)
        coarse = torch.from_numpy(np.ascontiguousarray(mask, np.float32)).to(luma.device, non_blocking=True)
        self._move(frame, luma, chroma, (_scaled(coarse, luma), _scaled(coarse, chroma)), probabilities, certainty)

    def _tint_face(self, frame: Frame, face: Face, probabilities: Vector, certainty: float) -> None:
        luma, chroma = tensors_of(frame)
        placed = [
            place_disc(self._disc, face, subsampling, tuple(plane.shape[:2]))
            for subsampling, plane in (((1, 1), luma), (frame.format.subsampling, chroma))
        ]
        if placed[0] is None or placed[1] is None:
            return
        (rows, columns, fine), (chroma_rows, chroma_columns, coarse) = placed[0], placed[1]
        masks = [
            torch.from_numpy(mask * np.float32(face.presence)).to(luma.device, non_blocking=True)
            for mask in (fine, coarse)
        ]
        parts = luma[rows, columns], chroma[chroma_rows, chroma_columns]
        self._move(frame, *parts, (masks[0], masks[1]), probabilities, certainty)

    def _move(
        self,
        frame: Frame,
        luma: torch.Tensor,
        chroma: torch.Tensor,
        masks: tuple[torch.Tensor, torch.Tensor],
        probabilities: Vector,
        certainty: float,
    ) -> None:
        """Blend in proportion to the masks of luma and chroma, (H, W) and (h, w) float32 in [0, 1]."""
        alpha, codes = self._alpha(certainty), self._color(frame, probabilities)
        move_toward(luma, codes[0], alpha, masks[0])
        part, wanted = alpha, list(codes[1:])
        if self.options.base == "gray":
            middle = code_range(frame.color, frame.format.bits)[2]
            part, wanted = 1.0, [(1 - alpha) * middle + alpha * code for code in wanted]
        for channel, code in zip(chroma.unbind(-1), wanted, strict=True):
            move_toward(channel, code, part, masks[1])


def move_toward(plane: torch.Tensor, code: float, part: float, mask: torch.Tensor) -> None:
    """``plane += part * mask * (code - plane)``, rounded, in place: (H, W) uint8; ``mask`` float32 of that shape."""
    was = plane.float()
    plane.copy_(was.add_((code - was).mul_(mask), alpha=part).round_().clamp_(0, 255))


def _scaled(mask: torch.Tensor, plane: torch.Tensor) -> torch.Tensor:
    """A mask (h, w) of the whole frame on a plane's grid, as by ``emocolor.person_regions.plane_mask``."""
    size = plane.shape[0], plane.shape[1]
    return functional.interpolate(mask[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
