"""What travels from stage to stage: a unit of the source, and what all stages know of it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from emocolor.faces import Observation, Scene
from emocolor.frames import Frame

from ..media.source import MediaUnit

P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A unit of the source, with what the stages so far have found out."""

    unit: MediaUnit
    observation: Observation | None = None
    """The faces and their emotions, if this frame was analysed."""
    scene: Scene | None = None
    """The scene at this frame's time, once known; ``None`` where the unit has no frame."""

    @property
    def frame(self) -> Frame | None:
        return self.unit.frame

    @property
    def is_cut(self) -> bool:
        """Whether a new shot was detected at this frame."""
        return self.observation is not None and self.observation.cut


@dataclass(frozen=True)
class Pending(Generic[P]):
    """A step between two stages of one task, with a payload that the first makes for the second alone."""

    step: Step
    payload: P | None = None
