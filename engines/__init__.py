"""Nets, their weights with cards, and what runs them fast."""

from .emotion import EmotionNetRunner, load_emotion_net
from .runners.base import Runner
from .runners.selection import open_runner
from .spec import EmotionNetSpec, emotion_net_names, read_emotion_spec

__all__ = [
    "EmotionNetRunner",
    "EmotionNetSpec",
    "Runner",
    "emotion_net_names",
    "load_emotion_net",
    "open_runner",
    "read_emotion_spec",
]
