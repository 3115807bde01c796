"""What the publications of a server share, and what each of them may cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiortc import RTCIceServer

from stream.nets import SharedNets

from ..batched_classifier import BatchedClassifier
from ..clock import SYSTEM_CLOCK, Clock
from ..controls import Controls
from ..quality import LEVELS, ControllerOptions, Quality
from .control_channel import ChannelLimits
from .peer import Peer, PeerTimeouts
from .remote_candidates import CandidateRule, RemoteCandidates


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Shared nets, and the settings of every publication."""

    classifier: BatchedClassifier
    nets: SharedNets
    controls: Controls
    """Those that a publication starts with."""
    levels: Sequence[Quality] = LEVELS
    controller: ControllerOptions = field(default_factory=ControllerOptions)
    ice_servers: tuple[RTCIceServer, ...] = ()
    max_pixels: int = 1920 * 1088
    """Width times height of a frame; larger ones end their publication."""
    idle_s: float = 7.5
    """How long a connected publisher may send no video frame."""
    candidate_rule: CandidateRule = "same-kind"
    """Which addresses clients may name for media."""
    max_candidates: int = 32
    """Addresses of a client."""
    timeouts: PeerTimeouts = field(default_factory=PeerTimeouts)
    channel: ChannelLimits = field(default_factory=ChannelLimits)
    clock: Clock = SYSTEM_CLOCK

    def make_peer(self) -> Peer:
        """A peer for one more client, on the event loop."""
        return Peer(self.ice_servers, timeouts=self.timeouts, clock=self.clock)

    def candidates_of(self, client: str) -> RemoteCandidates:
        """Decides about the candidates of a client at this address."""
        return RemoteCandidates(client, rule=self.candidate_rule, limit=self.max_candidates)
