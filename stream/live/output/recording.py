"""A session recorded to a Matroska file on the server: H.264 and Opus, written by a thread of its own.

The file needs no end to be playable: clusters are written as they come, so that one that a crash cut off lacks its
last second only. All pictures are put onto the size of the first, since an encoder cannot change it.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from emocolor.errors import SinkError
from stream.media.frames import wrap

from ..handover import Handover
from ..mailbox import Closed
from ..media_clock import TICK
from ..webrtc.outgoing_tracks import HEAD_START_S
from .canvas import FORMAT, Canvas

ROOM: Final = {"picture": 8, "sound": 100}
"""What may wait for the encoder: a quarter of a second, and two."""
ENCODER: Final = {"preset": "veryfast", "crf": "23", "tune": "zerolatency", "g": "60"}
CONTAINER: Final = {"cluster_time_limit": "1000", "flush_packets": "1", "max_interleave_delta": "500000"}
"""In ms and us: sound that does not come holds pictures back for half a second."""
SAMPLE_RATE: Final = 48_000
SAMPLE: Final = Fraction(1, SAMPLE_RATE)
DRIFT_S: Final = 0.5
"""Where media time is this far from the time of receipt, it has jumped."""

log = logging.getLogger(__name__)


class FileRecording:
    """Takes pictures and sound from any thread; where the encoder is too slow, the oldest that wait are dropped."""

    def __init__(self, path: Path, *, sound: bool) -> None:
        """``sound``: there will be some. Raises ``SinkError`` where the file cannot be made; it must not exist."""
        try:
            path.open("xb").close()
        except OSError as error:
            raise SinkError(f"The recording {path} cannot be written: {error.strerror}.") from error
        self.path = path
        self._writer = _Writer(path, sound=sound)
        self._items: Handover[str, tuple[Any, float]] = Handover(ROOM)
        self._thread = threading.Thread(target=self._work, name=f"record {path.stem[-4:]}", daemon=True)
        self._thread.start()

    def put(self, picture: av.VideoFrame, received_at: float) -> None:
        """Leave a picture, ``yuv420p``, which is the recording's own from then on; never blocks."""
        self._items.put("picture", (picture, received_at))

    def put_audio(self, sound: av.AudioFrame, received_at: float) -> None:
        """Leave a piece of sound; never blocks. What comes before the first picture is left out."""
        self._items.put("sound", (sound, received_at))

    def close(self) -> None:
        """Encode what is left and finish the file. One that holds nothing is removed."""
        self._items.close()
        self._thread.join()

    def _work(self) -> None:
        writer = self._writer
        try:
            while True:
                item = self._items.take()
                assert item is not None
                writer.write(*item)
        except Closed:
            self._guarded(writer.finish)
        except (OSError, av.FFmpegError) as error:
            log.error("the recording %s ends here: %s", self.path.name, error)
            self._items.close()
            self._guarded(writer.finish)
        if dropped := self._items.dropped:
            log.warning("the recording %s lacks what its encoder was too slow for: %s", self.path.name, dict(dropped))

    def _guarded(self, finish: Callable[[], None]) -> None:
        try:
            finish()
        except (OSError, av.FFmpegError) as error:
            log.error("the recording %s has no proper end: %s", self.path.name, error)


def recordings_in(folder: Path) -> Callable[[str, bool], FileRecording]:
    """Opens recordings in ``folder``, named by the time and the first letters of the session's id.

    Nothing that came over the network is in the name but letters of an id that the server made.
    """

    def make(session: str, sound: bool) -> FileRecording:
        return FileRecording(folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{session[:4]}.mkv", sound=sound)

    return make


class _Track:
    """Places what comes on one timeline: by its own clock, and by the time of receipt where that has jumped."""

    def __init__(self, begun_at: float) -> None:
        self._begun_at = begun_at
        self._offset: float | None = None
        self._last = -1

    def ticks(self, media_time: float, received_at: float, unit: Fraction) -> int | None:
        """The place in units of ``unit``, after the one before; ``None`` for what was before the beginning."""
        passed = received_at - self._begun_at
        if self._offset is None or abs(media_time + self._offset - passed) > DRIFT_S:
            self._offset = passed - media_time
        ticks = round((media_time + self._offset) / unit)
        if ticks < 0:
            return None
        self._last = max(ticks, self._last + 1)
        return self._last


class _Writer:
    """The container and its streams, made when the first picture tells the size."""

    def __init__(self, path: Path, *, sound: bool) -> None:
        self._path = path
        self._sound = sound
        self._container: av.container.OutputContainer | None = None

    def write(self, item: av.VideoFrame | av.AudioFrame, received_at: float) -> None:
        if isinstance(item, av.VideoFrame):
            container = self._container or self._open(item, received_at)
            self._write_picture(container, item, received_at)
        elif self._container is not None and self._sound:
            self._write_sound(self._container, item, received_at - HEAD_START_S)

    def finish(self) -> None:
        if self._container is None:
            self._path.unlink()
            return
        self._container.mux(self._video.encode(None))
        if self._sound:
            for piece in self._resampler.resample(None):
                self._container.mux(self._audio.encode(piece))
            self._container.mux(self._audio.encode(None))
        self._container.close()

    def _open(self, first: av.VideoFrame, received_at: float) -> av.container.OutputContainer:
        container = self._container = av.open(str(self._path), "w", format="matroska", options=CONTAINER)
        self._canvas = Canvas.of(wrap(first))
        self._video: Any = container.add_stream("libx264", rate=30, options=ENCODER)
        context, tags = self._video.codec_context, self._canvas.tags
        (context.width, context.height), context.pix_fmt, context.time_base = self._canvas.size_wh, FORMAT, TICK
        context.color_range, context.colorspace = tags.range, tags.matrix
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if self._sound:
            self._audio: Any = container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo")
            self._resampler = av.AudioResampler("s16", "stereo", SAMPLE_RATE, frame_size=960)
        self._pictures, self._sounds = _Track(received_at), _Track(received_at)
        return container

    def _write_picture(
        self, container: av.container.OutputContainer, picture: av.VideoFrame, received_at: float
    ) -> None:
        ticks = self._pictures.ticks(float(picture.time or 0.0), received_at, TICK)
        if ticks is None:
            return
        container.mux(self._video.encode(self._canvas.draw(wrap(picture, pts=ticks, time_base=TICK))))

    def _write_sound(self, container: av.container.OutputContainer, sound: av.AudioFrame, received_at: float) -> None:
        ticks = self._sounds.ticks(float(sound.time or 0.0), received_at, SAMPLE)
        if ticks is None:
            return
        sound.pts, sound.time_base = ticks, SAMPLE
        for piece in self._resampler.resample(sound):
            container.mux(self._audio.encode(piece))
