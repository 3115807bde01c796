"""The seven emotions, in the order of FER2013's labels, which is that of every net's outputs."""

from typing import Final, Literal, get_args

Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
"""An emotion by name."""

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)
"""All seven, in the order in which probabilities list them."""
NEUTRAL: Final = EMOTIONS.index("neutral")
"""Index of neutral."""
