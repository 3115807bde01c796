"""One classifier for all live sessions: faces of several sessions go through the net in one batch."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from emocolor.analysis import AnalysisInput, observation_from
from emocolor.classifier import EmotionClassifier
from emocolor.faces import Observation
from engines.emotion import EmotionNetRunner, load_emotion_net
from engines.runners.devices import Device

from ..settings import AnalysisOptions
from .handoff import Closed, Handoff
from .quality import Quality
from .worker import Worker

MAX_BATCH: Final = 8
"""Analysed frames per run of the net."""


@dataclass(frozen=True)
class _Request:
    found: AnalysisInput
    quality: Quality
    response: "Future[Observation]"


class BatchedClassifier:
    """Classifies the faces of any number of sessions in a thread of its own.

    While one batch is in the net, the requests for the next one gather; further callers wait for room.
    """

    def __init__(self, options: AnalysisOptions | None = None, *, device: Device = "auto") -> None:
        """``options`` say how nets classify; which net, and in how many passes, each request's quality says."""
        self._options = options or AnalysisOptions()
        self._device: Device = device
        self._nets: dict[str, EmotionNetRunner] = {}
        self._classifiers: dict[tuple[str, int], EmotionClassifier] = {}
        self._requests: Handoff[_Request] = Handoff(MAX_BATCH, overflow="wait")
        self._worker = Worker("classify", self._run, stop=self._requests.close)

    def start(self, qualities: Sequence[Quality]) -> None:
        """Load the nets of these quality levels, so that no frame waits for one later, and start the thread.

        Raises ``EngineError`` where one cannot be used.
        """
        for quality in qualities:
            self._classifier(quality)
        self._worker.start()

    def classify(self, found: AnalysisInput, quality: Quality) -> Observation:
        """The emotions of the faces in one frame; waits for the result.

        Raises what the net raised, and ``Closed`` after ``close``.
        """
        response: Future[Observation] = Future()
        if not self._requests.put(_Request(found, quality, response)):
            raise Closed
        return response.result()

    def close(self) -> None:
        """End the thread; the requests that wait are processed first."""
        self._worker.close()

    def _run(self) -> None:
        while True:
            requests = self._requests.take_batch(MAX_BATCH)
            for quality in dict.fromkeys(request.quality for request in requests):
                self._respond([request for request in requests if request.quality == quality], quality)

    def _respond(self, requests: Sequence[_Request], quality: Quality) -> None:
        """Classify the faces of all ``requests`` together."""
        try:
            crops = [face.crop for request in requests for face in request.found.faces]
            estimates = iter(self._classifier(quality).estimate(crops))
            for request in requests:
                request.response.set_result(
                    observation_from(request.found, [next(estimates) for _ in request.found.faces])
                )
        except Exception as error:  # every caller gets it; the next batch may use another net
            for request in requests:
                if not request.response.done():
                    request.response.set_exception(error)

    def _classifier(self, quality: Quality) -> EmotionClassifier:
        key = (quality.net, quality.passes)
        if key not in self._classifiers:
            if quality.net not in self._nets:
                self._nets[quality.net] = load_emotion_net(
                    quality.net, device=self._device, precision=self._options.precision
                )
            self._classifiers[key] = EmotionClassifier(
                self._nets[quality.net],
                passes=quality.passes,
                seed=self._options.seed,
                fixed_masks=not self._options.fresh_masks,
            )
        return self._classifiers[key]
