"""One classifier for all that is live: the faces of several pictures go through the net together."""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from emocolor.analysis import AnalysisInput, observation_from
from emocolor.emotion import EmotionClassifier
from emocolor.faces import Observation
from engines.emotion import LoadedNet, load
from engines.runners.selection import Device

from .mailbox import Closed
from .quality import Quality

MOST_TOGETHER = 8
"""Looks that are judged in one run of the net, at most."""


@dataclass(frozen=True)
class _Request:
    found: AnalysisInput
    quality: Quality
    answer: "Future[Observation]"


class BatchedClassifier:
    """Judges the looks of any number of sessions in a thread of its own.

    Each session has at most one look here, since it waits for the answer: the queue is as long as there are sessions.
    """

    def __init__(self, *, device: Device = "auto", seed: int = 0) -> None:
        self._device: Device = device
        self._seed = seed
        self._nets: dict[str, LoadedNet] = {}
        self._classifiers: dict[tuple[str, int], EmotionClassifier] = {}
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="judge", daemon=True)

    def start(self, qualities: Sequence[Quality]) -> None:
        """Load the nets that these need, so that no frame waits for it, and begin.

        Raises ``EngineError`` where one cannot be used.
        """
        for quality in qualities:
            self._classifier(quality)
        self._thread.start()

    def judge(self, found: AnalysisInput, quality: Quality) -> Observation:
        """The emotions of a look's faces; waits for them.

        Raises what the net raised, and ``Closed`` after ``close``.
        """
        answer: Future[Observation] = Future()
        self._requests.put(_Request(found, quality, answer))
        while True:
            try:
                return answer.result(timeout=1.0)
            except TimeoutError:
                if not self._thread.is_alive():
                    raise Closed from None

    def close(self) -> None:
        """End the thread; looks that wait are answered first."""
        self._requests.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            requests = self._waiting()
            for quality in {request.quality: None for request in requests if request is not None}:
                alike = [request for request in requests if request is not None and request.quality == quality]
                self._answer(alike, quality)
            if None in requests:
                return

    def _waiting(self) -> list[_Request | None]:
        """The next request, and those that have come meanwhile."""
        requests = [self._requests.get()]
        while len(requests) < MOST_TOGETHER and requests[-1] is not None and not self._requests.empty():
            requests.append(self._requests.get())
        return requests

    def _answer(self, requests: Sequence[_Request], quality: Quality) -> None:
        try:
            crops = [face.crop for request in requests for face in request.found.faces]
            estimates = iter(self._classifier(quality).estimate(crops))
            for request in requests:
                request.answer.set_result(
                    observation_from(request.found, [next(estimates) for _ in request.found.faces])
                )
        except Exception as error:  # carried to those who wait
            for request in requests:
                if not request.answer.done():
                    request.answer.set_exception(error)

    def _classifier(self, quality: Quality) -> EmotionClassifier:
        key = (quality.net, quality.passes)
        if key not in self._classifiers:
            net = self._nets.get(quality.net) or load(quality.net, device=self._device)
            self._nets[quality.net] = net
            self._classifiers[key] = EmotionClassifier(net, passes=quality.passes, seed=self._seed)
        return self._classifiers[key]
