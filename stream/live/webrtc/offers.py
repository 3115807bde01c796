"""Session descriptions of clients (SDP, RFC 8866), validated before aiortc sees them.

aiortc's parser answers unexpected input with whatever exception happens first, and opens sockets while it parses. So
an offer is parsed here first, checked against what this server supports, and refused with one line where that fails.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from aiortc.codecs import CODECS
from aiortc.rtcicetransport import RTCIceCandidate
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

from emocolor.errors import OfferError

from .h264_profiles import with_known_profile
from .remote_candidates import RemoteCandidates

Purpose = Literal["publish", "publish and watch", "watch"]

MAX_CHARACTERS: Final = 32_768
"""Of a session description; browsers' offers have about 8000."""
MAX_LINES: Final = 1_000
MAX_CLOCK_RATE: Final = 1_000_000
MAX_CODECS: Final = 100
"""In one media section; browsers list about 40."""
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
_VALID_UFRAG: Final = re.compile(r"[a-zA-Z0-9+/]{4,256}")
_VALID_PASSWORD: Final = re.compile(r"[a-zA-Z0-9+/]{22,256}")
_VALID_MID: Final = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,32}")
_DIGESTS: Final = ("sha-256", "sha-384", "sha-512")
_DIRECTIONS: Final[dict[Purpose, tuple[str, ...]]] = {
    "publish": ("sendonly", "sendrecv"),
    "publish and watch": ("sendrecv",),
    "watch": ("recvonly", "sendrecv"),
}


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An offer that aiortc can answer."""

    sdp: str
    """As it came, without unusable candidates and ``end-of-candidates``, and with a profile of H.264 that aiortc knows.
    Addresses hidden behind mDNS names are not resolved: the peer's own connectivity checks reveal them (RFC 8445,
    section 7.3.1.3)."""
    sends_audio: bool
    receives_audio: bool
    ufrag: str
    """The ICE user name fragment of its first media section."""
    candidates: RemoteCandidates = field(default_factory=RemoteCandidates)
    """Decides about those that come later, too."""
    h264_parameters: Mapping[str, str] = field(default_factory=dict)
    """Those that the answer must have, by payload type; see ``h264_profiles``."""


@dataclass(frozen=True)
class Fragment:
    """What a trickle-ICE SDP fragment (RFC 8840) adds."""

    candidates: tuple[RTCIceCandidate, ...]
    ufrag: str | None
    """The ICE user name fragment that it belongs to, where it has one."""


def read_offer(text: str, purpose: Purpose, candidates: RemoteCandidates | None = None) -> Offer:
    """Parse and validate an SDP offer; ``candidates`` decides which are used. Raises ``OfferError``."""
    candidates = candidates or RemoteCandidates()
    _check_length(text)
    description = _parse(text)
    h264_parameters: dict[str, str] = {}
    if not any(_has_common_codec(media) for media in description.media if media.kind == "video"):
        text, h264_parameters = with_known_profile(text, sends_only=purpose == "publish")
        description = _parse(text)
    sections = {kind: [m for m in description.media if m.kind == kind] for kind in ("video", "audio", "application")}
    if len(description.media) != sum(map(len, sections.values())):
        raise OfferError("unsupported", "Only audio, video and a data channel can be offered.")
    if len(sections["video"]) != 1 or any(len(found) > 1 for found in sections.values()):
        raise OfferError(
            "unsupported", "Offer one video track, and at most one audio track and one data channel section."
        )
    for media in description.media:
        _check_section(media)
        _check_track_name(description, media)
    mids = _check_bundle(description)
    video, audio = sections["video"][0], next(iter(sections["audio"]), None)
    if _direction(video) not in _DIRECTIONS[purpose]:
        wanted = " or ".join(_DIRECTIONS[purpose])
        raise OfferError("unsupported", f"The video section must be {wanted} here.")
    return Offer(
        sdp=_with_usable_candidates(text, mids[0], candidates),
        sends_audio=audio is not None and _direction(audio) in ("sendonly", "sendrecv"),
        receives_audio=audio is not None and _direction(audio) in ("recvonly", "sendrecv"),
        ufrag=_ice_credentials(description.media[0])[0],
        candidates=candidates,
        h264_parameters=h264_parameters,
    )


def read_fragment(text: str) -> Fragment:
    """Parse a trickle-ICE SDP fragment. Raises ``OfferError``.

    Unusable candidates are ignored, as RFC 9725 (section 4.3.2) requires.
    """
    _check_length(text)
    candidates: list[RTCIceCandidate] = []
    ufrag, mid, line_index = None, None, -1
    for line in text.splitlines():
        name, _, value = line.removeprefix("a=").partition(":")
        if line.startswith("m="):
            mid, line_index = None, line_index + 1
        elif not line.startswith("a="):
            if line.strip():
                raise OfferError(
                    "malformed", "The SDP fragment is malformed: a line is neither an attribute nor a media line."
                )
        elif name == "ice-ufrag":
            ufrag = value
        elif name == "mid":
            mid = value
        elif name == "candidate":
            candidate = _candidate(value)
            if candidate is not None:
                candidate.sdpMid, candidate.sdpMLineIndex = mid, max(0, line_index)
                candidates.append(candidate)
    return Fragment(tuple(candidates), ufrag)


def _check_length(text: str) -> None:
    if len(text) > MAX_CHARACTERS or text.count("\n") > MAX_LINES:
        raise OfferError(
            "too large", f"The session description has more than {MAX_CHARACTERS} characters or {MAX_LINES} lines."
        )


def _parse(text: str) -> SessionDescription:
    if not text.startswith("v=0"):
        raise OfferError("malformed", "The session description is malformed: it does not begin with v=0.")
    try:
        return SessionDescription.parse(text)
    except _PARSER_ERRORS:
        raise OfferError("malformed", "The session description is malformed.") from None


def _check_numbers(media: MediaDescription) -> None:
    """aiortc reads numbers of any size, and fails on those that do not fit when it packs them into packets."""
    capabilities = media.sctpCapabilities
    numbers = [
        (media.port, 65_535),
        (media.rtcp_port or 0, 65_535),
        (media.sctp_port or 0, 65_535),
        ((capabilities.maxMessageSize or 0) if capabilities else 0, 2**63),
        *((codec.payloadType or 0, 127) for codec in media.rtp.codecs),
        *((codec.clockRate or 0, MAX_CLOCK_RATE) for codec in media.rtp.codecs),
        *((codec.channels or 0, 255) for codec in media.rtp.codecs),
        *((source.ssrc, 2**32 - 1) for source in media.ssrc),
    ]
    if not all(0 <= number <= most for number, most in numbers):
        raise OfferError("malformed", "A media section has a number that is out of its range.")


def _check_section(media: MediaDescription) -> None:
    _check_numbers(media)
    if not _VALID_MID.fullmatch(media.rtp.muxId or ""):
        raise OfferError("malformed", "A media section has no mid attribute.")
    ufrag, password = _ice_credentials(media)
    if not (_VALID_UFRAG.fullmatch(ufrag) and _VALID_PASSWORD.fullmatch(password)):
        raise OfferError("malformed", "A media section has no valid ICE user name fragment and password.")
    if media.dtls is None or not any(f.algorithm.lower() in _DIGESTS for f in media.dtls.fingerprints):
        raise OfferError("malformed", "A media section has no setup attribute or no SHA-2 certificate fingerprint.")
    if media.kind == "application":
        if media.sctp_port is None or media.profile != "UDP/DTLS/SCTP":
            raise OfferError("unsupported", "A data channel must be offered over UDP/DTLS/SCTP with an sctp-port.")
        return
    if not media.rtcp_mux:
        raise OfferError("unsupported", "RTP and RTCP must be multiplexed: a media section has no rtcp-mux attribute.")
    if not all(1 <= extension.id <= 255 for extension in media.rtp.headerExtensions):
        raise OfferError("malformed", "A header extension has an id outside 1 to 255.")
    _check_codecs(media)


def _check_track_name(description: SessionDescription, media: MediaDescription) -> None:
    """aiortc reads the ``msid`` only when it answers, and fails on one that ends after the stream's name."""
    try:
        description.webrtc_track_id(media)
    except _PARSER_ERRORS:
        raise OfferError("malformed", "The msid of a media section is malformed.") from None


def _check_codecs(media: MediaDescription) -> None:
    if len(media.rtp.codecs) > MAX_CODECS:
        raise OfferError("unsupported", f"A media section lists more than {MAX_CODECS} codecs.")
    if not _has_common_codec(media):
        known = "VP8 or H.264" if media.kind == "video" else "Opus, G.722 or G.711"
        raise OfferError("unsupported", f"None of the offered {media.kind} codecs is supported: send {known}.")


def _has_common_codec(media: MediaDescription) -> bool:
    try:
        return bool(find_common_codecs(CODECS[media.kind], media.rtp.codecs))
    except _PARSER_ERRORS:
        raise OfferError("malformed", "The parameters of a codec are malformed.") from None


def _check_bundle(description: SessionDescription) -> list[str]:
    """The names of the media sections, that whose transport all of them use first."""
    mids = [media.rtp.muxId for media in description.media]
    bundled = next((group.items for group in description.group if group.semantic == "BUNDLE"), [])
    if len(set(mids)) != len(mids):
        raise OfferError("malformed", "Two media sections have the same mid.")
    if len(mids) > 1 and sorted(map(str, bundled)) != sorted(mids):
        raise OfferError("unsupported", "All media sections must be in one BUNDLE group.")
    return [str(mid) for mid in bundled or mids]


def _ice_credentials(media: MediaDescription) -> tuple[str, str]:
    """User name fragment and password; empty where they are missing."""
    return ("", "") if media.ice is None else (media.ice.usernameFragment or "", media.ice.password or "")


def _direction(media: MediaDescription) -> str:
    return media.direction or "sendrecv"


def _candidate(value: str) -> RTCIceCandidate | None:
    """The candidate; ``None`` for an unusable one: with a host name, over TCP, or for RTCP alone."""
    try:
        candidate = candidate_from_sdp(value)
    except _PARSER_ERRORS:
        raise OfferError("malformed", "An ICE candidate is malformed.") from None
    usable = candidate.protocol.lower() == "udp" and candidate.component == 1 and 0 < candidate.port < 65536
    usable = usable and 0 < candidate.priority < 2**32
    return candidate if usable and _is_address(candidate.ip) else None


def _with_usable_candidates(text: str, first_mid: str, candidates: RemoteCandidates) -> str:
    """The SDP without candidates that aiortc would waste time on, or trip over, and those that are not accepted.

    Only those of the section count whose transport is used; of too many, those of high priority are kept. Resolving an
    mDNS name would cost a multicast query and its timeout. And where no candidate is left, ``end-of-candidates`` would
    make ICE fail before the peer's connectivity checks arrive.
    """
    sections: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("m="):
            sections.append([])
        if line != "a=end-of-candidates":
            sections[-1].append(line)
    kept: list[str] = []
    for section in sections:
        found = {line: _candidate(line.removeprefix("a=candidate:")) for line in section if _is_candidate(line)}
        usable = [(line, one) for line, one in found.items() if one is not None and f"a=mid:{first_mid}" in section]
        usable.sort(key=lambda item: -item[1].priority)
        accepted = {line for line, one in usable if candidates.accept(one.ip, one.port)}
        kept += [line for line in section if not _is_candidate(line) or line in accepted]
    return "\r\n".join(kept) + "\r\n"


def _is_candidate(line: str) -> bool:
    return line.startswith("a=candidate:")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
