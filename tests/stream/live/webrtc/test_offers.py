"""Session descriptions of clients: which pass, which are refused and how, and that nothing else can happen."""

import asyncio
import contextlib
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emocolor.errors import OfferError
from stream.live.webrtc.offers import MAX_CHARACTERS, MAX_LINES, read_fragment, read_offer
from stream.live.webrtc.peer import Peer
from stream.live.webrtc.remote_candidates import RemoteCandidates
from tests.stream.live.webrtc_clients import loopback_only, offer_of

CHROME_H264_AND_HIDDEN_ADDRESS = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=video 9 UDP/TLS/RTP/SAVPF 102 121 45
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 3f1b1d6c-77fc-4d60-8a4b-1c8e3a6b8f1e.local 51234 typ host generation 0
a=end-of-candidates
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=ice-options:trickle
a=fingerprint:sha-256 DA:7B:57:DC:28:CE:04:4F:31:79:85:C4:31:67:EB:27:58:29:ED:77:2A:0D:24:AE:ED:AD:30:BC:BD:F1:9C:02
a=setup:actpass
a=mid:0
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:- d46fb922-d52a-4e9c-aa87-444eadc1521b
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:102 H264/90000
a=rtcp-fb:102 nack pli
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:121 rtx/90000
a=fmtp:121 apt=102
a=rtpmap:45 AV1/90000
""".replace("\n", "\r\n")


def test_offers_of_clients_pass():
    both = read_offer(offer_of("audio", "video"), "publish and watch")
    assert (both.sends_audio, both.receives_audio) == (True, True)
    sending = read_offer(offer_of("video", "audio", direction="sendonly", channel=False), "publish")
    assert (sending.sends_audio, sending.receives_audio) == (True, False)
    watching = read_offer(offer_of("video", direction="recvonly", channel=False), "watch")
    assert (watching.sends_audio, watching.receives_audio) == (False, False)


def test_a_hidden_address_is_not_looked_up_and_ice_stays_open():
    offer = read_offer(CHROME_H264_AND_HIDDEN_ADDRESS, "publish and watch")
    assert offer.ufrag == "EsAw"
    assert ".local" not in offer.sdp
    assert "end-of-candidates" not in offer.sdp
    kept = re.sub(r"a=(candidate:|end-of).*\r\n", "", CHROME_H264_AND_HIDDEN_ADDRESS)
    assert offer.sdp == kept


def changed(pattern, to, text=None, count=0):
    text = text or offer_of("audio", "video")
    made = re.sub(pattern, to, text, count=count, flags=re.MULTILINE)
    assert made != text
    return made


BAD = {
    "empty": ("", "malformed", "does not begin"),
    "no SDP": ("hello", "malformed", "does not begin"),
    "html": ("v=0\r\n<script>alert(1)</script>", "unsupported", "one video track"),
    "too long": ("v=0\r\n" + "a=x\r\n" * MAX_CHARACTERS, "too large", "more than"),
    "too many lines": ("v=0\r\n" + "\r\n" * MAX_LINES, "too large", "lines"),
    "media line": (lambda: changed(r"^m=video.*$", "m=video x"), "malformed", "malformed"),
    "no video": (lambda: offer_of("audio"), "unsupported", "one video track"),
    "two videos": (lambda: offer_of("video", "video"), "unsupported", "one video track"),
    "two audio tracks": (lambda: offer_of("video", "audio", "audio"), "unsupported", "at most one audio"),
    "another medium": (lambda: changed(r"^m=audio", "m=text"), "unsupported", "Only audio, video"),
    "only watches": (lambda: offer_of("video", direction="recvonly"), "unsupported", "must be sendrecv"),
    "unknown video codec": (lambda: changed(r"(VP8|H264)/90000", "AV1/90000"), "unsupported", "send VP8 or H.264"),
    "unknown audio codec": (
        lambda: changed(r"(opus/48000|G722/8000|PCM[AU]/8000)", "mp4a/48000"),
        "unsupported",
        "send Opus",
    ),
    "broken codec": (
        lambda: changed(r"packetization-mode=1", "packetization-mode"),
        "malformed",
        "parameters of a codec",
    ),
    "no bundle": (lambda: changed(r"^a=group:BUNDLE.*$", "a=group:BUNDLE 0"), "unsupported", "BUNDLE"),
    "same mid": (lambda: changed(r"^a=mid:\d", "a=mid:0"), "malformed", "same mid"),
    "no mid": (lambda: changed(r"^a=mid:.*\r\n", ""), "malformed", "no mid"),
    "mid without name": (lambda: changed(r"^a=mid:.*\r\n", "a=mid\r\n"), "malformed", "no mid"),
    "no password": (lambda: changed(r"^a=ice-pwd:.*\r\n", ""), "malformed", "ICE user name"),
    "short password": (lambda: changed(r"^a=ice-pwd:.*$", "a=ice-pwd:short"), "malformed", "ICE user name"),
    "no setup": (lambda: changed(r"^a=setup:.*\r\n", ""), "malformed", "setup"),
    "no fingerprint": (lambda: changed(r"^a=fingerprint:.*\r\n", ""), "malformed", "fingerprint"),
    "weak fingerprint": (lambda: changed(r"sha-\d+ ", "md5 "), "malformed", "SHA-2"),
    "no rtcp-mux": (lambda: changed(r"^a=rtcp-mux\r\n", ""), "unsupported", "multiplexed"),
    "extension 0": (lambda: changed(r"^a=extmap:1 ", "a=extmap:0 "), "malformed", "id outside"),
    "port of many digits": (lambda: changed(r"^m=video \d+", f"m=video {'9' * 400}"), "malformed", "out of its range"),
    "payload type 300": (
        lambda: changed(r"^a=rtpmap:97 VP8", "a=rtpmap:300 VP8"),
        "malformed",
        "out of its",
    ),
    "clock of many digits": (lambda: changed(r"VP8/90000", f"VP8/{'9' * 400}"), "malformed", "out of its range"),
    "ssrc of many digits": (lambda: changed(r"^a=ssrc:\d+ ", f"a=ssrc:{'9' * 400} "), "malformed", "out of its range"),
    "sctp port of many digits": (
        lambda: changed(r"^a=sctp-port:.*$", f"a=sctp-port:{'9' * 400}"),
        "malformed",
        "out of its range",
    ),
    "message size below 0": (lambda: changed(r"(max-message-size:).*$", r"\1-1"), "malformed", "out of its range"),
    "no sctp port": (lambda: changed(r"^a=sctp-port:.*\r\n", ""), "unsupported", "sctp-port"),
    "legacy data channel": (lambda: changed(r"UDP/DTLS/SCTP", "DTLS/SCTP"), "unsupported", "UDP/DTLS/SCTP"),
    "no track in msid": (lambda: changed(r"^(a=msid:\S+) .*$", r"\1 "), "malformed", "msid"),
    "bad candidate": (lambda: changed(r"^a=candidate:.*$", "a=candidate:1"), "malformed", "malformed"),
    "too many codecs": (
        lambda: changed(r"^a=mid:1", "\r\n".join(f"a=rtpmap:{n} X/90000" for n in range(101)) + "\r\na=mid:1"),
        "unsupported",
        "codecs",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_offers_are_refused_in_one_line(name):
    text, problem, words = BAD[name]
    with pytest.raises(OfferError, match=words) as caught:
        read_offer(text if isinstance(text, str) else text(), "publish and watch")
    assert caught.value.problem == problem
    assert "\n" not in str(caught.value)
    assert "alert" not in str(caught.value)


@settings(max_examples=150)
@given(st.data())
def test_a_mangled_offer_is_answered_or_refused(data):
    """Lines dropped, doubled, cut, swapped or replaced: aiortc, if it gets to see it, answers."""
    lines = offer_of("audio", "video").splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        other = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "cut", "swap", "number", "text"])):
            case "drop":
                lines[at] = ""
            case "double":
                lines.insert(other, lines[at])
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "number":
                lines[at] = re.sub(r"\d+", str(data.draw(st.sampled_from([-1, 0, 255, 70_000, 10**30]))), lines[at])
            case "text":
                lines[at] = lines[at][:3] + data.draw(st.text(max_size=12))
    try:
        offer = read_offer("\r\n".join(line for line in lines if line) + "\r\n", "publish and watch")
    except OfferError:
        return

    async def answer():
        peer = Peer()
        try:
            return await peer.answer(offer, sending=[])
        except OfferError as error:
            return f"v=0 {error}"
        finally:
            await peer.close()

    with loopback_only():
        assert asyncio.run(asyncio.wait_for(answer(), 20)).startswith("v=0")


def with_networks(count):
    """A page's offer on a machine with so many networks: each has a candidate over UDP, and one over TCP, in each of
    three media sections."""
    lines = []
    for line in offer_of("audio", "video").splitlines():
        if line.startswith("a=candidate:"):
            continue
        lines.append(line)
        if line.startswith("a=mid:"):
            port = 1000 * (int(line.removeprefix("a=mid:")) + 1)
            for k in range(count):
                lines.append(f"a=candidate:{k} 1 udp {2**31 - k} 10.0.{k}.1 {port + k} typ host")
                lines.append(f"a=candidate:{k} 1 tcp {2**30 - k} 10.0.{k}.1 9 typ host tcptype active")
    return "\r\n".join(lines) + "\r\n"


def test_of_many_candidates_the_usable_ones_are_counted():
    """Those over UDP, in the section whose transport carries the others too."""
    text = with_networks(18)
    assert text.count("a=candidate:") == 18 * 2 * 3
    offer = read_offer(text, "publish and watch", RemoteCandidates("10.0.0.1"))
    assert re.findall(r"10\.0\.(\d+)\.1", offer.sdp) == [str(k) for k in range(18)]
    few = read_offer(text, "publish and watch", RemoteCandidates("10.0.0.1", limit=5))
    assert re.findall(r"10\.0\.(\d+)\.1", few.sdp) == list("01234"), "those of the highest priority"
    assert few.candidates.refused == 13


def test_candidates_that_are_not_the_clients_kind_are_left_out():
    text = changed(r"^(a=candidate:)(\S+ 1 \S+ \d+) \S+ ", r"\1\2 8.8.8.8 ")
    assert "8.8.8.8" not in read_offer(text, "publish and watch", RemoteCandidates("127.0.0.1")).sdp
    assert "8.8.8.8" in read_offer(text, "publish and watch", RemoteCandidates("9.9.9.9")).sdp


@pytest.mark.parametrize("profile", ["640c1f", "4d001f", "f4001f"])
def test_h264_is_accepted_in_any_profile(profile):
    text = CHROME_H264_AND_HIDDEN_ADDRESS.replace("42e01f", profile)
    offer = read_offer(text, "publish and watch")
    assert profile not in offer.sdp
    assert offer.h264_parameters["102"].endswith(f"profile-level-id={profile}")
    assert read_offer(CHROME_H264_AND_HIDDEN_ADDRESS, "publish and watch").h264_parameters == {}


FRAGMENT = """a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
m=audio 9 RTP/AVP 0
a=mid:0
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1
a=candidate:3471623853 1 udp 2122194687 2001:db8::1 61765 typ host generation 0 ufrag EsAw network-id 2
a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw network-id 1
a=candidate:2 1 udp 2122194687 hidden.local 61766 typ host
a=candidate:3 1 udp 2122194687 192.0.2.1 99999 typ host
a=end-of-candidates
"""
"""RFC 9725's example with some that cannot be used."""


def test_a_fragment_gives_the_candidates_that_can_be_used():
    fragment = read_fragment(FRAGMENT)
    assert fragment.ufrag == "EsAw"
    assert [(c.ip, c.port, c.sdpMid, c.sdpMLineIndex) for c in fragment.candidates] == [
        ("192.0.2.1", 61764, "0", 0),
        ("2001:db8::1", 61765, "0", 0),
    ]
    assert read_fragment("a=end-of-candidates\n").candidates == ()


@given(st.text(max_size=80) | st.sampled_from(FRAGMENT.splitlines()).map(lambda line: line[: len(line) // 2]))
@example("hello")
@example("a=candidate:1 1 udp x 192.0.2.1 1 typ host")
def test_any_fragment_is_read_or_refused(text):
    with contextlib.suppress(OfferError):
        read_fragment(text)
