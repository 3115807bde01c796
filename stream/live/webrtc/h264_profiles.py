"""H.264 in any profile. aiortc negotiates baseline alone, but FFmpeg decodes all of them.

Where an offer has nothing else, its profiles are replaced by constrained baseline before aiortc sees it, and put back
into the answer: an answer must name the profile that was offered (RFC 6184, section 8.2.2). What the server sends is
constrained baseline, which decoders of the other profiles can decode.
"""

import re
from collections.abc import Mapping
from typing import Final

KNOWN_PROFILE: Final = "42e01f"
_H264: Final = re.compile(r"^a=rtpmap:(\d+) H264/90000\s*$", re.IGNORECASE | re.MULTILINE)
_FMTP: Final = re.compile(r"^a=fmtp:(\d+) (.*?)\s*$", re.MULTILINE)
_SINGLE_PACKETS: Final = f"profile-level-id={KNOWN_PROFILE};packetization-mode=0"
"""What an offer without parameters stands for."""


def with_known_profile(sdp: str, *, sends_only: bool) -> tuple[str, dict[str, str]]:
    """The offer with H.264 in constrained baseline, and the parameters that it had, by payload type.

    ``sends_only``: the client will not get any H.264. Then packetization mode 0 is accepted too, in which the server
    could not send.
    """
    described = dict(_FMTP.findall(sdp))
    originals = {
        payload: described.get(payload, _SINGLE_PACKETS)
        for payload in _H264.findall(sdp)
        if sends_only or _values(described.get(payload, "")).get("packetization-mode") == "1"
    }
    lines = [line for line in sdp.splitlines() if not ((found := _FMTP.match(line)) and found[1] in originals)]
    replaced = []
    for line in lines:
        replaced.append(line)
        if (found := _H264.match(line)) and found[1] in originals:
            changed = {"profile-level-id": KNOWN_PROFILE, "packetization-mode": "1"}
            kept = _values(described.get(found[1], "")) | changed
            replaced.append(f"a=fmtp:{found[1]} " + ";".join(f"{name}={value}" for name, value in kept.items()))
    return "\r\n".join(replaced) + "\r\n", originals


def with_original_profiles(answer: str, originals: Mapping[str, str]) -> str:
    """The answer with the parameters that were offered."""
    return _FMTP.sub(
        lambda found: f"a=fmtp:{found[1]} {originals[found[1]]}" if found[1] in originals else found[0].rstrip("\r"),
        answer.replace("\r\n", "\n"),
    ).replace("\n", "\r\n")


def _values(parameters: str) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in parameters.split(";"))
    return {name.lower(): value for name, _, value in parts if name and value}
