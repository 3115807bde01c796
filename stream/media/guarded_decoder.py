"""A decoder in hardware under guard: where it loses a frame, software takes over and no frame is missing.

Hardware decoders may come up short without an error. Every packet says when its frame is shown, and frames leave
a decoder in order of presentation. So a frame that comes while an earlier one is still due gives the loss away, and
nothing later has been passed on by then. The packets from the last key frame but one are kept: software decodes them
again, what was passed on is left out, and the rest of the video is software's.

Before hardware is trusted at all, both decode until each has given its first frame. These must have the same time
and the same samples.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import av
import numpy as np

from .frames import color_of, convert, planes_of, working_format
from .packets import Packet

MOST_DUE: Final = 64
"""Frames that may wait in a decoder. Codecs reorder over at most 16; more than this never come."""
MOST_KEPT_BYTES: Final = 256 << 20
"""Packets that are kept; where key frames are so rare, software goes on alone."""


class Decoder(Protocol):
    """What FFmpeg's decoders look like."""

    def decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        """Frames that ``packet`` completes, or with ``None`` those still inside, in order of presentation."""
        ...


class GuardedDecoder:
    """Decodes one video stream in hardware as long as that gives every frame."""

    def __init__(
        self,
        hardware: Decoder,
        software: Callable[[Packet | None], list[av.VideoFrame]],
        *,
        restart: Callable[[], None],
        warn: Callable[[str], None],
    ) -> None:
        """``software`` decodes as ``hardware`` does and never raises; after ``restart`` it begins at a key frame."""
        self._hardware: Decoder | None = hardware
        self._software, self._restart, self._warn = software, restart, warn
        self._first: tuple[list[av.VideoFrame], list[av.VideoFrame]] | None = [], []
        """What hardware and software have given while hardware is not yet trusted."""
        self._kept: list[Packet] = []
        self._kept_bytes = 0
        self._key_times: set[int] = set()
        self._due: list[int] = []
        """Times of the frames that hardware holds, rising."""
        self._last: int | None = None
        """Time of the last frame that hardware gave."""
        self._skip_to: int | None = None
        """Software's frames up to this time were passed on by hardware."""

    def decode(self, packet: Packet | None) -> Iterator[av.VideoFrame]:
        """Frames that ``packet`` completes, or with ``None`` those still inside, in order of presentation."""
        if self._hardware is None:
            yield from self._from_software(packet)
            return
        if packet is not None:
            self._keep(packet)
        found, flaw = self._from_hardware(self._hardware, packet)
        if self._first is not None:
            yield from self._audition(packet, found, flaw)
            return
        yield from found
        if flaw:
            yield from self._take_over(flaw, ended=packet is None)

    def _keep(self, packet: Packet) -> None:
        self._kept.append(packet)
        self._kept_bytes += packet.size
        if packet.pts is None:
            return
        if packet.is_keyframe:
            self._key_times.add(packet.pts)
        if not packet.is_discard:
            insort(self._due, packet.pts)

    def _from_hardware(self, hardware: Decoder, packet: Packet | None) -> tuple[list[av.VideoFrame], str]:
        """The frames in whose order nothing is missing, and what is wrong after them, if anything is."""
        if packet is not None and packet.pts is None:
            return [], "cannot be checked on packets without times"
        try:
            found = hardware.decode(packet)
        except av.error.EOFError:
            found = []
        except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
            return [], f"failed ({getattr(error, 'strerror', None) or error})"
        good: list[av.VideoFrame] = []
        for frame in found:
            if flaw := self._flaw(frame):
                return good, flaw
            good.append(frame)
        if packet is None and self._due:
            return good, f"did not give the frame at {self._seconds(self._due[0])}"
        if len(self._due) > MOST_DUE:
            return good, f"holds back the frame at {self._seconds(self._due[0])}"
        if self._kept_bytes > MOST_KEPT_BYTES:
            return good, "cannot be checked where key frames are this rare"
        return good, ""

    def _flaw(self, frame: av.VideoFrame) -> str:
        """What is wrong with the next frame, or nothing: then it counts as given."""
        if frame.is_corrupt:
            return "gave a damaged frame"
        if frame.pts is None:
            return "gave a frame without a time"
        place = bisect_left(self._due, frame.pts)
        if self._last is None:
            del self._due[:place]  # neither decoder can show what lies before the first key frame
            place = 0
        if place > 0:
            return f"did not give the frame at {self._seconds(self._due[0])}"
        if not self._due or self._due[0] != frame.pts:
            return f"gave a frame at {self._seconds(frame.pts)} that no packet has"
        self._last = self._due.pop(0)
        if self._last in self._key_times:
            self._key_times.remove(self._last)
            self._forget()
        return ""

    def _forget(self) -> None:
        """Drop the packets before the last key frame but one whose frame was given.

        The last alone would do where groups of frames are closed. Where they are open, or refreshed bit by bit, a
        decoder that starts at a key frame needs some time to give whole frames.
        """
        assert self._last is not None
        keys = [
            place
            for place, packet in enumerate(self._kept)
            if packet.is_keyframe and packet.pts is not None and packet.pts <= self._last
        ]
        if len(keys) > 1:
            dropped, self._kept = self._kept[: keys[-2]], self._kept[keys[-2] :]
            self._kept_bytes -= sum(packet.size for packet in dropped)

    def _audition(self, packet: Packet | None, found: list[av.VideoFrame], flaw: str) -> Iterator[av.VideoFrame]:
        """Hold both decoders' frames until it is clear whose are passed on."""
        assert self._first is not None
        hardware, software = self._first
        hardware += found
        software += self._software(packet)
        if not flaw and hardware and software and not _same(hardware[0], software[0]):
            flaw = "shows the first frame otherwise than FFmpeg's own decoder"
        if not flaw and len(hardware) > MOST_DUE:
            flaw = "cannot be compared with FFmpeg's own decoder, which gives no frame"
        if flaw or packet is None:
            if flaw:
                self._warn(f"NVDEC {flaw}; FFmpeg's software decoder is used.")
            self._dismiss()
            yield from software
        elif hardware and software:
            self._first = None
            self._restart()
            yield software[0]  # which has all that the container tells of the frame
            yield from hardware[1:]

    def _take_over(self, flaw: str, *, ended: bool) -> Iterator[av.VideoFrame]:
        """The frames that are left, from software."""
        self._warn(f"NVDEC {flaw}; FFmpeg's software decoder takes over from there.")
        kept, self._skip_to = self._kept, self._last
        self._dismiss()
        for packet in kept:
            yield from self._from_software(packet)
        if ended:
            yield from self._from_software(None)

    def _from_software(self, packet: Packet | None) -> Iterator[av.VideoFrame]:
        for frame in self._software(packet):
            if self._skip_to is not None and frame.pts is not None:
                if frame.pts <= self._skip_to:
                    continue
                self._skip_to = None
            yield frame

    def _dismiss(self) -> None:
        self._hardware = self._first = None
        self._kept, self._key_times, self._due = [], set(), []

    def _seconds(self, pts: int) -> str:
        return f"{float(pts * self._kept[-1].time_base):.3f} s"


def _same(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    """Whether two frames, the first of which may be in a GPU's memory, have the same time, size and samples."""
    if (one.pts, one.width, one.height) != (other.pts, other.width, other.height):
        return False
    form, _ = working_format(other.format.name)
    frames = (convert(frame, color_of(other), form.name) for frame in (one, other))
    planes = (planes_of(frame, form) for frame in frames)
    return all(np.array_equal(first, second) for first, second in zip(*planes, strict=True))
