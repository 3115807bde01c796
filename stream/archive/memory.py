"""How far back and ahead of a frame its result depends on others, in seconds of film.

Where a piece starts in mid-shot, it processes so much before its first frame, and after its last, that the stages have
settled. Filters that fade exponentially count with ``SETTLED`` time constants: less than 4e-4 of older evidence is
left.
"""

from dataclasses import dataclass
from typing import Final

from emocolor.effects.chain import temporal_of
from emocolor.effects.colorize import ColorizeOptions
from emocolor.person_regions import FADE_SECONDS
from emocolor.restoration.flicker import REACH_SECONDS
from emocolor.restoration.grain import LEVEL_HISTORY
from emocolor.scenes import EASE_SECONDS, MAX_GAP_SECONDS
from emocolor.smoothing import MEMORY_TIME_CONSTANTS
from emocolor.tracks import TrackOptions

from ..restore.interlacing import LOOK_AHEAD_SECONDS, MEMORY_SECONDS
from ..settings import JobSettings

SETTLED: Final = MEMORY_TIME_CONSTANTS
SLOWEST_RATE: Final = 16.0
"""Frames per second of the slowest films: what counts in frames lasts longest there."""


@dataclass(frozen=True)
class Memory:
    """Seconds before and after a frame; those of stages one behind the other add up."""

    before: float = 0.0
    after: float = 0.0

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.before + other.before, self.after + other.after)


def memory_of(settings: JobSettings) -> Memory:
    """The memory of all stages that a job has, in their order."""
    return _restoring(settings) + _analysing(settings) + _colorizing(settings) + _segmenting(settings)


def is_exact(settings: JobSettings) -> bool:
    """Whether frames within a shot are those of one run, bit for bit, after that memory.

    Learned colours are not: when the colorizer runs, and how long frames wait for later ones, is counted from the start
    of a shot, so some samples differ by a code or two. Deinterlacing is not: where nothing moves, the field order that
    was found last counts, however long ago.
    """
    return temporal_of(settings.effects) is None and settings.restoration.deinterlace == "off"


def _restoring(settings: JobSettings) -> Memory:
    options, memory = settings.restoration, Memory()
    if options.deinterlace != "off":
        memory += Memory(SETTLED * MEMORY_SECONDS, LOOK_AHEAD_SECONDS)
    if options.deflicker:
        memory += Memory(REACH_SECONDS, REACH_SECONDS)
    if options.denoise > 0:
        memory += Memory(LEVEL_HISTORY / SLOWEST_RATE, LEVEL_HISTORY / SLOWEST_RATE)
    return memory


def _analysing(settings: JobSettings) -> Memory:
    if settings.analysis is None:
        return Memory()
    tracks, smoothing = TrackOptions(), settings.smoothing
    tracking = max(tracks.max_unseen_s, SETTLED * tracks.velocity_memory_s, SETTLED * tracks.appearance_memory_s)
    scene = max(SETTLED * smoothing.time_constant, MAX_GAP_SECONDS + EASE_SECONDS)
    return Memory(tracking + scene, max(smoothing.look_ahead, EASE_SECONDS) + MAX_GAP_SECONDS)


def _colorizing(settings: JobSettings) -> Memory:
    temporal = temporal_of(settings.effects)
    if temporal is None:
        return Memory()
    options = temporal[0]
    assert isinstance(options, ColorizeOptions), options
    stabilization = options.stabilization
    # Colours leave the stabilizer half a look-ahead at a time.
    return Memory(SETTLED * stabilization.time_constant, 1.5 * stabilization.look_ahead)


def _segmenting(settings: JobSettings) -> Memory:
    return Memory(SETTLED * FADE_SECONDS) if "people" in settings.needs else Memory()
