"""Where the output of a job differs from its input although it should not."""

from collections.abc import Iterator

from tests.cases.facts import Facts, Track

AUDIO_TOLERANCE_S = 0.08
"""Codecs begin and end with whole frames of their own, and decoders of some give nothing for the first."""
AAC_FRAME = 1024
"""Samples. An encoder begins with one that players leave out; at low rates it is long."""
MILLISECOND = 0.0011
"""The unit of Matroska's times, and what rounding adds."""


def differences(given: Facts, made: Facts) -> Iterator[str]:
    """Each difference as a word and its numbers: "frames: 50, 49"."""
    pairs = {
        "frames": (len(given.times), len(made.times)),
        "size": (given.size_wh, made.size_wh),
        "aspect": (given.aspect, made.aspect),
        "rotation": (given.rotation, made.rotation),
        "audio streams": (len(given.audio), len(made.audio)),
        "subtitle streams": (len(given.subtitles), len(made.subtitles)),
        "chapters": (given.chapters, made.chapters),
    }
    yield from (f"{name}: {before}, {after}" for name, (before, after) in pairs.items() if before != after)
    yield from _of_tags(given, made)
    yield from _of_times(given, made)
    for before, after in zip(given.audio, made.audio, strict=False):
        yield from _of_audio(before, after, made.times[0] - given.times[0])
    for before, after in zip(given.subtitles, made.subtitles, strict=False):
        if before.language != after.language:
            yield f"subtitle language: {before.language}, {after.language}"


def _of_tags(given: Facts, made: Facts) -> Iterator[str]:
    for name, value in given.color.items():
        if made.color.get(name) != value:
            yield f"color {name}: {value}, {made.color.get(name)}"
    found = {name.lower(): value for name, value in made.tags.items()}
    for name, value in given.tags.items():
        if found.get(name.lower()) != value:
            yield f"tag {name.lower()}: {value!r}, {found.get(name.lower())!r}"


def _of_times(given: Facts, made: Facts) -> Iterator[str]:
    """Times count from the first frame: containers differ in where a film begins."""
    if len(given.times) != len(made.times):
        return
    shifts = [abs(before - after) for before, after in zip(given.intervals, made.intervals, strict=True)]
    if max(shifts) > MILLISECOND:
        index = shifts.index(max(shifts))
        yield f"times: frame {index} at {given.intervals[index]:.4f}, {made.intervals[index]:.4f}"


def _of_audio(given: Track, made: Track, shift: float) -> Iterator[str]:
    """``shift`` is how far the first frame moved; audio has to move with it."""
    for name in ("rate", "channels", "language"):
        before, after = getattr(given, name), getattr(made, name)
        if before != after:
            yield f"audio {name}: {before}, {after}"
    tolerance = max(AUDIO_TOLERANCE_S, 1.1 * AAC_FRAME / (made.rate or 1))
    for name in ("start", "end"):
        before, after = getattr(given, name) + shift, getattr(made, name)
        if abs(before - after) > tolerance:
            yield f"audio {name}: {before:.3f}, {after:.3f}"
