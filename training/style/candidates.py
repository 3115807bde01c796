"""Style nets to measure and to show: those that ship, exported ones, and what runs have left in their folders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emocolor.effects.style import IDENTITY, StyleOptions
from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError, MissingDependencyError
from engines.spec import Painting, style_net_names
from engines.style import load_style_transfer

from ..data.photos import Rgb8

if TYPE_CHECKING:
    from torch import nn

    from .plots import Paint
    from .recipe import StyleRecipe


@dataclass(frozen=True)
class PaintingNet:
    """A style net that is ready to paint."""

    name: str
    paint: "Paint"
    """sRGB (H, W, 3) uint8, sides multiples of 4, by a mixture (8,), which a net of one style does not regard."""
    paintings: Mapping[Emotion, Painting]
    """Of the styles that it has."""
    backend: str | None
    """What it runs on in the program, for people to read; None for a run's net, which is not timed."""


def load_painting_net(weights: str | None, *, threads: int) -> PaintingNet:
    """A shipped net by name, an ONNX file with its card, or a finished run's folder; None for the net of the effect.

    Runs need torch. Raises ``ConfigurationError``, ``EngineError`` and ``MissingDependencyError``.
    """
    name = StyleOptions().net if weights is None else weights
    if name not in style_net_names() and Path(name).is_dir():
        return _net_of_folder(Path(name))
    style_transfer = load_style_transfer(name, threads=threads)
    return PaintingNet(
        style_transfer.spec.name, style_transfer.paint, style_transfer.spec.paintings, style_transfer.runner.backend
    )


def only(emotion: Emotion) -> NDArray[np.float32]:
    """The mixture (8,) of one style alone."""
    mixture = np.zeros(IDENTITY + 1, np.float32)
    mixture[EMOTIONS.index(emotion)] = 1
    return mixture


def net_of_run(run: Path) -> tuple["StyleRecipe", "nn.Module"]:
    """Recipe and net of a finished run, in evaluation mode: S3's net, or one of seven styles. Needs torch.

    Raises ``ConfigurationError`` where the run is not finished.
    """
    import torch

    from ..toml_recipe import recipe_from
    from .recipe import StyleRecipe
    from .train import fresh_net

    if not (run / "final.json").exists():
        raise ConfigurationError(f"{run} has no final.json: the run is not finished. Resume it first.")
    recipe = recipe_from(StyleRecipe, json.loads((run / "config.json").read_text())["settings"], run / "config.json")
    net = fresh_net(recipe)
    net.load_state_dict(torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["net"])
    return recipe, net.eval()


def painting_by(net: "nn.Module") -> "Paint":
    """A net in torch between pictures as they are stored: (H, W, 3) uint8, sides multiples of 4."""
    import torch

    from .train import batch_of, painted_by

    device = next(net.parameters()).device

    @torch.inference_mode()
    def paint(rgb: Rgb8, mixture: NDArray[np.float32]) -> Rgb8:
        painted = painted_by(net, batch_of([rgb]).to(device), torch.from_numpy(mixture)[None].to(device))
        return np.ascontiguousarray(painted[0].clamp(0, 1).mul(255).round().byte().movedim(0, 2).cpu().numpy())

    return paint


def _net_of_folder(run: Path) -> PaintingNet:
    try:
        recipe, net = net_of_run(run)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"The run {run} needs torch: pip install 'emocolor-stream[train]'.") from error
    paintings = {
        emotion: Painting(title=image.title, artist=image.artist, file=image.file, weight=image.weight)
        for emotion, image in recipe.styles.given().items()
    }
    return PaintingNet(run.name, painting_by(net), paintings, None)
