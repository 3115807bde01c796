"""An output of a live picture in a thread of its own, behind a bounded hand-over."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, Protocol

import av

from emocolor.errors import EmocolorError, SinkError

from ..audio import AudioFormat, AudioPacket
from ..capture.reconnecting import BackOff
from ..handover import Handover
from ..mailbox import Closed
from ..media_clock import TICK
from .canvas import Canvas

PICTURES, SOUNDS = 8, 256
"""Most that wait for an output: a quarter of a second of pictures, some seconds of sound."""
FINISH_S: Final = 10.0
"""How long an output may take to finish; what takes longer is left behind."""

HEALTHY: Final = 100
"""After so many pictures, pauses begin at the shortest again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Form:
    """What an output is told before its first picture; it stays so to the end."""

    canvas: Canvas
    rate: Fraction
    """Pictures a second, nominal."""
    sound: AudioFormat | None


class Output(Protocol):
    """A place for pictures and sound, opened for one form. All calls come from one thread, and may block."""

    def write(self, picture: av.VideoFrame) -> None:
        """Take a picture of the form's canvas, with ``pts`` in ``TICK``; it is shared, so it must not be changed.

        Raises ``SinkError``.
        """
        ...

    def write_audio(self, packet: AudioPacket) -> None:
        """Take sound of the form's, whose time is not before the first picture's. Raises ``SinkError``."""
        ...

    def finish(self) -> None:
        """Write what is left, and close. Raises ``SinkError``; ``abort`` is called then."""
        ...

    def abort(self) -> None:
        """Close, whatever state it is in; never raises."""
        ...


@dataclass(frozen=True)
class _Shot:
    """A picture on its way, with what was to be known of it when it was sent."""

    picture: av.VideoFrame
    form: Form


class OutputThread:
    """Opens an output at the first picture, feeds it, finishes it.

    ``put_picture`` and ``put_audio`` never wait. An output that fails is opened again with growing pauses where
    ``comes_back``; else that is told to ``failed``, once, and what still comes is dropped.
    """

    def __init__(
        self,
        shown: str,
        open_output: Callable[[Form], Output],
        failed: Callable[["OutputThread"], None],
        *,
        comes_back: bool = False,
    ) -> None:
        self.shown = shown
        self.pictures = 0
        """Written so far."""
        self.error: EmocolorError | None = None
        """What ended it, if it was not ``close``."""
        self._open, self._failed, self._comes_back = open_output, failed, comes_back
        self._items: Handover[Literal["picture", "sound"], _Shot | AudioPacket] = Handover(
            {"picture": PICTURES, "sound": SOUNDS}
        )
        self._back_off = BackOff()
        self._closing = threading.Event()
        self._away = Counter[str]()
        self._thread = threading.Thread(target=self._guarded, name=f"output {shown}", daemon=True)

    def start(self) -> None:
        """Begin to wait for pictures."""
        self._thread.start()

    def put_picture(self, picture: av.VideoFrame, form: Form) -> None:
        self._items.put("picture", _Shot(picture, form))

    def put_audio(self, packet: AudioPacket) -> None:
        self._items.put("sound", packet)

    def end(self) -> None:
        """Let it write what it has, and finish; does not wait for it."""
        self._closing.set()
        self._items.close()

    def close(self) -> None:
        """End it, and wait until it has finished; for at most ``FINISH_S``."""
        self.end()
        if not self._thread.is_alive():
            return
        self._thread.join(FINISH_S)
        if self._thread.is_alive():
            self.error = SinkError(f"{self.shown} could not be finished in {FINISH_S:g} s.")

    @property
    def drops(self) -> Mapping[str, int]:
        """Pictures and sounds that were dropped, by reason."""
        slow = self._items.dropped
        return {f"slow output, {kind}": count for kind, count in slow.items()} | dict(self._away)

    def _guarded(self) -> None:
        try:
            self._run()
        except EmocolorError as error:
            self.error = error
        except Exception as error:  # a defect of ours ends this output, never the program
            log.exception("an output failed")
            self.error = EmocolorError(f"Internal error: {error!r}.")
        if self.error is not None:
            self._items.close()
            self._failed(self)

    def _run(self) -> None:
        while True:
            try:
                self._write_until_closed()
                return
            except SinkError as error:
                if not self._comes_back or self._closing.is_set():
                    raise
                delay = self._back_off.next()
                log.warning("%s Trying again in %g s.", error, delay, extra={"event": "retry", "delay_s": delay})
            self._pause(delay)

    def _pause(self, delay: float) -> None:
        self._closing.wait(delay)
        for kind, count in self._items.clear().items():
            self._away[f"output away, {kind}"] += count

    def _write_until_closed(self) -> None:
        early: deque[AudioPacket] = deque(maxlen=SOUNDS)
        shot = self._first_picture(early)
        if shot is None:
            return
        form, began = shot.form, float((shot.picture.pts or 0) * TICK)
        output = self._open(form)
        try:
            log.info("%s: %dx%d", self.shown, *form.canvas.size_wh, extra={"event": "opened", "output": self.shown})
            self._write(output, shot)
            for packet in early:
                self._write_sound(output, packet, form, began)
            self._feed(output, form, began)
            output.finish()
        except BaseException:
            output.abort()
            raise

    def _first_picture(self, early: deque[AudioPacket]) -> _Shot | None:
        """The first picture, sound before it kept; ``None`` where none comes."""
        try:
            while not isinstance(item := self._items.take(), _Shot):
                assert item is not None
                early.append(item)
        except Closed:
            return None
        return item

    def _feed(self, output: Output, form: Form, began: float) -> None:
        """Write what comes until there is no more."""
        while True:
            try:
                item = self._items.take()
            except Closed:
                return
            if isinstance(item, _Shot):
                self._write(output, item)
            elif item is not None:
                self._write_sound(output, item, form, began)

    def _write(self, output: Output, shot: _Shot) -> None:
        output.write(shot.picture)
        self.pictures += 1
        if self.pictures % HEALTHY == 0:
            self._back_off.reset()

    def _write_sound(self, output: Output, packet: AudioPacket, form: Form, began: float) -> None:
        """Sound from before the first picture, or of another form than it began with, has no place."""
        if packet.form != form.sound:
            self._away["sound of another form"] += 1
        elif packet.time >= began:
            output.write_audio(packet)
