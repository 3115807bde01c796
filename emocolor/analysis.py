"""From a frame to its faces and their emotions: detect, track, crop, classify."""

from collections.abc import Sequence
from dataclasses import dataclass

from .arrays import GrayImage
from .classifier import EmotionClassifier
from .face_crops import CropGeometry, crop_face, observation_confidence
from .faces import Detection, EmotionEstimate, Observation, ObservedFace
from .frames import Frame, luma_8bit
from .protocols import Detector
from .tracks import Tracks


@dataclass(frozen=True)
class TrackedFace:
    """A tracked face in one frame, cropped for the classifier."""

    track_id: int
    detection: Detection
    crop: GrayImage
    """(S, S) uint8, full range."""


@dataclass(frozen=True, kw_only=True)
class AnalysisInput:
    """The faces of one analysed frame, before they are classified."""

    time: float
    """Media time in seconds."""
    cut: bool
    """A new shot starts with this frame."""
    faces: tuple[TrackedFace, ...]


@dataclass(frozen=True)
class FaceTracker:
    """Detects the faces of a video's frames and keeps their identities. Not for two threads at once."""

    detector: Detector
    tracks: Tracks
    geometry: CropGeometry
    crop_size: int

    def track(self, frame: Frame, *, cut: bool) -> AnalysisInput:
        """Which face is where in ``frame``; frames must come in order of time."""
        gray = luma_8bit(frame)
        expected = [] if cut else self.tracks.expected(frame.time)
        found = self.detector.detect(gray, expected, frame.rotation, sweep=cut)
        tracked = self.tracks.update(frame.time, found, gray, cut=cut)
        faces = (
            TrackedFace(number, face, crop_face(gray, face, self.geometry, self.crop_size)) for number, face in tracked
        )
        return AnalysisInput(time=frame.time, cut=cut, faces=tuple(faces))


def classify_faces(found: AnalysisInput, classifier: EmotionClassifier) -> Observation:
    """Estimate the emotion of every face, and how far to trust each estimate."""
    return observation_from(found, classifier.estimate([face.crop for face in found.faces]))


def observation_from(found: AnalysisInput, estimates: Sequence[EmotionEstimate]) -> Observation:
    """The observation of a frame, from its tracked faces and the classifier's estimate for each."""
    faces = tuple(
        ObservedFace(
            track_id=face.track_id,
            detection=face.detection,
            estimate=estimate,
            confidence=observation_confidence(face.detection, face.crop, estimate.mutual_information),
        )
        for face, estimate in zip(found.faces, estimates, strict=True)
    )
    return Observation(time=found.time, cut=found.cut, faces=faces)
