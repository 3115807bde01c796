"""Profiles of H.264 in offers and answers."""

import pytest
from aiortc.codecs import CODECS
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.sdp import SessionDescription

from stream.live.webrtc.h264_profiles import with_known_profile, with_original_profiles

HEAD = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"
HIGH = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c34"
REST = "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"


def offer(parameters):
    fmtp = f"a=fmtp:96 {parameters}\r\n" if parameters else ""
    return f"{HEAD}a=rtpmap:96 H264/90000\r\n{fmtp}{REST}"


def is_known(sdp):
    (media,) = SessionDescription.parse(sdp).media
    return bool(find_common_codecs(CODECS["video"], media.rtp.codecs))


@pytest.mark.parametrize("profile", ["640c1f", "640034", "4d401f", "4d001f", "58001f", "f4001f", "6e001f"])
def test_any_profile_is_negotiated_as_baseline_and_answered_as_it_was(profile):
    asked = offer(HIGH.replace("640c34", profile))
    assert not is_known(asked)
    known, originals = with_known_profile(asked, sends_only=False)
    assert is_known(known)
    assert REST in known
    answer = with_original_profiles("a=rtpmap:96 H264/90000\r\na=fmtp:96 x\r\na=fmtp:97 apt=96\r\n", originals)
    assert f"a=fmtp:96 {HIGH.replace('640c34', profile)}\r\n" in answer
    assert "a=fmtp:97 apt=96\r\n" in answer


@pytest.mark.parametrize("parameters", ["", "profile-level-id=64001f", "packetization-mode=0;profile-level-id=42e01f"])
def test_single_packets_are_accepted_from_those_who_only_send(parameters):
    known, originals = with_known_profile(offer(parameters), sends_only=True)
    assert is_known(known)
    answer = with_original_profiles("a=fmtp:96 packetization-mode=1\r\n", originals)
    assert "packetization-mode=1" not in answer
    known, originals = with_known_profile(offer(parameters), sends_only=False)
    assert not is_known(known)
    assert originals == {}


def test_other_lines_stay_as_they_are():
    plain = HEAD + "a=rtpmap:96 VP8/90000\r\n" + REST
    assert with_known_profile(plain, sends_only=True) == (plain, {})
    assert with_original_profiles(plain, {}) == plain
