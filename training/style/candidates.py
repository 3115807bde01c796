"""Style nets to measure and to show: those that ship, exported ones, and those of finished runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emocolor.effects.style import IDENTITY, StyleOptions
from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import MissingDependencyError
from engines.spec import Painting, style_net_names
from engines.style import load_style_transfer

if TYPE_CHECKING:
    from .nets import StylizeFunction


@dataclass(frozen=True)
class CandidateNet:
    """A style net that is ready to use."""

    name: str
    stylize: "StylizeFunction"
    """Sides multiples of 4; a net of one style ignores the mixture."""
    paintings: Mapping[Emotion, Painting]
    """Of its styles."""
    backend: str | None
    """The runtime in the program, for people to read; None for a run's net, which is not timed."""


def load_candidate(weights: str | None, *, threads: int) -> CandidateNet:
    """A shipped net by name, an ONNX file with its card, or a finished run's folder; None for the effect's default.

    Runs need torch. Raises ``ConfigurationError``, ``EngineError`` and ``MissingDependencyError``.
    """
    name = StyleOptions().net if weights is None else weights
    if name not in style_net_names() and Path(name).is_dir():
        return _candidate_of_run(Path(name))
    style_transfer = load_style_transfer(name, threads=threads)
    return CandidateNet(
        style_transfer.spec.name, style_transfer.paint, style_transfer.spec.paintings, style_transfer.runner.backend
    )


def single_style(emotion: Emotion) -> NDArray[np.float32]:
    """The mixture (8,) of one style alone."""
    mixture = np.zeros(IDENTITY + 1, np.float32)
    mixture[EMOTIONS.index(emotion)] = 1
    return mixture


def _candidate_of_run(run: Path) -> CandidateNet:
    try:
        from .nets import net_of_run, stylize_function
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"The run {run} needs torch: pip install 'emocolor-stream[train]'.") from error
    recipe, net = net_of_run(run)
    paintings = {
        emotion: Painting(title=image.title, artist=image.artist, file=image.file, weight=image.weight)
        for emotion, image in recipe.styles.given().items()
    }
    return CandidateNet(run.name, stylize_function(net), paintings, None)
