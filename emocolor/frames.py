"""A decoded frame: its planes, what its code values mean, and its time.

Nothing here depends on FFmpeg, but pixel formats, matrices and transfers have FFmpeg's names, so that an adapter maps
them one to one.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .arrays import GrayImage

Plane = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) code values; uint8 for 8 bits, else uint16 with the value in the low bits."""
Matrix = Literal["bt709", "bt601", "bt2020", "smpte240m", "fcc"]
Primaries = Literal["bt709", "bt601-525", "bt601-625", "bt2020"]
Transfer = Literal["sdr", "pq", "hlg"]
Rotation = Literal[0, 90, 180, 270]


@dataclass(frozen=True)
class PixelFormat:
    """The layout of samples in memory."""

    name: str
    """FFmpeg's name, such as ``yuv420p10le``."""
    bits: int
    """Bits per sample; above 8 a sample is a native uint16 holding its value in the low bits."""
    chroma: Literal["planar", "interleaved", "none"]
    """Chroma as two planes, as one plane of (U, V) pairs, or none."""
    subsampling: tuple[int, int] = (1, 1)
    """Luma samples per chroma sample, (horizontally, vertically)."""

    def chroma_size_wh(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a chroma plane, rounded up as FFmpeg does."""
        horizontal, vertical = self.subsampling
        return -(-width // horizontal), -(-height // vertical)


def _planar(name: str, subsampling: tuple[int, int]) -> dict[str, PixelFormat]:
    depths = {8: "", 9: "9le", 10: "10le", 12: "12le", 14: "14le", 16: "16le"}
    return {
        f"yuv{name}p{suffix}": PixelFormat(f"yuv{name}p{suffix}", bits, "planar", subsampling)
        for bits, suffix in depths.items()
    }


PIXEL_FORMATS: Final[dict[str, PixelFormat]] = {
    **_planar("420", (2, 2)),
    **_planar("422", (2, 1)),
    **_planar("444", (1, 1)),
    "yuv440p": PixelFormat("yuv440p", 8, "planar", (1, 2)),
    "yuv411p": PixelFormat("yuv411p", 8, "planar", (4, 1)),
    "yuv410p": PixelFormat("yuv410p", 8, "planar", (4, 4)),
    "nv12": PixelFormat("nv12", 8, "interleaved", (2, 2)),
    "nv16": PixelFormat("nv16", 8, "interleaved", (2, 1)),
    "gray": PixelFormat("gray", 8, "none"),
    "gray10le": PixelFormat("gray10le", 10, "none"),
    "gray12le": PixelFormat("gray12le", 12, "none"),
}
"""The formats that effects work in. An adapter converts all others to the nearest of these."""


@dataclass(frozen=True, kw_only=True)
class ColorSpec:
    """What code values mean as colours."""

    matrix: Matrix = "bt709"
    full_range: bool = False
    """Luma and chroma use all codes (``pc``); otherwise 16..235 and 16..240, scaled to the bit depth (``tv``)."""
    primaries: Primaries = "bt709"
    transfer: Transfer = "sdr"
    """``sdr`` stands for every gamma-like curve; palettes apply directly to its code values."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame, in the planes it was decoded to.

    Whoever holds a frame owns it: an effect may change the planes in place and return the same frame. All geometry
    (boxes, keypoints) is in luma pixels of these planes, before ``rotation``.
    """

    planes: tuple[Plane, ...]
    """Y (H, W); then U and V (h, w), or one plane (h, w, 2), or nothing. Strides may exceed the width.

    If the frame is ``on_device``, they lie in GPU memory: slices stay there, ``np.asarray`` copies to the host, and
    only effects made for the device may write to them."""
    format: PixelFormat
    color: ColorSpec
    pts: int
    """Presentation time in units of ``time_base``, starting near zero."""
    time_base: Fraction
    duration: int = 0
    """In units of ``time_base``; 0 if unknown."""
    sample_aspect: Fraction = Fraction(1)
    rotation: Rotation = 0
    """Degrees by which a player turns the frame clockwise for display."""
    handle: Any = None
    """Keeps the planes' memory alive; set by the adapter that made the frame, opaque to everyone else."""

    @property
    def time(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    @property
    def on_device(self) -> bool:
        """Whether the planes lie in GPU memory."""
        return not isinstance(self.planes[0], np.ndarray)

    @property
    def luma(self) -> Plane:
        return self.planes[0]

    @property
    def chroma(self) -> tuple[Plane, Plane] | None:
        """U and V, each (h, w), as views; ``None`` for gray formats."""
        if self.format.chroma == "none":
            return None
        if self.format.chroma == "interleaved":
            return self.planes[1][..., 0], self.planes[1][..., 1]
        return self.planes[1], self.planes[2]

    @property
    def size_wh(self) -> tuple[int, int]:
        height, width = self.planes[0].shape[:2]
        return width, height

    def copy(self) -> "Frame":
        """A deep copy: the same frame in memory of its own."""
        return replace(self, planes=tuple(plane.copy() for plane in self.planes), handle=None)


def luma_8bit(frame: Frame) -> GrayImage:
    """Luma as full-range 8-bit gray, (H, W) uint8, 0 black and 255 white; a view where possible.

    PQ and HLG luma keeps its transfer curve: faces look darker there, but no different.
    """
    luma = np.asarray(frame.luma, np.uint8) if frame.on_device else frame.luma
    return gray_levels(luma, frame.color, frame.format.bits)


def gray_levels(luma: Plane, color: ColorSpec, depth: int) -> NDArray[np.uint8]:
    """Luma codes of ``depth`` bits, any shape, as full-range 8-bit gray; a view where possible."""
    if depth == 8 and color.full_range:
        return np.asarray(luma, np.uint8)
    unit = 1 << (depth - 8)
    black, white = (0, (1 << depth) - 1) if color.full_range else (16 * unit, 235 * unit)
    scale = 255 / (white - black)
    if depth == 8:  # by a table: several times as fast as arithmetic on every pixel
        codes = np.arange(256)
        table = np.clip((codes - black) * scale + 0.5, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(luma, table), np.uint8)
    return np.asarray(np.clip((luma.astype(np.float32) - black) * scale + 0.5, 0, 255), np.uint8)
