"""Writes packets into a container, so that no copied packet can end a job.

Decoding times rise in the output's own units, and what the muxer or a bitstream filter refuses is left out and counted.
"""

import errno
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final

import av
from av.container import OutputContainer

from ..packets import Packet

REFUSALS: Final = (errno.EINVAL, errno.EPERM, errno.ERANGE)
"""Error numbers by which muxers refuse a packet; all others concern the output as a whole, such as a full disk."""
EQUAL_TIMES_ALLOWED: Final = 0x20000
"""FFmpeg's AVFMT_TS_NONSTRICT."""


class Muxer:
    """Writes to one container, from one thread."""

    def __init__(self, container: OutputContainer) -> None:
        self._container = container
        self._may_be_equal = bool(container.format.flags & EQUAL_TIMES_ALLOWED)
        """Whether two packets of a stream may have one time: a unit of Matroska is longer than a packet of TrueHD."""
        self._units: dict[int, Fraction] = {}
        self._last_dts: dict[int, int] = {}
        self._copied = 0
        self.refused = 0
        """Copied packets that were left out."""
        self.refused_at_end = False
        """Whether that happened while the container was closed; FFmpeg then drops what waited behind the packet."""

    def write(self, packets: Iterable[Packet], *, copied: bool = False) -> None:
        """Write packets of any streams, after the header.

        ``copied`` packets come from the input as they are: those that the container refuses are counted. Raises
        FFmpeg's errors for everything else, and the ValueErrors that PyAV makes of them.
        """
        self._container.start_encoding()  # the header settles the units of the streams
        for packet in packets:
            self._raise_dts(packet)
            self._copied += copied
            self._accept_refusals(self._container.mux_one, packet)

    def close(self) -> None:
        """Write what is queued and the end of the file, and close it. Raises as ``write`` does."""
        before = self.refused
        self._accept_refusals(self._container.close)
        self.refused_at_end = self.refused > before

    def _accept_refusals(self, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except (av.FFmpegError, ValueError) as error:
            # FFmpeg queues packets, so the refused one need not be the one at hand; but it was a copied one.
            if not _is_refusal(error) or self.refused == self._copied:
                raise
            self.refused += 1

    def _raise_dts(self, packet: Packet) -> None:
        """Move the packet after the one before in its stream, if it is not there; muxers demand it."""
        if packet.dts is None:
            return
        stream: Any = packet.stream
        unit = self._units.setdefault(stream.index, stream.time_base)
        dts = _rescaled(packet.dts, packet.time_base, unit)
        last = self._last_dts.get(stream.index)
        # Subtitles may begin together in any container.
        least = dts if last is None else last + (stream.type != "subtitle" and not self._may_be_equal)
        if dts < least:
            pts = least if packet.pts is None else max(least, _rescaled(packet.pts, packet.time_base, unit))
            duration = _rescaled(packet.duration or 0, packet.time_base, unit)
            packet.time_base, packet.pts, packet.dts, packet.duration = unit, pts, least, duration
        self._last_dts[stream.index] = max(dts, least)


def _is_refusal(error: Exception) -> bool:
    kinds = (av.error.InvalidDataError, av.error.PatchWelcomeError)
    return isinstance(error, kinds) or getattr(error, "errno", None) in REFUSALS


def _rescaled(value: int, unit: Fraction, target: Fraction) -> int:
    """``value`` in units of ``target``, rounded as FFmpeg does: halves away from zero."""
    exact = value * unit / target
    rounded = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return rounded if exact >= 0 else -rounded
