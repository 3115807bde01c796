"""The seven emotions, in the order that FER2013 and every net here number them."""

from typing import Final, Literal, get_args

Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)
NEUTRAL: Final = EMOTIONS.index("neutral")
