"""All publications of a server: room for new ones, their end, and totals over all of them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final

from emocolor.errors import CapacityError, NotFoundError

from ..statistics import LATENCY_BUCKETS_S, Snapshot
from .fan_out import Recording
from .offers import Offer
from .publication import Publication, PublicationKind
from .resources import Resources
from .shares import Shares, check_name

STOP_TIMEOUT_S: Final = 5.0
"""How long ending everything may take."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Counts over several publications, since the server's start."""

    sessions: int = 0
    frames_in: int = 0
    frames_out: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    latency_buckets: tuple[int, ...] = (0,) * (len(LATENCY_BUCKETS_S) + 1)
    latency_sum_s: float = 0.0

    def plus(self, statistics: Snapshot) -> "Totals":
        """These and one more publication's."""
        buckets = zip(self.latency_buckets, statistics.latency_buckets, strict=True)
        return Totals(
            sessions=self.sessions + 1,
            frames_in=self.frames_in + statistics.frames_in,
            frames_out=self.frames_out + statistics.frames_out,
            drops=self.drops + Counter(statistics.drops),
            latency_buckets=tuple(before + more for before, more in buckets),
            latency_sum_s=self.latency_sum_s + statistics.latency_sum_s,
        )


class Publications:
    """The publications of a server, on the event loop. To clients, a publication is a session."""

    def __init__(
        self,
        resources: Resources,
        *,
        max_publications: int,
        max_viewers: int,
        make_recording: Callable[[str, bool], Recording] | None = None,
    ) -> None:
        """``make_recording`` opens a recording, given a publication's short id and whether it has audio; ``None``
        where nothing may be recorded."""
        self.resources = resources
        self.max_publications = max_publications
        self.max_viewers = max_viewers
        self.make_recording = make_recording
        self.by_id: dict[str, Publication] = {}
        """By the secrets of their owners."""
        self._shares = Shares()
        self._ended = Totals()
        """Of the publications that have ended."""
        self._waiting: set[asyncio.Task[None]] = set()
        """For the end of each publication."""
        self._stopping = False

    @property
    def viewers(self) -> int:
        """How many clients watch, over all publications."""
        return sum(len(publication.viewers) for publication in self.by_id.values())

    async def publish(
        self, kind: PublicationKind, offer: Offer, *, record: bool = False, public: str | None = None
    ) -> tuple[Publication, str]:
        """Start a publication, ``public`` under that name: it, and the SDP answer to its offer.

        Raises ``CapacityError``, ``OfferError``, ``ConflictError`` where another one has the name, and ``EngineError``,
        ``MissingDependencyError`` or ``SinkError`` where a net or the recording cannot be used.
        """
        self._check_room(len(self.by_id), self.max_publications, "sessions")
        if public is not None:
            check_name(public)
        publication = Publication(kind, self.resources)
        self.by_id[publication.id] = publication  # before anything is awaited: from now on its place is taken
        try:
            if public is not None:
                self._shares.publish(publication.id, public)
            if record and self.make_recording is not None:
                publication.record(self.make_recording(publication.short_id, offer.sends_audio))
            answer = await publication.open(offer)
        except BaseException:
            await self.end(publication.id, "it could not start")
            raise
        log.info(
            "session %s began (%s)",
            publication.short_id,
            kind,
            extra={"event": "session began", "session": publication.short_id, "kind": kind},
        )
        task = asyncio.create_task(self._end_when_over(publication), name=f"{publication.short_id} end")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return publication, answer

    async def watch(self, key: str, offer: Offer) -> tuple[str, str]:
        """Let a client watch what ``key`` stands for: its id, and the SDP answer to its offer.

        Raises ``CapacityError``, ``OfferError`` and ``NotFoundError``.
        """
        publication = self.watched(key)
        self._check_room(self.viewers, self.max_viewers, "viewers")
        name, answer = await publication.add_viewer(offer, key)
        if self.watched(key) is not publication:  # not shared any more, since a moment ago
            await publication.viewers.remove(name, "not shared any more")
            raise NotFoundError("There is no such session.")
        log.info("session %s: a viewer joined", publication.short_id)
        return name, answer

    def owned(self, secret: str) -> Publication:
        """The publication of the owner who has this secret. Raises ``NotFoundError``."""
        publication = self.by_id.get(secret)
        if publication is None:
            raise NotFoundError("There is no such session.")
        return publication

    def watched(self, key: str) -> Publication:
        """The publication that may be watched with the owner's secret, a shared key, or a public name.

        Raises ``NotFoundError``.
        """
        return self.owned(self._shares.owner_of(key) or key)

    def share(self, secret: str, *, name: str | None = None, key_secret: str | None = None) -> str:
        """Share the owner's publication under a public name, or by a key: the name or the key.

        ``key_secret`` determines the key; see ``Shares.share``. Raises ``NotFoundError``, ``RequestError`` and
        ``ConflictError``.
        """
        publication = self.owned(secret)
        if name is not None:
            return self._shares.publish(publication.id, name)
        return self._shares.share(publication.id, key_secret)

    def shared_as(self, secret: str) -> list[str]:
        """Keys and names of the owner's publication. Raises ``NotFoundError``."""
        return self._shares.of(self.owned(secret).id)

    async def unshare(self, secret: str) -> None:
        """Share the owner's publication no more, and end the connections of those who watch because it was shared.

        Raises ``NotFoundError``.
        """
        publication, keys = self.owned(secret), self.shared_as(secret)
        self._shares.close(publication.id)
        await publication.viewers.remove_all_with(keys, "not shared any more")

    @property
    def public(self) -> dict[str, Publication]:
        """What is shared with all clients, by its name."""
        return {name: self.by_id[owner] for name, owner in self._shares.names.items()}

    async def end(self, name: str, reason: str) -> None:
        """End a publication and tell its client why; one that has ended already is ignored."""
        publication = self.by_id.pop(name, None)
        if publication is None:
            return
        self._shares.close(name)
        statistics = publication.snapshot()
        self._ended = self._ended.plus(statistics)
        await publication.close(reason)
        log.info(
            "session %s ended: %s; %d frames in, %d out, drops %s, latency %s ms",
            publication.short_id,
            publication.peer.ended.result(),
            statistics.frames_in,
            statistics.frames_out,
            statistics.drops,
            statistics.latency_ms,
            extra={"event": "session ended", "session": publication.short_id, "statistics": asdict(statistics)},
        )

    async def stop(self) -> None:
        """Refuse new clients and end all publications in parallel, within ``STOP_TIMEOUT_S``."""
        self._stopping = True
        endings = [asyncio.create_task(self.end(name, "the server is stopping")) for name in list(self.by_id)]
        endings += self._waiting
        if endings:
            _, late = await asyncio.wait(endings, timeout=STOP_TIMEOUT_S)
            if late:
                log.warning("%d sessions did not end within %.0f s", len(late), STOP_TIMEOUT_S)

    def totals(self) -> Totals:
        """Over all publications, those that have ended and those that run."""
        totals = self._ended
        for publication in self.by_id.values():
            totals = totals.plus(publication.snapshot())
        return totals

    async def _end_when_over(self, publication: Publication) -> None:
        reason = await asyncio.shield(publication.peer.ended)
        await self.end(publication.id, reason)

    def _check_room(self, taken: int, limit: int, what: str) -> None:
        if self._stopping:
            raise CapacityError("The server is stopping. Try again when it is back.")
        if taken >= limit:
            raise CapacityError(f"The server is full: {taken} of {limit} {what} are in use. Try again in a moment.")
