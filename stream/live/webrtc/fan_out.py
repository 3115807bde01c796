"""Gives the frames of one publication to everyone who gets them: its own page, its viewers, a recording.

Nothing here waits for anyone: each sink holds one video frame, or one second of audio, and drops what it is too slow
for.
"""

from collections.abc import Callable
from typing import Protocol

import av

from emocolor.frames import Frame

from .frames import copy_video, frame_to_send
from .outgoing_tracks import copy_audio


class VideoSink(Protocol):
    """Takes rendered frames, in the rendering thread; must not block."""

    def put(self, frame: av.VideoFrame, received_at: float) -> None:
        """The frame is the sink's own; ``received_at`` is its time of receipt on the monotonic clock."""
        ...


class AudioSink(Protocol):
    """Takes audio, on the event loop; must not block."""

    def put_audio(self, frame: av.AudioFrame, received_at: float) -> None:
        """The frame is the sink's own; ``received_at`` is its time of receipt on the monotonic clock."""
        ...


class Recording(VideoSink, AudioSink, Protocol):
    """A file that takes video and audio, from any thread."""

    def when_failed(self, report: Callable[[str], None]) -> None:
        """Have ``report`` called, in any thread, with the reason in one line if the recording ends too early."""
        ...

    def close(self) -> None:
        """Finish the file; may take a while."""
        ...


class FanOut:
    """Holds the sinks. They are added and removed on the event loop; frames come from any thread."""

    def __init__(self) -> None:
        self._video: tuple[VideoSink, ...] = ()
        self._audio: tuple[AudioSink, ...] = ()
        # Both are replaced as a whole, never changed: another thread may be reading them.

    def add_video(self, sink: VideoSink) -> None:
        self._video = (*self._video, sink)

    def add_audio(self, sink: AudioSink) -> None:
        self._audio = (*self._audio, sink)

    def remove(self, *sinks: VideoSink | AudioSink | None) -> None:
        """Give these nothing any more; one that is not there is ignored."""
        self._video = tuple(sink for sink in self._video if sink not in sinks)
        self._audio = tuple(sink for sink in self._audio if sink not in sinks)

    def put_video(self, frame: Frame, received_at: float) -> None:
        """Send a rendered frame to every sink; the frame is used up."""
        sinks = self._video
        if not sinks:
            return
        first, *others = sinks
        sent = frame_to_send(frame)
        for sink in others:
            sink.put(copy_video(sent), received_at)
        first.put(sent, received_at)

    def put_audio(self, frame: av.AudioFrame, received_at: float) -> None:
        """Send audio to every sink; the frame is used up."""
        sinks = self._audio
        if not sinks:
            return
        first, *others = sinks
        for sink in others:
            sink.put_audio(copy_audio(frame), received_at)
        first.put_audio(frame, received_at)
