"""One vocabulary, that of video and machine learning: what the field has a word for is called by that word."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("emocolor", "engines", "stream", "training", "tests", "examples", "configs", "docs", ".github")
SUFFIXES = {".py", ".md", ".js", ".html", ".css", ".toml", ".yml", ".yaml"}

NAMES = {
    "picture": "frame (decoded), image (an array), photo",
    "pictures": "frames, images, photos",
    "sound": "audio",
    "sounds": "audio",
    "mend": "fix",
    "mends": "fixes",
    "foe": "abusive client",
    "judge": "classifier, classify",
    "judged": "classified, evaluated",
    "judges": "classifies",
    "sketch": "ColorizerOutput, predict",
    "sighted": "TrackedFace",
    "allowance": "TokenBucket",
    "mailbox": "handoff, channel",
    "handover": "handoff",
    "exam": "EvalConfig",
    "question": "EvalConfig",
    "figures": "metrics, statistics",
    "answers": "outputs, responses",
}
"""Words that are no part of any identifier or file name, and what to say instead."""

NAMES_ELSEWHERE = {
    "answer": (
        "output, response",
        ("stream/live/webrtc", "stream/live/server", "stream/live/page", "tests/stream/live"),
    ),
    "painted": ("rendered", ("training/style", "engines", "emocolor/effects", "stream/demo", "stream/test_styling.py")),
    "looks": ("analyses", ()),
    "says": ("outputs, reports", ()),
}
"""Words that belong to a field of their own (SDP answers, painting), and where that is. Names of tests are sentences,
in which they may stand."""

WHOLE_NAMES = {
    "side_by_side": "ordered_parallel_map",
    "hold_still": "stabilize",
    "held_still": "stabilized",
    "delay_ms": "latency_ms",
    "Look": "AnalysisInput",
    "look": "analysis",
}

PROSE = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bfoes?\b": "abusive client",
    r"of no code at all": "no extra code",
    r"\bof the processor\b": "CPU",
    r"\b(hold|holds|held|holding)( \w+)? still\b": "stabilize, stable over time",
    r"\bpictures?\b": "frame, image, photo",
    r"\bsounds?\b": "audio",
    r"\bjudg(e|es|ed|ing)\b": "classify",
    r"\bhand-?overs?\b": "handoff",
    r"\bmailbox(es)?\b": "handoff, channel",
    r"\bnets? (says?|said)\b": "outputs",
    r"\blooks? (a|per) (second|frame)\b": "analyses a second",
    r"\bfault of\b": "caused by",
}
"""Patterns for every line of code, documentation and page, whatever its case, and what to say instead."""

QUOTED = (r"attached[_ ]pictures?", r"picture parameter set", r"picture-in-picture", r"portrait picture")
"""Terms of formats and interfaces that hold such a word."""


def files() -> list[Path]:
    """Everything that people read, but for this list of what not to write."""
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    found = [path for path in (*ROOT.glob("*.md"), *below) if path.suffix in SUFFIXES and path != Path(__file__)]
    return sorted(path for path in found if "results" not in path.parts)


def words_of(name: str) -> list[str]:
    """The lower-case words of ``snake_case``, ``CamelCase`` and ``UPPER_CASE``."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)]


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """Every identifier with its line, and the file's own name in line 0."""
    yield 0, path.stem
    text = path.read_text()
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                yield token.start[0], token.string
    elif path.suffix == ".js":
        for number, line in enumerate(text.splitlines(), start=1):
            code = re.sub(r"//.*|\"[^\"]*\"|`[^`]*`", "", line)
            yield from ((number, name) for name in re.findall(r"[A-Za-z_$][\w$]*", code))


def complaint(name: str, place: str) -> str:
    """What to say instead of ``name`` in the file ``place``, or nothing."""
    if name in WHOLE_NAMES:
        return WHOLE_NAMES[name]
    for word in words_of(name):
        if word in NAMES:
            return NAMES[word]
        if word in NAMES_ELSEWHERE and not name.startswith("test_"):
            instead, homes = NAMES_ELSEWHERE[word]
            if not place.startswith(homes) and not place.removeprefix("tests/").startswith(homes):
                return instead
    return ""


def test_words_of_names():
    assert (
        words_of("RenderedFrame") == words_of("rendered_frame") == words_of("RENDERED_FRAME") == ["rendered", "frame"]
    )
    assert words_of("_RTCRtpReceiver") == ["rtc", "rtp", "receiver"]


@pytest.mark.parametrize("folder", [*FOLDERS, ""])
def test_names_are_those_of_the_field(folder):
    found = [
        f"{place}:{line} {name}: say {instead}"
        for path in files()
        if (place := str(path.relative_to(ROOT))).startswith(f"{folder}/") or (not folder and "/" not in place)
        for line, name in names_in(path)
        if (instead := complaint(name, place))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", [*FOLDERS, ""])
def test_sentences_use_the_words_of_the_field(folder):
    quoted = re.compile("|".join(QUOTED), re.IGNORECASE)
    banned = re.compile("|".join(PROSE), re.IGNORECASE)
    found = [
        f"{place}:{number} {match[0]!r}"
        for path in files()
        if (place := str(path.relative_to(ROOT))).startswith(f"{folder}/") or (not folder and "/" not in place)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (match := banned.search(quoted.sub("", line)))
    ]
    assert not found, "\n".join(found)
