"""Damaged texts through what reads them: offers, messages of the page, presets, palettes, cards and ONNX files.

Each reader either takes a text or refuses it with the one error that is its own, within a moment.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from emocolor.errors import ConfigurationError, EngineError, OfferError
from emocolor.palettes import parse_palette
from engines.card_schema import ColorizerCard, EmotionCard, StyleCard
from engines.onnx_file import read_interface
from engines.spec import COLORIZER_FOLDER, EMOTION_FOLDER, STYLE_FOLDER
from stream.bounded_toml import parse_bounded
from stream.config_files import shipped_folder
from stream.live.controls import DEFAULT_CONTROLS
from stream.live.webrtc.control_messages import changed_controls
from stream.live.webrtc.offers import read_fragment, read_offer
from stream.presets import _parse
from tests.fuzz.mutations import mutated

CPU_LIMIT_S: Final = 3.0
"""For one text; the slowest takes a hundredth of that."""
TOKENS: Final = (
    "1" * 400, "-1", "0", "1e999", "NaN", "null", "true", "[[", "{", '"', "'", "\\", "\x00", "\x1b[2J", "\u202e",
    "é" * 50, "tint", "effect", "colormap:", ",", ":", "=", ".", "a.b.c.d.e.f.g.h.i", "65536", "4294967296", "sendrecv",
    "m=video", "a=candidate:", "127.0.0.1", "::1", "x.local", "\r\n", "\n", "VP8/90000", "a=mid:",
    "profile-level-id=zzzzzz",
)  # fmt: skip
"""What is put in between, in addition to damage of bytes."""

OFFER: Final = "\r\n".join(
    (
        "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102",
        "c=IN IP4 0.0.0.0", "a=candidate:1 1 udp 2113937151 192.0.2.7 51234 typ host generation 0",
        "a=candidate:2 1 udp 1 3f1b1d6c-77fc-4d60-8a4b-1c8e3a6b8f1e.local 51234 typ host", "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", f"a=fingerprint:sha-256 {':'.join(['DA'] * 32)}", "a=setup:actpass",
        "a=mid:0", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=sendrecv", "a=msid:- video", "a=rtcp-mux",
        "a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack pli", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
        "a=rtpmap:102 H264/90000", "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f", "a=ssrc:1 cname:x",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", f"a=fingerprint:sha-256 {':'.join(['DA'] * 32)}", "a=setup:actpass",
        "a=mid:1", "a=sctp-port:5000", "",
    )
)  # fmt: skip
MESSAGE: Final = json.dumps({"type": "controls", "values": DEFAULT_CONTROLS.as_message()})


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What reads a kind of text."""

    seeds: tuple[bytes, ...]
    """The reader takes each of them, but for those that were cut short to save time."""
    read: Callable[[bytes], object]
    refuses_with: tuple[type[Exception], ...]


def _contents(folder: Path, pattern: str, most: int = 40_000) -> tuple[bytes, ...]:
    return tuple(path.read_bytes()[:most] for path in sorted(folder.glob(pattern)))


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _card(kind: type) -> Callable[[bytes], object]:
    """As ``read_card`` does, without a file."""
    import msgspec

    def read(content: bytes) -> object:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(str(error)) from error

    return read


READERS: Final[Mapping[str, Reader]] = {
    "offer": Reader(
        seeds=(OFFER.encode(),),
        read=lambda content: read_offer(_text(content), "publish and watch"),
        refuses_with=(OfferError,),
    ),
    "fragment": Reader(
        seeds=(
            OFFER[OFFER.index("m=") :].replace("c=IN IP4 0.0.0.0\r\n", "").encode(),
            b"a=ice-ufrag:EsAw\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n",
        ),
        read=lambda content: read_fragment(_text(content)),
        refuses_with=(OfferError,),
    ),
    "controls": Reader(
        seeds=(MESSAGE.encode(), b'{"type": "controls", "values": {"effect": "style:.5", "style.fixed": "happy=.7"}}'),
        read=lambda content: changed_controls(_text(content), DEFAULT_CONTROLS).as_message(),
        refuses_with=(ConfigurationError,),
    ),
    "preset": Reader(
        seeds=_contents(shipped_folder("preset"), "*.toml"),
        read=lambda content: _parse(Path("mine.toml"), parse_bounded(content)),
        refuses_with=(ConfigurationError, ValueError),
    ),
    "palette": Reader(
        seeds=_contents(shipped_folder("palette"), "*.toml"),
        read=lambda content: parse_palette("mine", parse_bounded(content)),
        refuses_with=(ConfigurationError, ValueError),
    ),
    "emotion card": Reader(
        seeds=_contents(EMOTION_FOLDER, "*.json"), read=_card(EmotionCard), refuses_with=(EngineError,)
    ),
    "colorizer card": Reader(
        seeds=_contents(COLORIZER_FOLDER, "*.json"), read=_card(ColorizerCard), refuses_with=(EngineError,)
    ),
    "style card": Reader(seeds=_contents(STYLE_FOLDER, "*.json"), read=_card(StyleCard), refuses_with=(EngineError,)),
    "onnx": Reader(seeds=_contents(EMOTION_FOLDER, "*.onnx", 6_000), read=read_interface, refuses_with=(EngineError,)),
}


def text_of(number: int, reader: Reader) -> bytes:
    """The text of a case."""
    chance = random.Random(number)
    content = bytearray(chance.choice(reader.seeds))
    for _ in range(chance.choice((0, 0, 1, 2, 5))):
        at = chance.randrange(len(content) + 1)
        content[at : at + chance.choice((0, 0, 1, 5))] = chance.choice(TOKENS).encode()
    return mutated(bytes(content), chance, most=2)[0] if chance.random() < 0.7 else bytes(content)


def check(number: int, reader: Reader) -> bool:
    """Whether the text of a case is taken. Fails where it is neither taken nor refused as it should be, or is slow."""
    content = text_of(number, reader)
    started = time.process_time()
    taken = True
    try:
        reader.read(content)
    except reader.refuses_with as error:
        taken = False
        if len(str(error)) > 6_000 or not str(error):
            pytest.fail(f"case {number}: the message has {len(str(error))} characters")
    except Exception as error:
        pytest.fail(f"case {number}: {error!r}")
    if time.process_time() - started > CPU_LIMIT_S:
        pytest.fail(f"case {number}: it took more than {CPU_LIMIT_S:g} s")
    return taken
