"""One live video: frames come in at any pace, and the newest is rendered and handed on.

    submit ──► [newest] ──► render ──► deliver
                             │  ▲
                             ▼  │ the scene as known so far
                         [newest] analyze ──► classify

Rendering never waits for analysis: a frame is rendered with what is known of the scene when its turn comes, and an
analysis that is due runs in parallel. One frame is being rendered and at most one waits, so the added latency is at
most twice what rendering takes; frames that would wait longer are dropped and counted.
"""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from emocolor.cuts import CutDetector
from emocolor.errors import EmocolorError
from emocolor.faces import Scene
from emocolor.frames import PIXEL_FORMATS, Frame
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions

from ..graph import LiveChain, LiveChainBuilder
from ..media.frames import frame_from_av, frame_to_av, to_pixel_format
from ..nets import WorkerNets
from .batched_classifier import BatchedClassifier
from .clock import SYSTEM_CLOCK, Clock
from .controls import Controls
from .handoff import Handoff
from .quality import LEVELS, ControllerOptions, Quality, QualityController
from .statistics import Snapshot, Statistics
from .worker import WorkerGroup

MAX_GAP_S: Final = 2.0
"""After a longer gap in media time, earlier analyses no longer count."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderedFrame:
    """A frame on its way out."""

    frame: Frame
    scene: Scene
    received_at: float
    """When the frame came in, on the monotonic clock."""


@dataclass(frozen=True)
class _ReceivedFrame:
    frame: Frame
    received_at: float


@dataclass(frozen=True)
class _AnalysisRequest:
    frame: Frame
    """Luma only, in memory of its own."""
    cut: bool


class LiveSession:
    """Renders one live video in threads of its own.

    ``deliver`` gets each rendered frame, in the rendering thread, and must not block. ``failed`` is called once, with
    an error after which nothing more will come. ``refused`` is called for controls that cannot be used, every time;
    the ones before are then in use again.
    """

    def __init__(
        self,
        classifier: BatchedClassifier,
        controls: Controls,
        deliver: Callable[[RenderedFrame], None],
        *,
        builder: LiveChainBuilder | None = None,
        levels: Sequence[Quality] = LEVELS,
        options: ControllerOptions | None = None,
        failed: Callable[[EmocolorError], None] = lambda error: log.error("%s", error),
        refused: Callable[[EmocolorError], None] = lambda error: log.warning("%s", error),
        name: str = "live",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``levels`` of quality from the best to the cheapest; ``name`` marks this session's threads and log lines."""
        self.controls = controls
        self._controls_in_use = controls
        """Those of the chain that renders, while what was asked for is not ready yet."""
        self.statistics = Statistics()
        self._classifier = classifier
        self._deliver = deliver
        self._refused = refused
        self._builder = builder or LiveChainBuilder()
        self._levels = levels
        self._controller = QualityController(options, len(levels))
        self._clock = clock
        self._frames: Handoff[_ReceivedFrame] = Handoff(on_drop=lambda _: self.statistics.dropped("newer frame"))
        self._analyses: Handoff[_AnalysisRequest] = Handoff()
        self._changes: Handoff[Controls] = Handoff()
        self._chain: LiveChain | None = None
        self._scenes = SceneBuilder(SmoothingOptions(look_ahead=0))
        self._lock = threading.Lock()
        """Guards the scenes, which rendering reads and analysis adds to."""
        self._cuts = CutDetector()
        self._last_time: float | None = None
        self._due_time = -math.inf
        """Media time from which on the next analysis is due."""
        self._analyzing = threading.Event()
        self._cut_pending = False
        """Whether there was a cut since the last analysed frame."""
        self._workers = WorkerGroup(failed)
        self._render_worker = self._workers.add(f"{name} render", self._render_all, stop=self._frames.cancel)
        self._workers.add(f"{name} analyze", self._analyze_all, stop=self._analyses.cancel)
        self._workers.add(f"{name} prepare", self._prepare_chains, stop=self._changes.cancel)

    @property
    def level(self) -> int:
        """Which of the levels of quality is in use; 0 is the best."""
        return self._controller.level

    @property
    def quality(self) -> Quality:
        return self._levels[self._controller.level]

    def start(self) -> None:
        """Load what the first controls need, and begin. Raises what ``LiveChainBuilder.build`` does."""
        self._chain = self._builder.build(self.controls.effects())
        self._workers.start()

    def submit(self, frame: Frame, received_at: float | None = None) -> None:
        """Leave a frame to be rendered; never blocks. The frame is used up: its planes may be written.

        ``received_at`` is when it came in, on the monotonic clock; by default now.
        """
        now = self._clock.now()
        self.statistics.frame_in(now)
        self._frames.put(_ReceivedFrame(frame, now if received_at is None else received_at))

    def change(self, controls: Controls) -> None:
        """Use other controls as soon as what they need is loaded; the newest change wins."""
        self.controls = controls
        self._changes.put(controls)

    def snapshot(self) -> Snapshot:
        """What was measured so far."""
        return self.statistics.snapshot(self._clock.now())

    def close(self, *, drain_s: float = 0.0) -> None:
        """End the threads; a second call does nothing.

        With ``drain_s``, what was submitted is rendered and delivered first, for at most so long.
        """
        self._frames.close()
        self._render_worker.join(drain_s)
        self._workers.close()
        self._builder.close()

    def _prepare_chains(self) -> None:
        """Build chains in parallel with rendering, so that no frame waits while a net is loaded."""
        for controls in self._changes:
            try:
                self._chain, self._controls_in_use = self._builder.build(controls.effects()), controls
            except EmocolorError as error:
                if self.controls is controls:
                    self.controls = self._controls_in_use
                self._refused(error)

    def _render_all(self) -> None:
        for received in self._frames:
            if not self._follows(received.frame.time):
                self.statistics.dropped("out of order")
                continue
            started = self._clock.now()
            rendered = self._render(received)
            ended = self._clock.now()
            self.statistics.stage_took("render", ended - started)
            self._deliver(rendered)
            self.statistics.frame_out(ended, ended - received.received_at)
            if self._controller.update(ended, self.statistics.recent_p90_s()):
                log.info("quality level %d: %s", self.level, self.quality)

    def _render(self, received: _ReceivedFrame) -> RenderedFrame:
        frame = downscaled(received.frame, self.quality.scale)
        cut = self._cuts.is_cut(frame)
        self._request_analysis(frame, cut)
        with self._lock:
            scene = replace(self._scenes.scene_at(frame.time), cut=cut)
        assert self._chain is not None
        return RenderedFrame(self._chain.apply(frame, scene), scene, received.received_at)

    def _follows(self, media_time: float) -> bool:
        """Whether a frame of this time may come next; where media time jumps, what was seen is forgotten."""
        last = self._last_time
        if last is not None and -MAX_GAP_S < media_time - last <= 0:
            return False
        if last is not None and not 0 < media_time - last <= MAX_GAP_S:
            with self._lock:
                self._scenes = SceneBuilder(SmoothingOptions(look_ahead=0))
            self._cuts, self._due_time, self._cut_pending = CutDetector(), -math.inf, True
        self._last_time = media_time
        return True

    def _request_analysis(self, frame: Frame, cut: bool) -> None:
        """Hand a copy of the luma over for analysis where one is due and the one before is done."""
        self._cut_pending = self._cut_pending or cut
        due = self._cut_pending or frame.time >= self._due_time
        if not due or self._analyzing.is_set():
            return
        self._analyzing.set()
        gray = "gray" if frame.format.bits == 8 else f"gray{frame.format.bits}le"
        luma = replace(frame, planes=(frame.luma.copy(),), format=PIXEL_FORMATS[gray], handle=None)
        self._analyses.put(_AnalysisRequest(luma, self._cut_pending))
        self._cut_pending = False
        self._due_time = frame.time + 1 / self.quality.rate_hz

    def _analyze_all(self) -> None:
        tracker = WorkerNets().face_tracker(self._levels[0].net)
        try:
            for request in self._analyses:
                scenes = self._scenes
                started = self._clock.now()
                found = tracker.track(request.frame, cut=request.cut)
                tracked = self._clock.now()
                observation = self._classifier.classify(found, self.quality)
                self.statistics.stage_took("track", tracked - started)
                self.statistics.stage_took("classify", self._clock.now() - tracked)
                with self._lock:
                    scenes.add(observation)
                self._analyzing.clear()
        finally:
            tracker.detector.close()


def downscaled(frame: Frame, scale: float) -> Frame:
    """The frame with its sides multiplied by ``scale`` and rounded to even ones; itself at scale 1."""
    if scale == 1:
        return frame
    width, height = (max(2, round(side * scale / 2) * 2) for side in frame.size_wh)
    small = frame_from_av(
        to_pixel_format(frame_to_av(frame), frame.format, (width, height)),
        pts=frame.pts,
        duration=frame.duration,
        time_base=frame.time_base,
        sample_aspect=frame.sample_aspect,
        rotation=frame.rotation,
    )
    return replace(small, color=frame.color)  # where tags are missing, they are guessed from the size
