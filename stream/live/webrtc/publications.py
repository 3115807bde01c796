"""All that is published at a time: who may begin, who is over, and what is counted over all of them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final

from ..statistics import BUCKETS_S, Snapshot
from .offers import Offer
from .publication import Kind, Publication, Recording, Resources

STOP_S: Final = 5.0
"""How long ending everything may take."""

log = logging.getLogger(__name__)


class Full(Exception):
    """There is no room now; its text is one line that says for what."""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Counts over several sessions, since the server's start."""

    sessions: int = 0
    frames_in: int = 0
    frames_out: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    latency_buckets: tuple[int, ...] = (0,) * (len(BUCKETS_S) + 1)
    latency_sum_s: float = 0.0

    def plus(self, figures: Snapshot) -> "Totals":
        """These with one more session's."""
        buckets = zip(self.latency_buckets, figures.latency_buckets, strict=True)
        return Totals(
            sessions=self.sessions + 1,
            frames_in=self.frames_in + figures.frames_in,
            frames_out=self.frames_out + figures.frames_out,
            drops=self.drops + Counter(figures.drops),
            latency_buckets=tuple(before + more for before, more in buckets),
            latency_sum_s=self.latency_sum_s + figures.latency_sum_s,
        )


class Sessions:
    """The publications of a server, on the event loop."""

    def __init__(
        self,
        resources: Resources,
        *,
        most: int,
        most_viewers: int,
        make_recording: Callable[[str, bool], Recording] | None = None,
    ) -> None:
        """``make_recording`` opens a recording for a publication, by its id and whether it has sound; ``None`` where
        nothing may be recorded."""
        self.most = most
        self.most_viewers = most_viewers
        self.publications: dict[str, Publication] = {}
        self.make_recording = make_recording
        self._resources = resources
        self._ended = Totals()
        """Of the publications that are over."""
        self._attending: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def viewers(self) -> int:
        return sum(len(publication.viewers) for publication in self.publications.values())

    async def publish(self, kind: Kind, offer: Offer, *, record: bool = False) -> tuple[Publication, str]:
        """Begin a publication: it, and the SDP that answers its offer.

        Raises ``Full``, ``OfferError``, and ``EmocolorError`` where a net or the recording cannot be used.
        """
        self._check_room(len(self.publications), self.most, "sessions")
        publication = Publication(kind, self._resources)
        self.publications[publication.id] = publication  # from now on its place is taken
        try:
            if record and self.make_recording is not None:
                publication.record(self.make_recording(publication.id, offer.sends_sound))
            answer = await publication.open(offer)
        except BaseException:
            await self.end(publication.id, "it could not begin")
            raise
        log.info(
            "session %s began (%s)",
            publication.short_id,
            kind,
            extra={"event": "session began", "session": publication.short_id, "kind": kind},
        )
        task = asyncio.create_task(self._attend(publication), name=f"{publication.short_id} attend")
        self._attending.add(task)
        task.add_done_callback(self._attending.discard)
        return publication, answer

    async def watch(self, publication: Publication, offer: Offer) -> tuple[str, str]:
        """Let a client watch: its id, and the SDP that answers its offer. Raises ``Full`` and ``OfferError``."""
        self._check_room(self.viewers, self.most_viewers, "viewers")
        name, answer = await publication.add_viewer(offer)
        log.info("session %s: a viewer came", publication.short_id)
        return name, answer

    async def end(self, name: str, reason: str) -> None:
        """End a publication and tell its client why; one that is not there any more is left alone."""
        publication = self.publications.pop(name, None)
        if publication is None:
            return
        figures = publication.snapshot()
        self._ended = self._ended.plus(figures)
        await publication.close(reason)
        log.info(
            "session %s ended: %s; %d frames in, %d out, drops %s, latency %s ms",
            publication.short_id,
            publication.publisher.ended.result(),
            figures.frames_in,
            figures.frames_out,
            figures.drops,
            figures.latency_ms,
            extra={"event": "session ended", "session": publication.short_id, "figures": asdict(figures)},
        )

    async def stop(self) -> None:
        """Take nobody any more and end all, at once and within ``STOP_S``."""
        self._stopping = True
        endings = [asyncio.create_task(self.end(name, "the server is stopping")) for name in list(self.publications)]
        endings += self._attending
        if endings:
            _, late = await asyncio.wait(endings, timeout=STOP_S)
            if late:
                log.warning("%d sessions did not end within %.0f s", len(late), STOP_S)

    def totals(self) -> Totals:
        """Over all sessions, those that are over and those that run."""
        totals = self._ended
        for publication in self.publications.values():
            totals = totals.plus(publication.snapshot())
        return totals

    async def _attend(self, publication: Publication) -> None:
        reason = await asyncio.shield(publication.publisher.ended)
        await self.end(publication.id, reason)

    def _check_room(self, taken: int, most: int, what: str) -> None:
        if self._stopping:
            raise Full("The server is stopping. Try again when it is back.")
        if taken >= most:
            raise Full(f"The server is full: {taken} of {most} {what} are in use. Try again in a moment.")
