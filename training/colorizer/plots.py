"""Plots of a colorizer's run, as PNG beside its metrics. They show the photos it was measured on."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

from emocolor.chroma.conversion import luma_of
from engines.nets.colorizer import ColorizerNet

from ..data.photos import Photos, center_crop, write_image
from .contact_sheet import triptych
from .recolorers import Recolorer

TRIPTYCHS = 8
SIZE = 256
CHANNELS = 8
"""Feature maps shown of a layer."""


def draw_triptychs(run: Path, recolor: Recolorer, photos: Photos) -> None:
    """``triptychs.png``: gray, predicted and true, of the first photos."""
    squares = [center_crop(photos.photo(index), SIZE) for index in range(min(TRIPTYCHS, len(photos)))]
    write_image(run / "triptychs.png", np.vstack([triptych(square, recolor) for square in squares]))


def draw_features(run: Path, net: ColorizerNet, photos: Photos) -> None:
    """``features.png``: feature maps of the first, a middle and the last convolution on the first photo (S1)."""
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    shown = [convolutions[0], convolutions[len(convolutions) // 2], convolutions[-1]]
    found: list[Tensor] = []
    hooks = [module.register_forward_hook(lambda _, __, output: found.append(output)) for module in shown]
    gray = luma_of(center_crop(photos.photo(0), SIZE))
    net.eval()
    with torch.inference_mode():
        net(torch.from_numpy(gray)[None, None].to(next(net.parameters()).device).float() / 255)
    for hook in hooks:
        hook.remove()
    figure, panels = plt.subplots(len(found), CHANNELS, figsize=(CHANNELS * 1.4, len(found) * 1.5))
    for row, features in zip(panels, found, strict=True):
        maps = features[0].float().cpu().numpy()
        for axes, channel in zip(row, range(CHANNELS), strict=True):
            axes.axis("off")
            if channel < len(maps):
                axes.imshow(maps[channel], cmap="gray")
        row[0].set_title(f"{maps.shape[0]} maps of {maps.shape[1]}x{maps.shape[2]}", fontsize=7, loc="left")
    figure.savefig(run / "features.png", dpi=80)
    plt.close(figure)
