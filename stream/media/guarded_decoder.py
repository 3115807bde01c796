"""A hardware decoder whose every frame is checked: where one is missing, software takes over and none is lost.

Hardware decoders may lose frames without an error. Every packet states when its frame is presented, and frames leave a
decoder in order of presentation. So a frame that comes while an earlier one is still due reveals the loss, before
anything later has been passed on. The packets since the last key frame but one are kept: software decodes them again,
frames that were passed on already are left out, and software decodes the rest of the video.

Before hardware is trusted at all, both decode until each has given its first frame. These two must have the same time
and the same samples.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import av
import numpy as np

from .frames import color_of, convert, planes_of, working_format
from .packets import Packet

MAX_DUE: Final = 64
"""Frames that may wait in a decoder. Codecs reorder across 16 at most; if more than this are due, they never come."""
MAX_KEPT_BYTES: Final = 256 << 20
"""Packets that are kept; where key frames are so rare that these do not suffice, software decodes alone."""


class Decoder(Protocol):
    """The interface of FFmpeg's decoders."""

    def decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        """Frames that ``packet`` completes, or with ``None`` those still inside, in order of presentation."""
        ...


class GuardedDecoder:
    """Decodes one video stream in hardware as long as every frame comes."""

    def __init__(
        self,
        hardware: Decoder,
        software: Callable[[Packet | None], list[av.VideoFrame]],
        *,
        restart: Callable[[], None],
        warn: Callable[[str], None],
        max_kept_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        """``software`` decodes as ``hardware`` does and never raises; after ``restart`` it begins at a key frame."""
        self._hardware: Decoder | None = hardware
        self._software, self._restart, self._warn = software, restart, warn
        self._max_kept_bytes = max_kept_bytes
        self._trial: tuple[list[av.VideoFrame], list[av.VideoFrame]] | None = [], []
        """Frames of hardware and of software, while hardware is not trusted yet."""
        self._kept: list[Packet] = []
        self._kept_bytes = 0
        self._key_times: set[int] = set()
        self._due: list[int] = []
        """Times of the frames that hardware still has to give, in increasing order."""
        self._last: int | None = None
        """Time of the last frame from hardware."""
        self._skip_to: int | None = None
        """Software's frames up to this time were passed on by hardware already."""

    def decode(self, packet: Packet | None) -> Iterator[av.VideoFrame]:
        """Frames that ``packet`` completes, or with ``None`` those still inside, in order of presentation."""
        if self._hardware is None:
            yield from self._from_software(packet)
            return
        if packet is not None:
            self._keep(packet)
        frames, problem = self._from_hardware(self._hardware, packet)
        if self._trial is not None:
            yield from self._compare_first_frames(packet, frames, problem)
            return
        yield from frames
        if problem:
            yield from self._take_over(problem, ended=packet is None)

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
        """The frames up to the first problem, and that problem; empty if there is none."""
        if packet is not None and packet.pts is None:
            return [], "cannot be checked on packets without times"
        try:
            frames = hardware.decode(packet)
        except av.error.EOFError:
            frames = []
        except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
            return [], f"failed ({getattr(error, 'strerror', None) or error})"
        good: list[av.VideoFrame] = []
        for frame in frames:
            if problem := self._check(frame):
                return good, problem
            good.append(frame)
        if packet is None and self._due:
            return good, f"did not give the frame at {self._seconds(self._due[0])}"
        if len(self._due) > MAX_DUE:
            return good, f"holds back the frame at {self._seconds(self._due[0])}"
        if self._kept_bytes > self._max_kept_bytes:
            return good, "cannot be checked where key frames are this rare"
        return good, ""

    def _check(self, frame: av.VideoFrame) -> str:
        """The problem with the next frame, or an empty text: then the frame is no longer due."""
        if frame.is_corrupt:
            return "gave a damaged frame"
        if frame.pts is None:
            return "gave a frame without a time"
        earlier = bisect_left(self._due, frame.pts)
        if self._last is None:
            # Frames before the first key frame refer to what was never read, so no decoder can give them.
            del self._due[:earlier]
            earlier = 0
        if earlier > 0:
            return f"did not give the frame at {self._seconds(self._due[0])}"
        if not self._due or self._due[0] != frame.pts:
            return f"gave a frame at {self._seconds(frame.pts)} that no packet has"
        self._last = self._due.pop(0)
        if self._last in self._key_times:
            self._key_times.remove(self._last)
            self._drop_packets()
        return ""

    def _drop_packets(self) -> None:
        """Drop the packets before the last key frame but one whose frame was given.

        The last key frame would do where groups of frames (GOPs) are closed. Where they are open, or refreshed bit by
        bit, a decoder that starts at a key frame needs some time until its frames are complete.
        """
        assert self._last is not None
        keys = [
            index
            for index, packet in enumerate(self._kept)
            if packet.is_keyframe and packet.pts is not None and packet.pts <= self._last
        ]
        if len(keys) > 1:
            dropped, self._kept = self._kept[: keys[-2]], self._kept[keys[-2] :]
            self._kept_bytes -= sum(packet.size for packet in dropped)

    def _compare_first_frames(
        self, packet: Packet | None, frames: list[av.VideoFrame], problem: str
    ) -> Iterator[av.VideoFrame]:
        """Hold back the frames of both decoders until it is clear whose are passed on."""
        assert self._trial is not None
        hardware, software = self._trial
        hardware += frames
        software += self._software(packet)
        if not problem and hardware and software and not _identical(hardware[0], software[0]):
            problem = "decodes the first frame differently from FFmpeg's own decoder"
        if not problem and len(hardware) > MAX_DUE:
            problem = "cannot be compared with FFmpeg's own decoder, which gives no frame"
        if problem or packet is None:
            if problem:
                self._warn(f"NVDEC {problem}; FFmpeg's software decoder is used.")
            self._drop_hardware()
            yield from software
        elif hardware and software:
            self._trial = None
            self._restart()
            yield software[0]  # it carries the container's side data, such as the display matrix
            yield from hardware[1:]

    def _take_over(self, problem: str, *, ended: bool) -> Iterator[av.VideoFrame]:
        """The frames that are left, from software."""
        self._warn(f"NVDEC {problem}; FFmpeg's software decoder takes over from there.")
        kept, self._skip_to = self._kept, self._last
        self._drop_hardware()
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

    def _drop_hardware(self) -> None:
        self._hardware = self._trial = None
        self._kept, self._key_times, self._due = [], set(), []

    def _seconds(self, pts: int) -> str:
        return f"{float(pts * self._kept[-1].time_base):.3f} s"


def _identical(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    """Whether two frames, the first of which may be in a GPU's memory, have the same time, size and samples."""
    if (one.pts, one.width, one.height) != (other.pts, other.width, other.height):
        return False
    pixel_format, _ = working_format(other.format.name)
    converted = (convert(frame, color_of(other), pixel_format.name) for frame in (one, other))
    planes = (planes_of(frame, pixel_format) for frame in converted)
    return all(np.array_equal(first, second) for first, second in zip(*planes, strict=True))
