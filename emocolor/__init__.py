"""The core: arrays in, arrays out. No files, clocks, threads or devices."""

from .classifier import EmotionClassifier
from .emotions import EMOTIONS, Emotion
from .errors import (
    ConfigurationError,
    EmocolorError,
    EngineError,
    MissingDependencyError,
    SinkError,
    SourceError,
)
from .faces import Box, Detection, EmotionEstimate, Face, Observation, ObservedFace, Scene
from .frames import PIXEL_FORMATS, ColorSpec, Frame, PixelFormat
from .palettes import Palette
from .protocols import Detector, Effect
from .scenes import SceneBuilder
from .smoothing import SmoothingOptions

__all__ = [
    "EMOTIONS",
    "PIXEL_FORMATS",
    "Box",
    "ColorSpec",
    "ConfigurationError",
    "Detection",
    "Detector",
    "Effect",
    "EmocolorError",
    "Emotion",
    "EmotionClassifier",
    "EmotionEstimate",
    "EngineError",
    "Face",
    "Frame",
    "MissingDependencyError",
    "Observation",
    "ObservedFace",
    "Palette",
    "PixelFormat",
    "Scene",
    "SceneBuilder",
    "SinkError",
    "SmoothingOptions",
    "SourceError",
]
