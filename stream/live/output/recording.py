"""A session recorded to a Matroska file on the server: H.264 and Opus, written in a thread of its own.

The file can be played without a proper end: clusters are written as they come, so that after a crash at most the last
second is missing. All frames are fitted to the size of the first, since an encoder cannot change it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from emocolor.errors import SinkError
from stream.media.frames import frame_from_av
from stream.media.locations import write_failure

from ..handoff import Handoff
from ..media_clock import TICK
from ..webrtc.outgoing_tracks import AUDIO_LAG_S
from ..worker import Worker
from .canvas import Canvas
from .h264 import EncoderOptions, add_h264

CAPACITY: Final[Mapping[str, int]] = {"video": 8, "audio": 100}
"""Frames that may wait for the encoder: a quarter of a second of video, two seconds of audio."""
NOMINAL_RATE: Final = Fraction(30)
CONTAINER_OPTIONS: Final = {"cluster_time_limit": "1000", "flush_packets": "1", "max_interleave_delta": "500000"}
"""In ms and us: where audio does not come, video waits for it for half a second."""
SAMPLE_RATE: Final = 48_000
SAMPLE: Final = Fraction(1, SAMPLE_RATE)
OPUS_FRAME: Final = 960
KEPT: Final = "the recording holds what was written so far"
MAX_DRIFT_S: Final = 0.5
"""Where media time differs by more from the time of receipt, it has jumped."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Received:
    frame: av.VideoFrame | av.AudioFrame
    received_at: float


class FileRecording:
    """Takes video and audio from any thread; what the encoder is too slow for is dropped, the oldest first."""

    def __init__(self, path: Path, *, has_audio: bool, capacity: Mapping[str, int] = CAPACITY) -> None:
        """``has_audio``: there will be some. ``capacity`` is what may wait, as video frames and as audio frames.

        Raises ``SinkError`` where the file cannot be made; it must not exist.
        """
        try:
            path.open("xb").close()
        except OSError as error:
            raise SinkError(f"The recording {path} cannot be written: {error.strerror}.") from error
        self.path = path
        self._writer = RecordingWriter(path, has_audio=has_audio)
        self._report: Callable[[str], None] = lambda reason: None
        self._items: Handoff[_Received] = Handoff(capacity)
        self._worker = Worker(f"record {path.stem[-6:]}", self._run, stop=self._items.close)
        self._worker.start()

    def put(self, frame: av.VideoFrame, received_at: float) -> None:
        """Leave a ``yuv420p`` frame, which is the recording's own from then on; never blocks."""
        self._items.put(_Received(frame, received_at), "video")

    def put_audio(self, frame: av.AudioFrame, received_at: float) -> None:
        """Leave audio; never blocks. What comes before the first video frame is left out."""
        self._items.put(_Received(frame, received_at), "audio")

    def when_failed(self, report: Callable[[str], None]) -> None:
        """Have ``report`` called, in the recording's thread, with the reason in one line if the recording ends too
        early: without the file's name, since it is for the client."""
        self._report = report

    def close(self) -> None:
        """Encode what is left and finish the file. One that holds nothing is removed."""
        self._worker.close()

    def _run(self) -> None:
        try:
            for item in self._items:
                self._writer.write(item.frame, item.received_at)
        except (OSError, av.FFmpegError) as error:
            reason = str(write_failure("the recording", error, disk_full=KEPT)).rstrip(".")
            log.error("the recording %s ends here: %s", self.path.name, reason)
            self._items.cancel()
            self._report(reason)
        try:
            self._writer.finish()
        except (OSError, av.FFmpegError) as error:
            log.error("the recording %s has no proper end: %s", self.path.name, error)
        if dropped := self._items.dropped:
            log.warning("the recording %s lacks what its encoder was too slow for: %s", self.path.name, dropped)


def recordings_in(folder: Path) -> Callable[[str, bool], FileRecording]:
    """Opens recordings in ``folder``, named by the time and the session's short id, which the server made.

    Nothing that came over the network is in the name.
    """

    def open_recording(session: str, has_audio: bool) -> FileRecording:
        return FileRecording(folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{session}.mkv", has_audio=has_audio)

    return open_recording


class _Timestamps:
    """Places one stream on the recording's timeline: by its own clock, and by the time of receipt where that jumps."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._offset: float | None = None
        self._last = -1

    def place(self, media_time: float, received_at: float, unit: Fraction) -> int | None:
        """The timestamp in units of ``unit``, later than the one before; ``None`` for what precedes the start."""
        elapsed = received_at - self._started_at
        if self._offset is None or abs(media_time + self._offset - elapsed) > MAX_DRIFT_S:
            self._offset = elapsed - media_time
        timestamp = round((media_time + self._offset) / unit)
        if timestamp < 0:
            return None
        self._last = max(timestamp, self._last + 1)
        return self._last


class RecordingWriter:
    """Writes a recording as frames come; the container is made when the first video frame tells the size.

    For one thread, which gets FFmpeg's errors.
    """

    def __init__(self, path: Path, *, has_audio: bool) -> None:
        self._path = path
        self._has_audio = has_audio
        self._container: av.container.OutputContainer | None = None

    def write(self, frame: av.VideoFrame | av.AudioFrame, received_at: float) -> None:
        """Encode a frame, which is used up; audio from before the first video frame is left out."""
        if isinstance(frame, av.VideoFrame):
            self._write_video(self._container or self._open(frame, received_at), frame, received_at)
        elif self._container is not None and self._has_audio:
            self._write_audio(self._container, frame, received_at - AUDIO_LAG_S)

    def finish(self) -> None:
        """Write what the encoders still hold, and close; without any frame, remove the file."""
        if self._container is None:
            self._path.unlink()
            return
        self._container.mux(self._video.encode(None))
        if self._has_audio:
            for resampled in self._resampler.resample(None):
                self._container.mux(self._audio.encode(resampled))
            self._container.mux(self._audio.encode(None))
        self._container.close()

    def _open(self, first: av.VideoFrame, received_at: float) -> av.container.OutputContainer:
        container = self._container = av.open(str(self._path), "w", format="matroska", options=CONTAINER_OPTIONS)
        self._canvas = Canvas.of(frame_from_av(first))
        self._video = add_h264(container, self._canvas, NOMINAL_RATE, EncoderOptions().x264_options(NOMINAL_RATE))
        if self._has_audio:
            self._audio: Any = container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo")
            self._resampler = av.AudioResampler("s16", "stereo", SAMPLE_RATE, frame_size=OPUS_FRAME)
        self._video_times, self._audio_times = _Timestamps(received_at), _Timestamps(received_at)
        return container

    def _write_video(self, container: av.container.OutputContainer, frame: av.VideoFrame, received_at: float) -> None:
        pts = self._video_times.place(float(frame.time or 0.0), received_at, TICK)
        if pts is not None:
            container.mux(self._video.encode(self._canvas.draw(frame_from_av(frame, pts=pts, time_base=TICK))))

    def _write_audio(self, container: av.container.OutputContainer, frame: av.AudioFrame, received_at: float) -> None:
        pts = self._audio_times.place(float(frame.time or 0.0), received_at, SAMPLE)
        if pts is None:
            return
        frame.pts, frame.time_base = pts, SAMPLE
        for resampled in self._resampler.resample(frame):
            container.mux(self._audio.encode(resampled))
