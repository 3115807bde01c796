"""Who owns which nets: a set for each worker of a file job, or one shared set for all live sessions.

Everything is imported and loaded where it is asked for, so that a start waits for no net that it does not use.
"""

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from emocolor.analysis import FaceTracker
from emocolor.arrays import GrayImage, Mask, RgbImage, StyleMixture
from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.classifier import EmotionClassifier
from emocolor.face_crops import FER2013
from emocolor.options import Options, options_of
from emocolor.protocols import Colorizer, Detector, Nets, PersonSegmenter, Precision, StyleTransfer
from emocolor.tracks import Tracks
from engines.runners.devices import Device
from engines.spec import read_colorizer_spec, read_emotion_spec, read_style_spec

from .settings import AnalysisOptions

if TYPE_CHECKING:
    from engines.colorizer import NetColorizer
    from engines.style import NetStyleTransfer

STYLE_THREADS: Final = 2
"""Threads of a shared style net: live, a frame must be done soon, so the cores share it. A constant, not the machine's
cores: how sums are divided between threads moves samples by one code here and there."""

SPEC_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "emotion nets": read_emotion_spec,
    "colorizers": read_colorizer_spec,
    "style nets": read_style_spec,
}
"""By catalog: what reads a net's card, and checks its weights."""

N = TypeVar("N")


def check_nets(groups: Iterable[Options]) -> None:
    """Read the card of every net that the options name.

    Raises ``ConfigurationError`` for a net that is not known, and ``EngineError`` for one that cannot be used.
    """
    for group in groups:
        for option in options_of(type(group)):
            if option.catalog in SPEC_READERS:
                SPEC_READERS[option.catalog](getattr(group, option.name))


class WorkerNets:
    """Loads a net of its own whenever one is asked for: results do not depend on how many workers there are.

    Each net runs in one thread, but for style nets where more are asked for.
    """

    def __init__(self, device: Device = "auto", *, style_threads: int = 1) -> None:
        self._device: Device = device
        self._style_threads = style_threads

    def colorizer(self, net: str) -> "NetColorizer":
        """As ``emocolor.protocols.Nets`` says."""
        from engines.colorizer import load_colorizer

        return load_colorizer(net, device=self._device)

    def style_transfer(self, net: str, precision: Precision) -> "NetStyleTransfer":
        """As ``emocolor.protocols.Nets`` says."""
        from engines.style import load_style_transfer

        return load_style_transfer(net, device=self._device, threads=self._style_threads, precision=precision)

    def segmenter(self) -> PersonSegmenter:
        """The net that tells people from their background; the caller closes it."""
        from engines.mediapipe.person_segmenter import MediaPipePersonSegmenter

        return MediaPipePersonSegmenter()

    def detector(self) -> Detector:
        """The face detector; the caller closes it."""
        from engines.mediapipe.face_detector import MediaPipeFaceDetector

        return MediaPipeFaceDetector()

    def face_tracker(self, net: str) -> FaceTracker:
        """A tracker with a detector of its own, which crops faces for an emotion net."""
        return FaceTracker(self.detector(), Tracks(), FER2013, read_emotion_spec(net).crop_size)

    def classifier(self, options: AnalysisOptions) -> EmotionClassifier:
        """An emotion classifier. Raises ``ConfigurationError`` and ``EngineError``."""
        from engines.emotion import load_emotion_net

        net = load_emotion_net(options.net, device=self._device, precision=options.precision)
        return EmotionClassifier(net, passes=options.passes, seed=options.seed, fixed_masks=not options.fresh_masks)


class EffectNets(Nets, Protocol):
    """The nets that effects need, and the segmenter beside them."""

    def segmenter(self) -> PersonSegmenter: ...


class SharedNets:
    """Gives the same nets to all who ask, from any thread, loading each at its first use.

    A net is for one thread at a time, so callers wait for each other. Little is lost by that: a running net keeps the
    CPU busy by itself.
    """

    def __init__(self, device: Device = "auto", *, nets: EffectNets | None = None) -> None:
        """``nets`` load what is shared; by default the nets that ship, on ``device``."""
        self._nets = nets or WorkerNets(device, style_threads=STYLE_THREADS)
        self._lock = threading.Lock()
        self._shared: dict[Hashable, Any] = {}

    def colorizer(self, net: str) -> Colorizer:
        """As ``emocolor.protocols.Nets`` says."""
        return self._once(("colorizer", net), lambda: _LockedColorizer(self._nets.colorizer(net)))

    def style_transfer(self, net: str, precision: Precision) -> StyleTransfer:
        """As ``emocolor.protocols.Nets`` says."""
        key = ("style", net, precision)
        return self._once(key, lambda: _LockedStyleTransfer(self._nets.style_transfer(net, precision)))

    def segmenter(self) -> PersonSegmenter:
        """The net that tells people from their background; it is closed with these nets."""
        return self._once("segmenter", lambda: _LockedSegmenter(self._nets.segmenter()))

    def close(self) -> None:
        """Free the nets; none may be used any more."""
        segmenter = self._shared.get("segmenter")
        if segmenter is not None:
            segmenter.close()

    def _once(self, key: Hashable, load: Callable[[], N]) -> N:
        with self._lock:
            if key not in self._shared:
                self._shared[key] = load()
            return cast(N, self._shared[key])


class _LockedStyleTransfer:
    def __init__(self, style_transfer: StyleTransfer) -> None:
        self._style_transfer = style_transfer
        self._lock = threading.Lock()

    def paint(self, rgb: RgbImage, mixture: StyleMixture) -> RgbImage:
        with self._lock:
            return self._style_transfer.paint(rgb, mixture)


class _LockedColorizer:
    def __init__(self, colorizer: Colorizer) -> None:
        self._colorizer = colorizer
        self._lock = threading.Lock()

    def estimate(self, gray: GrayImage, vividness: float) -> ChromaEstimate:
        with self._lock:
            return self._colorizer.estimate(gray, vividness)


class _LockedSegmenter:
    def __init__(self, segmenter: PersonSegmenter) -> None:
        self._segmenter = segmenter
        self._lock = threading.Lock()

    def segment(self, rgb: RgbImage) -> Mask:
        with self._lock:
            return self._segmenter.segment(rgb)

    def close(self) -> None:
        with self._lock:
            self._segmenter.close()
