"""Nets, their weights with cards, and what runs them fast.

Names are loaded when they are asked for, so that a command that needs one module does not wait for all.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .colorizer import NetColorizer, load_colorizer
    from .emotion import EmotionNetRunner, load_emotion_net
    from .runners.base import Runner
    from .runners.selection import open_runner
    from .spec import (
        ColorizerSpec,
        EmotionNetSpec,
        NetSpec,
        StyleSpec,
        colorizer_names,
        emotion_net_names,
        read_colorizer_spec,
        read_emotion_spec,
        read_style_spec,
        style_net_names,
    )
    from .style import NetStyleTransfer, load_style_transfer

__all__ = [
    "ColorizerSpec",
    "EmotionNetRunner",
    "EmotionNetSpec",
    "NetColorizer",
    "NetSpec",
    "NetStyleTransfer",
    "Runner",
    "StyleSpec",
    "colorizer_names",
    "emotion_net_names",
    "load_colorizer",
    "load_emotion_net",
    "load_style_transfer",
    "open_runner",
    "read_colorizer_spec",
    "read_emotion_spec",
    "read_style_spec",
    "style_net_names",
]

_HOMES = {
    **dict.fromkeys(("NetColorizer", "load_colorizer"), "colorizer"),
    **dict.fromkeys(("EmotionNetRunner", "load_emotion_net"), "emotion"),
    **dict.fromkeys(("NetStyleTransfer", "load_style_transfer"), "style"),
    "Runner": "runners.base",
    "open_runner": "runners.selection",
}
"""Modules of the names that do not come from ``spec``."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module 'engines' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES.get(name, 'spec')}", __name__), name)
