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
    """Detects the faces of one video and keeps their identities. Not thread-safe."""

    detector: Detector
    tracks: Tracks
    geometry: CropGeometry
    crop_size: int
    """Side of the square crops, in pixels."""

    def track(self, frame: Frame, *, cut: bool) -> AnalysisInput:
        """The faces of ``frame`` with their track ids. Call it with frames in order of time.

        ``cut``: a new shot starts with this frame, so all tracks end and the detector searches the whole frame.
        """
        gray = luma_8bit(frame)
        predicted = [] if cut else self.tracks.predicted(frame.time)
        detections = self.detector.detect(gray, predicted, frame.rotation, sweep=cut)
        tracked = self.tracks.update(frame.time, detections, gray, cut=cut)
        faces = (
            TrackedFace(track_id, face, crop_face(gray, face, self.geometry, self.crop_size))
            for track_id, face in tracked
        )
        return AnalysisInput(time=frame.time, cut=cut, faces=tuple(faces))


def classify_faces(analysis: AnalysisInput, classifier: EmotionClassifier) -> Observation:
    """Estimate the emotion of every face, with a confidence for each estimate."""
    return observation_from(analysis, classifier.estimate([face.crop for face in analysis.faces]))


def observation_from(analysis: AnalysisInput, estimates: Sequence[EmotionEstimate]) -> Observation:
    """Join the tracked faces of a frame with the classifier's estimates, one per face and in the same order."""
    faces = tuple(
        ObservedFace(
            track_id=face.track_id,
            detection=face.detection,
            estimate=estimate,
            confidence=observation_confidence(face.detection, face.crop, estimate.mutual_information),
        )
        for face, estimate in zip(analysis.faces, estimates, strict=True)
    )
    return Observation(time=analysis.time, cut=analysis.cut, faces=faces)
