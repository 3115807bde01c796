"""Effects on single codes as lookup tables, which the CPU's effects fill in: nothing is implemented twice."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from emocolor.frames import PIXEL_FORMATS, Frame

Table = NDArray[np.uint8]
"""(256,): code in, code out."""


def tables_of(frame: Frame, effect: Callable[[Frame], object]) -> tuple[Table, Table, Table]:
    """What ``effect``, which changes a frame in place, makes of every code of luma, Cb and Cr.

    It gets a 4:4:4 frame with all 256 codes in each plane, in the colour space of ``frame``.
    """
    codes = np.arange(256, dtype=np.uint8)[None]
    luma, blue, red = (codes.copy() for _ in range(3))
    effect(replace(frame, planes=(luma, blue, red), format=PIXEL_FORMATS["yuv444p"], handle=None))
    return luma[0], blue[0], red[0]


def look_up(plane: torch.Tensor, table: Table) -> None:
    """Replace the codes of ``plane``, uint8 of any shape on any device, by the table's, in place."""
    if (table == table[0]).all():
        plane.fill_(int(table[0]))
        return
    plane.copy_(mapped(plane, table))


def mapped(plane: torch.Tensor, table: Table) -> torch.Tensor:
    """The table's codes for those of ``plane``, in its shape."""
    return torch.from_numpy(table).to(plane.device)[plane.int()]
