"""A short synthesised piece of music: a chord at each change of emotion, so that sync can be heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emocolor.emotions import Emotion

Samples = NDArray[np.float32]
"""(2, N) float32 in [-1, 1], left and right."""

SAMPLE_RATE: Final = 48_000
CHORDS: Final[dict[Emotion, tuple[int, ...]]] = {
    "angry": (38, 44, 50, 53),
    "disgust": (40, 46, 52, 55),
    "fear": (47, 50, 53, 56),
    "happy": (48, 60, 64, 67, 72, 76),
    "sad": (45, 57, 60, 64),
    "surprise": (55, 67, 71, 74, 78, 83),
    "neutral": (43, 55, 62, 67),
}
"""MIDI note numbers, struck one after another."""
STRUM_SECONDS: Final = 0.07
NOTE_SECONDS: Final = 3.0
PARTIALS: Final = ((1, 1.0), (2, 0.35), (3, 0.16), (4, 0.08), (5.4, 0.03))
"""(Multiple of the pitch, amplitude); the last one is inharmonic and adds a metallic touch."""


@dataclass(frozen=True, kw_only=True)
class Beat:
    """A chord at a time."""

    time: float
    """In seconds."""
    emotion: Emotion


def demo_music(beats: Sequence[Beat], *, seconds: float) -> Samples:
    """The chords of ``beats``, (2, N) at ``SAMPLE_RATE``, N lasting ``seconds``; peak 0.7, faded out at the end."""
    mix = np.zeros((2, round(seconds * SAMPLE_RATE)), np.float32)
    for beat in beats:
        _strum(mix, beat)
    fade = min(mix.shape[1], SAMPLE_RATE // 2)
    mix[:, mix.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.asarray(mix * (0.7 / max(float(np.abs(mix).max(initial=0)), 1e-6)), np.float32)


def _strum(mix: Samples, beat: Beat) -> None:
    """Add a chord to ``mix`` in place, its notes spread from left to right."""
    chord = CHORDS[beat.emotion]
    for index, note in enumerate(chord):
        start = round((beat.time + index * STRUM_SECONDS) * SAMPLE_RATE)
        audio = _note(note)[: max(mix.shape[1] - start, 0)]
        pan = 0.25 + 0.5 * index / len(chord)
        mix[0, start : start + len(audio)] += audio * np.float32(np.cos(pan * np.pi / 2))
        mix[1, start : start + len(audio)] += audio * np.float32(np.sin(pan * np.pi / 2))


def _note(midi: int) -> NDArray[np.float32]:
    """A struck string: partials that decay, higher ones faster."""
    pitch = 440 * 2 ** ((midi - 69) / 12)
    time = np.arange(round(NOTE_SECONDS * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    attack = np.minimum(time / 0.006, 1)
    tone = sum(
        amplitude * np.sin(2 * np.pi * pitch * multiple * time) * np.exp(-time * (1.2 + 0.9 * multiple))
        for multiple, amplitude in PARTIALS
    )
    return np.asarray(attack * tone, np.float32)
