"""The tracks that aiortc's senders read: the newest picture, and sound held back to stay with the picture.

A sender asks for a frame, encodes it in another thread, sends it and asks again. So a picture that is ready while the
one before is being encoded waits here, alone, and the next one takes its place: nothing queues.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame as AvFrame

from ..loop_mailbox import LoopMailbox
from ..mailbox import Closed
from ..statistics import Statistics

MOST_SOUND: Final = 50
"""Pieces of sound that wait; a second of aiortc's 20 ms."""
HEAD_START_S: Final = 0.047
"""How much later than the picture sound comes out of aiortc's receiver: it waits for four more pieces of 20 ms, the
picture for one more frame of 33 ms."""


class OutgoingVideo(MediaStreamTrack):
    """Hands the newest picture to one sender, and measures how long after its receipt that was."""

    kind = "video"

    def __init__(self) -> None:
        """To be made on the event loop."""
        super().__init__()
        self.statistics = Statistics()
        self._newest: LoopMailbox[tuple[av.VideoFrame, float]] = LoopMailbox(asyncio.get_running_loop())

    def put(self, picture: av.VideoFrame, received_at: float) -> None:
        """Leave a picture, which is this track's own from then on; from any thread, never blocks.

        ``received_at`` is when the frame came in that this was, on the monotonic clock.
        """
        if self._newest.put((picture, received_at)):
            self.statistics.dropped("encoder busy")

    async def recv(self) -> AvFrame:
        """The newest picture that was not given yet. Raises ``MediaStreamError`` after ``stop``."""
        try:
            picture, received_at = await self._newest.take()
        except Closed:
            raise MediaStreamError from None
        now = time.monotonic()
        self.statistics.went(now, now - received_at)
        return picture

    def stop(self) -> None:
        self._newest.close()
        super().stop()


class OutgoingAudio(MediaStreamTrack):
    """Hands sound to one sender in order, each piece as much delayed as the picture is at that time."""

    kind = "audio"

    def __init__(self, picture_delay_s: Callable[[], float]) -> None:
        """``picture_delay_s`` says how long after its receipt a picture goes out at present."""
        super().__init__()
        self._picture_delay_s = picture_delay_s
        self._pieces: deque[tuple[av.AudioFrame, float]] = deque(maxlen=MOST_SOUND)
        self._came = asyncio.Event()

    def put(self, sound: av.AudioFrame) -> None:
        """Leave a piece, on the event loop; where too many wait, the oldest is dropped."""
        due = time.monotonic() + max(0.0, self._picture_delay_s() - HEAD_START_S)
        self._pieces.append((sound, due))
        self._came.set()

    async def recv(self) -> AvFrame:
        """The next piece, when it is due. Raises ``MediaStreamError`` after ``stop``."""
        while not self._pieces:
            if self.readyState != "live":
                raise MediaStreamError
            self._came.clear()
            await self._came.wait()
        sound, due = self._pieces.popleft()
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        return sound

    def stop(self) -> None:
        super().stop()
        self._pieces.clear()
        self._came.set()


def copy_of_sound(sound: av.AudioFrame) -> av.AudioFrame:
    """The same sound in memory of its own, for one more encoder."""
    made = av.AudioFrame.from_ndarray(sound.to_ndarray(), format=sound.format.name, layout=sound.layout.name)
    made.sample_rate, made.pts, made.time_base = sound.sample_rate, sound.pts, sound.time_base
    return made
