"""Session descriptions from outside (SDP, RFC 8866), checked before aiortc sees them.

aiortc's parser meets what it does not expect with whatever exception comes first, and opens sockets while it reads.
So an offer is parsed here once, held against what this server can do, and refused in one line where that fails.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal

from aiortc.codecs import CODECS
from aiortc.rtcicetransport import RTCIceCandidate
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

Purpose = Literal["publish", "publish and watch", "watch"]

LONGEST: Final = 32_768
"""Characters of a description; browsers' offers have about 8000."""
MOST_LINES: Final = 1_000
MOST_CODECS: Final = 100
"""In one media section; browsers list about 40."""
MOST_CANDIDATES: Final = 64
"""ICE candidates in one description: the server sends checks to all of them."""

_PARSER_ERRORS: Final = (
    ValueError,
    AssertionError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    StopIteration,
    RecursionError,
)
_UFRAG: Final = re.compile(r"[a-zA-Z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[a-zA-Z0-9+/]{22,256}")
_MID: Final = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,32}")
_DIGESTS: Final = ("sha-256", "sha-384", "sha-512")
_DIRECTIONS: Final[dict[Purpose, tuple[str, ...]]] = {
    "publish": ("sendonly", "sendrecv"),
    "publish and watch": ("sendrecv",),
    "watch": ("recvonly", "sendrecv"),
}


class OfferError(Exception):
    """A description that is not taken; its text is one line that says what to do, and holds nothing of it."""

    def __init__(self, status: int, text: str) -> None:
        """``status`` is that of HTTP: 400 malformed, 413 too long, 422 understood but not possible here, 404 for what
        is gone meanwhile."""
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An offer that aiortc can answer."""

    sdp: str
    """As it came, less the candidates that cannot be used and less ``end-of-candidates``: addresses hidden behind mDNS
    names are not looked up, the peer's own checks make them known (RFC 8445, section 7.3.1.3)."""
    sends_sound: bool
    hears_sound: bool
    username: str
    """The ICE user name fragment of its first media section."""


@dataclass(frozen=True)
class Fragment:
    """What a trickle-ICE SDP fragment (RFC 8840) adds."""

    candidates: tuple[RTCIceCandidate, ...]
    username: str | None
    """The user name fragment that it belongs to, where it says so."""


def read_offer(text: str, purpose: Purpose) -> Offer:
    """Raises ``OfferError``."""
    _check_length(text)
    description = _parsed(text)
    sections = {kind: [m for m in description.media if m.kind == kind] for kind in ("video", "audio", "application")}
    if len(description.media) != sum(map(len, sections.values())):
        raise OfferError(422, "Only audio, video and a data channel can be offered.")
    if len(sections["video"]) != 1 or any(len(found) > 1 for found in sections.values()):
        raise OfferError(422, "Offer one video track, and at most one audio track and one data channel section.")
    for media in description.media:
        _check_section(media)
        _check_track_name(description, media)
    _check_bundle(description)
    video, audio = sections["video"][0], next(iter(sections["audio"]), None)
    if _direction(video) not in _DIRECTIONS[purpose]:
        wanted = " or ".join(_DIRECTIONS[purpose])
        raise OfferError(422, f"The video section must be {wanted} here.")
    return Offer(
        sdp=_with_usable_candidates(text),
        sends_sound=audio is not None and _direction(audio) in ("sendonly", "sendrecv"),
        hears_sound=audio is not None and _direction(audio) in ("recvonly", "sendrecv"),
        username=_credentials(description.media[0])[0],
    )


def read_fragment(text: str) -> Fragment:
    """Raises ``OfferError``. Candidates that cannot be used are left out, as RFC 9725 (section 4.3.2) wants."""
    _check_length(text)
    candidates: list[RTCIceCandidate] = []
    username, mid, line_index = None, None, -1
    for line in text.splitlines():
        name, _, value = line.removeprefix("a=").partition(":")
        if line.startswith("m="):
            mid, line_index = None, line_index + 1
        elif not line.startswith("a="):
            if line.strip():
                raise OfferError(400, "The SDP fragment is malformed: a line is neither an attribute nor a media line.")
        elif name == "ice-ufrag":
            username = value
        elif name == "mid":
            mid = value
        elif name == "candidate":
            candidate = _candidate(value)
            if candidate is not None:
                candidate.sdpMid, candidate.sdpMLineIndex = mid, max(0, line_index)
                candidates.append(candidate)
    return Fragment(tuple(candidates), username)


def _check_length(text: str) -> None:
    if len(text) > LONGEST or text.count("\n") > MOST_LINES:
        raise OfferError(413, f"The session description has more than {LONGEST} characters or {MOST_LINES} lines.")
    if len(re.findall(r"^a=candidate:", text, re.MULTILINE)) > MOST_CANDIDATES:
        raise OfferError(422, f"The session description has more than {MOST_CANDIDATES} ICE candidates.")


def _parsed(text: str) -> SessionDescription:
    if not text.startswith("v=0"):
        raise OfferError(400, "The session description is malformed: it does not begin with v=0.")
    try:
        return SessionDescription.parse(text)
    except _PARSER_ERRORS:
        raise OfferError(400, "The session description is malformed.") from None


def _check_section(media: MediaDescription) -> None:
    if not _MID.fullmatch(media.rtp.muxId or ""):
        raise OfferError(400, "A media section has no mid attribute.")
    username, password = _credentials(media)
    if not (_UFRAG.fullmatch(username) and _PASSWORD.fullmatch(password)):
        raise OfferError(400, "A media section has no valid ICE user name fragment and password.")
    if media.dtls is None or not any(f.algorithm.lower() in _DIGESTS for f in media.dtls.fingerprints):
        raise OfferError(400, "A media section has no setup attribute or no SHA-2 certificate fingerprint.")
    if media.kind == "application":
        if media.sctp_port is None or media.profile != "UDP/DTLS/SCTP":
            raise OfferError(422, "A data channel must be offered over UDP/DTLS/SCTP with an sctp-port.")
        return
    if not media.rtcp_mux:
        raise OfferError(422, "RTP and RTCP must be multiplexed: a media section has no rtcp-mux attribute.")
    if not all(1 <= extension.id <= 255 for extension in media.rtp.headerExtensions):
        raise OfferError(400, "A header extension has an id outside 1 to 255.")
    _check_codecs(media)


def _check_track_name(description: SessionDescription, media: MediaDescription) -> None:
    """aiortc reads it only once it answers, and breaks off on an ``msid`` that ends after its stream's name."""
    try:
        description.webrtc_track_id(media)
    except _PARSER_ERRORS:
        raise OfferError(400, "The msid of a media section is malformed.") from None


def _check_codecs(media: MediaDescription) -> None:
    if len(media.rtp.codecs) > MOST_CODECS:
        raise OfferError(422, f"A media section lists more than {MOST_CODECS} codecs.")
    try:
        common = find_common_codecs(CODECS[media.kind], media.rtp.codecs)
    except _PARSER_ERRORS:
        raise OfferError(400, "The parameters of a codec are malformed.") from None
    if not common:
        known = "VP8, or H.264 in baseline profile" if media.kind == "video" else "Opus, G.722 or G.711"
        raise OfferError(422, f"No {media.kind} codec that is offered is known here: send {known}.")


def _check_bundle(description: SessionDescription) -> None:
    mids = [media.rtp.muxId for media in description.media]
    bundled = next((group.items for group in description.group if group.semantic == "BUNDLE"), [])
    if len(set(mids)) != len(mids):
        raise OfferError(400, "Two media sections have the same mid.")
    if len(mids) > 1 and sorted(map(str, bundled)) != sorted(mids):
        raise OfferError(422, "All media sections must be in one BUNDLE group.")


def _credentials(media: MediaDescription) -> tuple[str, str]:
    """ICE user name fragment and password; empty where they are missing."""
    return ("", "") if media.ice is None else (media.ice.usernameFragment or "", media.ice.password or "")


def _direction(media: MediaDescription) -> str:
    return media.direction or "sendrecv"


def _candidate(value: str) -> RTCIceCandidate | None:
    """The candidate, or ``None`` for one that cannot be used here: by name, over TCP, or of RTCP alone."""
    try:
        candidate = candidate_from_sdp(value)
    except _PARSER_ERRORS:
        raise OfferError(400, "An ICE candidate is malformed.") from None
    usable = candidate.protocol.lower() == "udp" and candidate.component == 1 and 0 < candidate.port < 65536
    return candidate if usable and _is_address(candidate.ip) else None


def _with_usable_candidates(text: str) -> str:
    """A name would cost a multicast query and its wait; and where no candidate is left, ``end-of-candidates`` would end
    ICE before the peer's checks come."""
    lines = [line for line in text.splitlines() if not _is_useless(line) and line != "a=end-of-candidates"]
    return "\r\n".join(lines) + "\r\n"


def _is_useless(line: str) -> bool:
    return line.startswith("a=candidate:") and _candidate(line.removeprefix("a=candidate:")) is None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
