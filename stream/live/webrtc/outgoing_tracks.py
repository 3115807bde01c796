"""The tracks that aiortc's senders read: the newest video frame, and audio delayed to stay in sync with the video.

A sender asks for a frame, encodes it in another thread, sends it and asks again. So one frame waits while the one
before it is encoded, and the next takes its place: nothing queues up.
"""

from collections.abc import Callable
from typing import Final

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame as AvFrame

from ..clock import SYSTEM_CLOCK, Clock
from ..handoff import Closed, Handoff
from ..statistics import Statistics

AUDIO_CAPACITY: Final = 50
"""Audio frames that may wait: one second of aiortc's 20 ms."""
AUDIO_LAG_S: Final = 0.047
"""How much later than video aiortc's receiver returns audio: it waits for four more packets of 20 ms, for video for one
more frame of 33 ms."""


class OutgoingVideo(MediaStreamTrack):
    """Hands the newest frame to one sender, and measures the latency from the frame's receipt to that moment."""

    kind = "video"

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        """Needs a running event loop."""
        super().__init__()
        self.statistics = Statistics()
        self._clock = clock
        self._newest: Handoff[tuple[av.VideoFrame, float]] = Handoff(
            on_drop=lambda _: self.statistics.dropped("encoder busy"), clock=clock
        )

    def put(self, frame: av.VideoFrame, received_at: float) -> None:
        """Leave a frame, which is the track's own from then on; from any thread, never blocks.

        ``received_at`` is when the frame came in, on the clock.
        """
        self._newest.put((frame, received_at))

    async def recv(self) -> AvFrame:
        """The newest frame that was not returned yet. Raises ``MediaStreamError`` after ``stop``."""
        try:
            frame, received_at = await self._newest.take_async()
        except Closed:
            raise MediaStreamError from None
        now = self._clock.now()
        self.statistics.frame_out(now, now - received_at)
        return frame

    def stop(self) -> None:
        self._newest.cancel()
        super().stop()


class OutgoingAudio(MediaStreamTrack):
    """Hands audio to one sender in order, delayed by the video's latency at that time."""

    kind = "audio"

    def __init__(self, video_latency_s: Callable[[], float], clock: Clock = SYSTEM_CLOCK) -> None:
        """``video_latency_s`` returns how long after its receipt a video frame is sent at present."""
        super().__init__()
        self._video_latency_s = video_latency_s
        self._clock = clock
        self._frames: Handoff[tuple[av.AudioFrame, float]] = Handoff(AUDIO_CAPACITY, clock=clock)

    def put_audio(self, frame: av.AudioFrame, received_at: float) -> None:
        """Leave a frame, which is the track's own from then on; where too many wait, the oldest is dropped."""
        due = received_at + max(0.0, self._video_latency_s() - AUDIO_LAG_S)
        self._frames.put((frame, due))

    async def recv(self) -> AvFrame:
        """The next frame, once it is due. Raises ``MediaStreamError`` after ``stop``."""
        try:
            frame, due = await self._frames.take_async()
        except Closed:
            raise MediaStreamError from None
        await self._clock.sleep(max(0.0, due - self._clock.now()))
        return frame

    def stop(self) -> None:
        self._frames.cancel()
        super().stop()


def copy_audio(frame: av.AudioFrame) -> av.AudioFrame:
    """The same audio in memory of its own, for one more encoder."""
    copy = av.AudioFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name, layout=frame.layout.name)
    copy.sample_rate, copy.pts, copy.time_base = frame.sample_rate, frame.pts, frame.time_base
    return copy
