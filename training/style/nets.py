"""Style nets in torch: at the start of a run, from a finished one, and as a function of stored images."""

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emocolor.arrays import RgbImage
from emocolor.emotions import EMOTIONS, Emotion
from emocolor.errors import ConfigurationError, EngineError
from engines.nets.from_onnx import fill
from engines.nets.s3_transformer import S3Transformer
from engines.nets.style_net import LAYOUTS, StyleNet
from engines.spec import read_style_spec, style_net_names

from ..records import JsonObject, read_json
from ..run_folder import CHECKPOINT, CONFIG, FINAL, final_weights, finished_config
from ..toml_recipe import recipe_from
from .recipe import StyleImage, StyleRecipe


class StylizeFunction(Protocol):
    """A style net between stored images."""

    def __call__(self, rgb: RgbImage, mixture: NDArray[np.float32], /) -> RgbImage:
        """sRGB (H, W, 3) uint8 and the weights of the styles (8,) to the stylized image."""
        ...


def new_net(recipe: StyleRecipe) -> nn.Module:
    """The untrained net of a recipe: S3's net of one style, or one of seven styles."""
    return S3Transformer() if recipe.net == "s3" else StyleNet(LAYOUTS[recipe.net])


def net_of_run(run: Path) -> tuple[StyleRecipe, nn.Module]:
    """Recipe and net of a finished run, in evaluation mode; raises ``ConfigurationError`` where it is not finished."""
    recipe = recipe_from(StyleRecipe, finished_config(run)["settings"], run / CONFIG)
    net = new_net(recipe)
    net.load_state_dict(final_weights(run))
    return recipe, net.eval()


def stylize(net: nn.Module, rgb: Tensor, mixture: Tensor) -> Tensor:
    """The output of a net of either kind: sRGB (N, 3, H, W), not clipped, float32."""
    stylized: Tensor = net(rgb, mixture) if isinstance(net, StyleNet) else net(rgb)
    return stylized.float()


def stylize_function(net: nn.Module) -> StylizeFunction:
    """A net as a function of stored images (H, W, 3) uint8, sides multiples of 4."""
    device = next(net.parameters()).device

    @torch.inference_mode()
    def apply(rgb: RgbImage, mixture: NDArray[np.float32], /) -> RgbImage:
        stylized = stylize(net, as_batch([rgb]).to(device), torch.from_numpy(mixture)[None].to(device))
        return np.ascontiguousarray(stylized[0].clamp(0, 1).mul(255).round().byte().movedim(0, 2).cpu().numpy())

    return apply


def as_batch(images: list[RgbImage]) -> Tensor:
    """sRGB (H, W, 3) uint8 of one size as (N, 3, H, W) in [0, 1], channels last in memory."""
    return torch.from_numpy(np.stack(images)).movedim(3, 1).float() / 255


def required_styles(recipe: StyleRecipe) -> dict[Emotion, StyleImage]:
    """The recipe's paintings; raises ``ConfigurationError`` where its net needs others."""
    given = recipe.styles.given()
    missing = [emotion for emotion in EMOTIONS if emotion not in given]
    if recipe.net == "s3" and not given:
        raise ConfigurationError("The net s3 has one style. Pass its painting as --style happy=painting.jpg.")
    if recipe.net != "s3" and missing:
        raise ConfigurationError(f"The net {recipe.net} has seven styles, but there is none for {missing[0]}.")
    return given


def start_weights(recipe: StyleRecipe, runs: Path) -> Path | None:
    """The file with the recipe's initial weights: a net that ships or a run's checkpoint; None for a fresh net."""
    if recipe.start in style_net_names():
        return read_style_spec(recipe.start).weights
    return finished_checkpoint(runs / recipe.start) if recipe.start else None


def shipped_history(start: str) -> list[JsonObject]:
    """The records of the runs behind a net that ships, oldest first; none for other starting points."""
    if start not in style_net_names():
        return []
    card = read_json(read_style_spec(start).weights.with_suffix(".json"))
    return [*card["started_from"], card["training"]]


def finished_checkpoint(run: Path) -> Path:
    """The checkpoint of a finished run; raises ``ConfigurationError`` where there is none."""
    if not (run / FINAL).exists():
        raise ConfigurationError(f"{run}, which the recipe builds on, is not a finished run.")
    return run / CHECKPOINT


def load_start(net: nn.Module, start: Path) -> None:
    """Load a checkpoint or an exported net; raises ``ConfigurationError`` where it does not fit ``net``."""
    try:
        if start.suffix == ".onnx":
            fill(net, start)
        else:
            net.load_state_dict(torch.load(start, weights_only=True)["net"])
    except (RuntimeError, EngineError) as error:
        raise ConfigurationError(f"{start} is of another net than the recipe's.") from error
