"""Emotion classifiers by the name of their definition."""

from collections.abc import Sequence

from emocolor.errors import ConfigurationError, nearest

from .emotion_net import EmotionNet
from .lite_emotion import LiteEmotionNet
from .s0 import S0Net
from .s3 import S3Net
from .tiny_emotion import TinyEmotionNet

EMOTION_NETS: dict[str, type[EmotionNet]] = {
    "s0": S0Net,
    "s3": S3Net,
    "lite": LiteEmotionNet,
    "tiny": TinyEmotionNet,
}


def emotion_net(name: str, label_sets: Sequence[str] = ("fer2013",)) -> EmotionNet:
    """An untrained net with an output for each label set. Raises ``ConfigurationError`` for an unknown name."""
    if name not in EMOTION_NETS:
        raise ConfigurationError(f"Unknown net definition '{name}'{nearest(name, list(EMOTION_NETS))}")
    return EMOTION_NETS[name](label_sets)
