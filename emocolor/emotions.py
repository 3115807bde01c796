"""The seven emotions, in the order that FER2013 and every net here number them."""

from typing import Final, Literal, get_args

Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
"""An emotion by name."""

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)
"""Their names; probabilities of all seven stand in this order."""
NEUTRAL: Final = EMOTIONS.index("neutral")
