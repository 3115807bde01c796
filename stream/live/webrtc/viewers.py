"""The clients that watch one publication by WHEP."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .fan_out import FanOut
from .offers import Offer
from .outgoing_tracks import OutgoingAudio, OutgoingVideo
from .peer import Peer
from .resources import Resources
from .shares import new_secret

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Viewer:
    """A client that watches."""

    peer: Peer
    key: str
    """What it came with: the owner's secret, a shared key, or a public name."""
    video: OutgoingVideo
    audio: OutgoingAudio | None


class Viewers:
    """Adds viewers to the sinks of a publication, and removes them, on the event loop."""

    def __init__(
        self, session: str, sinks: FanOut, resources: Resources, make_audio: Callable[[], OutgoingAudio]
    ) -> None:
        """``session`` marks the log lines."""
        self.by_id: dict[str, Viewer] = {}
        self._session = session
        self._sinks = sinks
        self._resources = resources
        self._make_audio = make_audio
        self._waiting: set[asyncio.Task[None]] = set()
        """For the end of each viewer's connection."""

    def __len__(self) -> int:
        return len(self.by_id)

    async def add(self, offer: Offer, key: str, *, has_audio: bool) -> tuple[str, str]:
        """Let one more client watch, which came with ``key``: its id, and the SDP answer. Raises ``OfferError``."""
        viewer = Viewer(
            self._resources.make_peer(),
            key,
            OutgoingVideo(self._resources.clock),
            self._make_audio() if has_audio and offer.receives_audio else None,
        )
        name = new_secret()
        self.by_id[name] = viewer
        tracks = [track for track in (viewer.video, viewer.audio) if track is not None]
        try:
            answer = await viewer.peer.answer(offer, sending=tracks, sends_only=True)
        except BaseException:
            await self.remove(name, "refused")
            raise
        self._sinks.add_video(viewer.video)
        if viewer.audio is not None:
            self._sinks.add_audio(viewer.audio)
        task = asyncio.create_task(self._remove_when_gone(name, viewer.peer), name=f"viewer {name[:4]}")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return name, answer

    async def remove(self, name: str, reason: str) -> None:
        """End a viewer's connection; one that has left already is ignored."""
        viewer = self.by_id.pop(name, None)
        if viewer is None:
            return
        self._sinks.remove(viewer.video, viewer.audio)
        viewer.peer.end(reason)
        await viewer.peer.close()
        log.info("session %s: a viewer left: %s", self._session, viewer.peer.ended.result())

    async def remove_all_with(self, keys: Collection[str], reason: str) -> None:
        """End the connections of those that came with one of these keys, in parallel."""
        names = [name for name, viewer in self.by_id.items() if viewer.key in keys]
        await asyncio.gather(*(self.remove(name, reason) for name in names))

    async def close(self, reason: str) -> None:
        """End all connections in parallel."""
        await asyncio.gather(*(self.remove(name, reason) for name in list(self.by_id)))

    async def _remove_when_gone(self, name: str, peer: Peer) -> None:
        await asyncio.shield(peer.ended)
        await self.remove(name, "gone")
