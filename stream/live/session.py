"""One live picture: frames in at any pace, the newest recoloured and handed on.

    offer -> [newest] -> paint -> deliver
                           |  ^
                           v  | the scene as it is known
                  [newest] watch -> judge

Painting never waits for analysis: a frame is coloured by what is known when its turn comes, and a look at it, where one
is due, is taken beside. One frame is under way and at most one waits, so the latency added is at most twice what
painting takes; what would wait longer is dropped and counted.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from emocolor.analysis import FaceTracker
from emocolor.cuts import CutDetector
from emocolor.errors import EmocolorError
from emocolor.face_crops import FER2013
from emocolor.faces import Scene
from emocolor.frames import PIXEL_FORMATS, Frame
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from emocolor.tracks import Tracks
from engines.spec import read_spec

from ..graph import make_detector
from ..media.frames import to_working_format, unwrap, wrap
from .chain import Chain, ChainBuilder
from .controls import Controls
from .face_judge import BatchedClassifier
from .mailbox import Closed, Mailbox
from .quality import LEVELS, ControllerOptions, Quality, QualityController
from .statistics import Snapshot, Statistics

LONGEST_GAP_S = 2.0
"""After a longer gap in media time what was seen before counts no more."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """A frame and when it came in, on the monotonic clock."""

    frame: Frame
    at: float


@dataclass(frozen=True)
class RenderedFrame:
    """A frame on its way out."""

    frame: Frame
    scene: Scene
    received_at: float
    """When the frame came in that this was, on the monotonic clock."""


@dataclass(frozen=True)
class _Sight:
    """Luma of a frame for the watcher, in memory of its own."""

    frame: Frame
    cut: bool


class LiveSession:
    """Recolours one live picture in threads of its own.

    ``deliver`` gets each painted frame in the painting thread and must not block; ``failed`` is told, once, of an
    error after which nothing more will come; ``refused`` of controls that could not be used, each time, after which
    the ones before are in use again.
    """

    def __init__(
        self,
        judge: BatchedClassifier,
        controls: Controls,
        deliver: Callable[[RenderedFrame], None],
        *,
        builder: ChainBuilder | None = None,
        options: ControllerOptions | None = None,
        failed: Callable[[EmocolorError], None] = lambda error: log.error("%s", error),
        refused: Callable[[EmocolorError], None] = lambda error: log.warning("%s", error),
        name: str = "live",
    ) -> None:
        """``name`` tells this session's threads, and so its log lines, from others'."""
        self.controls = controls
        self._in_use = controls
        """Those of the chain that paints, where the ones asked for are not ready yet."""
        self.statistics = Statistics()
        self._judge = judge
        self._deliver = deliver
        self._failed = failed
        self._refused = refused
        self._builder = builder or ChainBuilder()
        self._controller = QualityController(options)
        self._frames: Mailbox[Received] = Mailbox()
        self._sights: Mailbox[_Sight] = Mailbox()
        self._changes: Mailbox[Controls] = Mailbox()
        self._chain: Chain | None = None
        self._scenes = SceneBuilder(SmoothingOptions(look_ahead=0))
        self._lock = threading.Lock()
        """Of the scenes, which painting reads and watching adds to."""
        self._cuts = CutDetector()
        self._last_time: float | None = None
        self._due = -math.inf
        self._seeing = threading.Event()
        """Set while a look is under way."""
        self._cut_unseen = False
        self._error: EmocolorError | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=f"{name} {task}", daemon=True)
            for task, work in (("paint", self._paint), ("watch", self._watch), ("prepare", self._prepare))
        ]

    @property
    def level(self) -> int:
        """The step of ``LEVELS`` that is in use; 0 is the best."""
        return self._controller.level

    @property
    def quality(self) -> Quality:
        return LEVELS[self._controller.level]

    def start(self) -> None:
        """Load what the first controls need, and begin. Raises what ``ChainBuilder.build`` does."""
        self._chain = self._builder.build(self.controls)
        for thread in self._threads:
            thread.start()

    def offer(self, frame: Frame, received_at: float | None = None) -> None:
        """Leave a frame; never blocks. The frame is used up: its planes may be written."""
        now = time.monotonic()
        self.statistics.came(now)
        if self._frames.put(Received(frame, now if received_at is None else received_at)):
            self.statistics.dropped("newer frame")

    def change(self, controls: Controls) -> None:
        """Use other controls as soon as what they need is loaded; of several changes the newest counts."""
        self.controls = controls
        self._changes.put(controls)

    def snapshot(self) -> Snapshot:
        """What was measured so far."""
        return self.statistics.snapshot(time.monotonic())

    def close(self) -> None:
        """End the threads; a second call does nothing."""
        for box in (self._frames, self._sights, self._changes):
            box.close()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()
        self._builder.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Closed:
            pass
        except EmocolorError as error:
            self._fail(error)
        except Exception as error:  # a defect of ours ends this session, never the program
            log.exception("a live session failed")
            self._fail(EmocolorError(f"Internal error: {error!r}."))

    def _fail(self, error: EmocolorError) -> None:
        with self._lock:
            first, self._error = self._error is None, self._error or error
        for box in (self._frames, self._sights, self._changes):
            box.close()
        if first:
            self._failed(error)

    def _prepare(self) -> None:
        """Build chains beside the painting, so that loading a net holds no frame up."""
        while True:
            controls = self._changes.take()
            assert controls is not None
            try:
                self._chain, self._in_use = self._builder.build(controls), controls
            except EmocolorError as error:
                if self.controls is controls:
                    self.controls = self._in_use
                self._refused(error)

    def _paint(self) -> None:
        while True:
            received = self._frames.take()
            assert received is not None
            if not self._goes_on(received.frame.time):
                self.statistics.dropped("out of order")
                continue
            began = time.monotonic()
            painted = self._painted(received)
            now = time.monotonic()
            self.statistics.took("paint", now - began)
            self._deliver(painted)
            self.statistics.went(now, now - received.at)
            if self._controller.update(now, self.statistics.late()):
                log.info("quality level %d: %s", self.level, self.quality)

    def _painted(self, received: Received) -> RenderedFrame:
        frame = smaller(received.frame, self.quality.scale)
        cut = self._cuts.is_cut(frame)
        self._show_watcher(frame, cut)
        with self._lock:
            scene = replace(self._scenes.scene_at(frame.time), cut=cut)
        assert self._chain is not None
        return RenderedFrame(self._chain.apply(frame, scene), scene, received.at)

    def _goes_on(self, media_time: float) -> bool:
        """Whether a frame of this time may follow; where time jumps, what was seen is forgotten."""
        last = self._last_time
        if last is not None and -LONGEST_GAP_S < media_time - last <= 0:
            return False
        if last is not None and not 0 < media_time - last <= LONGEST_GAP_S:
            with self._lock:
                self._scenes = SceneBuilder(SmoothingOptions(look_ahead=0))
            self._cuts, self._due, self._cut_unseen = CutDetector(), -math.inf, True
        self._last_time = media_time
        return True

    def _show_watcher(self, frame: Frame, cut: bool) -> None:
        """Leave a copy of the luma where a look is due and the one before is done."""
        self._cut_unseen = self._cut_unseen or cut
        due = self._cut_unseen or frame.time >= self._due
        if not due or self._seeing.is_set():
            return
        self._seeing.set()
        gray = "gray" if frame.format.bits == 8 else f"gray{frame.format.bits}le"
        luma = replace(frame, planes=(frame.luma.copy(),), format=PIXEL_FORMATS[gray], handle=None)
        self._sights.put(_Sight(luma, self._cut_unseen))
        self._cut_unseen = False
        self._due = frame.time + 1 / self.quality.rate_hz

    def _watch(self) -> None:
        detector = make_detector()
        tracker = FaceTracker(detector, Tracks(), FER2013, read_spec(LEVELS[0].net).crop_size)
        try:
            while True:
                sight = self._sights.take()
                assert sight is not None
                scenes = self._scenes
                began = time.monotonic()
                found = tracker.track(sight.frame, cut=sight.cut)
                seen = time.monotonic()
                observation = self._judge.judge(found, self.quality)
                self.statistics.took("look", seen - began)
                self.statistics.took("judge", time.monotonic() - seen)
                with self._lock:
                    scenes.add(observation)
                self._seeing.clear()
        finally:
            detector.close()


def smaller(frame: Frame, scale: float) -> Frame:
    """The frame made smaller, sides even; the same one at scale 1."""
    if scale == 1:
        return frame
    width, height = (max(2, round(side * scale / 2) * 2) for side in frame.size_wh)
    picture = to_working_format(unwrap(frame), frame.format, (width, height))
    small = wrap(
        picture,
        pts=frame.pts,
        duration=frame.duration,
        time_base=frame.time_base,
        sample_aspect=frame.sample_aspect,
        rotation=frame.rotation,
    )
    return replace(small, color=frame.color)  # which codes without tags are guessed from the size
