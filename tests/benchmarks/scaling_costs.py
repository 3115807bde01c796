"""Costs and their causes: for each, the work of one round at each size of its cause."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.analysis import classify_faces
from emocolor.chroma.stabilizer import StabilizerOptions
from emocolor.classifier import EmotionClassifier
from emocolor.effects import Colorize, ColorizeOptions, Grade, GradeOptions, Style, StyleOptions, Tint, TintOptions
from emocolor.emotions import EMOTIONS
from emocolor.errors import SourceError
from emocolor.faces import Box, Face, Scene
from emocolor.frames import PIXEL_FORMATS, Frame
from emocolor.protocols import Effect
from engines.colorizer import load_colorizer
from engines.emotion import load_emotion_net
from engines.spec import emotion_net_names
from stream.media.frames import frame_from_av, frame_to_av
from stream.media.source import VideoSource
from stream.nets import WorkerNets
from stream.settings import AnalysisOptions, JobSettings
from tests.benchmarks.__main__ import ENCODER

DISTINCT: Final = 8
"""Frames of the clip that are used, back and forth."""
RATE: Final = 30
"""Frames per second."""
CELLS: Final = 4
"""A frame of many faces has this many of them across and down."""
CELL_WH: Final = (480, 270)

Cause = Literal["faces", "lines", "passes"]
Work = Callable[["Stopwatch"], int]
"""Does the work of a round while the watch runs, and returns the number of frames (analyses, faces) it was for."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How much work a round does."""

    analyses: int = 24
    """Analyses of a frame: twice through the detector's tiles."""
    colorized: int = 60
    """Frames for colorize, which are six inferences of its net."""
    encoded: int = 48
    """Frames that are encoded, and decoded."""
    classified: int = 20
    """Faces for a classifier."""


class Stopwatch:
    """Adds up the time that its ``with`` blocks take: CPU seconds of all threads, and wall time."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> None:
        self._started = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        cpu, wall = self._started
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Something that takes time, and what the time depends on."""

    name: str
    cause: Cause
    """Faces in the frame; lines of a 16:9 frame, for its pixels; or T of Monte Carlo dropout."""
    ready: Callable[[int], AbstractContextManager[Work]]
    """From a size of the cause to the work; what it needs is loaded when the context is entered."""
    ours: bool = True
    """False for what is there only for comparison."""


class Footage:
    """Frames of a real clip at any size. Raises ``SourceError`` if the clip cannot be read or shows no face."""

    def __init__(self, path: Path) -> None:
        source = VideoSource(str(path))
        try:
            frames = (unit.frame for unit in source.units() if unit.frame is not None)
            self._frames = [frame.handle for _, frame in zip(range(DISTINCT), frames, strict=False)]
        finally:
            source.close()
        self._first = frame_from_av(self._frames[0]).copy()
        self._face = _face_in(self._first, path)
        self._sizes: dict[int, list[Frame]] = {}

    def frames(self, lines: int) -> list[Frame]:
        """The frames at 16:9 with this many lines, 4:2:0, each with memory of its own."""
        if lines not in self._sizes:
            size_wh = size_of(lines)
            self._sizes[lines] = [frame_from_av(frame.reformat(*size_wh, "yuv420p")).copy() for frame in self._frames]
        return self._sizes[lines]

    def scene(self, index: int, lines: int) -> Scene:
        """The face at its place in the first frame, whose emotion goes from happy to sad with ``index``."""
        part = (index + 1) / (DISTINCT + 1)
        happy, sad = (np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)] for emotion in ("happy", "sad"))
        mixture = (1 - part) * happy + part * sad
        box, scale = self._face, lines / self._first.size_wh[1]
        scaled = Box(box.x * scale, box.y * scale, box.width * scale, box.height * scale)
        face = Face(track_id=1, box=scaled, roll_degrees=0, probabilities=mixture, certainty=0.8, presence=1)
        return Scene(time=index / RATE, faces=(face,), probabilities=mixture, certainty=0.8)

    def with_faces(self, faces: int) -> Frame:
        """A gray frame with so many faces of one size, at most 16; its other cells hold the same, blurred."""
        cell = self._around_face(3, CELL_WH)
        blurred = np.asarray(cv2.GaussianBlur(cell, (0, 0), CELL_WH[1] / 7), np.uint8)
        places = np.random.default_rng(0).permutation(CELLS * CELLS).reshape(CELLS, CELLS)
        luma = np.block([[cell if place < faces else blurred for place in row] for row in places])
        return replace(self._first, planes=(luma,), format=PIXEL_FORMATS["gray"])

    def crop(self, size: int) -> NDArray[np.uint8]:
        """The face alone, (size, size)."""
        return self._around_face(1, (size, size))

    def _around_face(self, times: float, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Luma of the face with its surroundings, ``times`` as high as its box, within the frame."""
        luma, (x, y), aspect = self._first.luma, self._face.center, size_wh[0] / size_wh[1]
        height, width = luma.shape
        down = min(times * self._face.height, height, width / aspect)
        across = down * aspect
        left, top = (
            round(min(max(0, middle - side / 2), whole - side))
            for middle, side, whole in ((x, across, width), (y, down, height))
        )
        part = luma[top : top + round(down), left : left + round(across)]
        return np.asarray(cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _face_in(frame: Frame, path: Path) -> Box:
    tracker = WorkerNets().face_tracker(AnalysisOptions().net)
    try:
        faces = tracker.track(frame, cut=True).faces
    finally:
        tracker.detector.close()
    if not faces:
        raise SourceError(f"The first frame of {path} shows no face.")
    return faces[0].detection.box


def size_of(lines: int) -> tuple[int, int]:
    """Width and height of a 16:9 frame, both even."""
    return round(lines * 8 / 9) * 2, lines


def back_and_forth(frames: Sequence[Frame], length: int) -> Iterator[Frame]:
    """``length`` frames in order of time, forwards and backwards through ``frames``, whose planes they share."""
    turns = [*frames, *frames[-2:0:-1]]
    for index in range(length):
        yield replace(turns[index % len(turns)], pts=index, time_base=Fraction(1, RATE))


@contextmanager
def analysing(frame: Frame, faces: int, analyses: int) -> Iterator[Work]:
    """Analyses of one frame: faces detected, tracked and classified, as a job does it eight times per second.

    Raises ``SourceError`` if not all ``faces`` are found.
    """
    options = AnalysisOptions()
    tracker, classifier, pts = WorkerNets().face_tracker(options.net), WorkerNets("cpu").classifier(options), count()

    def work(watch: Stopwatch) -> int:
        for _ in range(analyses):
            now = replace(frame, pts=next(pts), time_base=Fraction(1, round(options.rate_hz)))
            with watch:
                seen = classify_faces(tracker.track(now, cut=False), classifier).faces
        if len(seen) != faces:
            raise SourceError(f"{len(seen)} faces are found where {faces} are shown; take another clip.")
        return analyses

    try:
        work(Stopwatch())  # the first analysis searches all tiles, and new faces are verified
        yield work
    finally:
        tracker.detector.close()


@contextmanager
def applying(footage: Footage, make: Callable[[], Effect], lines: int) -> Iterator[Work]:
    """An effect on one frame after another. The face's emotion changes, so no lookup table serves two frames."""
    effect, frames = make(), footage.frames(lines)
    scenes = [footage.scene(index, lines) for index in range(len(frames))]

    def work(watch: Stopwatch) -> int:
        for frame, scene in zip(frames, scenes, strict=True):
            own = frame.copy()
            with watch:
                effect.apply(own, scene)
        return len(frames)

    yield work


@contextmanager
def colorizing(footage: Footage, length: int, lines: int) -> Iterator[Work]:
    """Colorize ``length`` frames of film, with the default rate of inference and as many waiting frames as in a job."""
    frames, (width, height) = [frame.copy() for frame in footage.frames(lines)], size_of(lines)
    options = ColorizeOptions()
    held = int(JobSettings.held_megabytes * 1e6 / (width * height * 3 / 2))
    options = replace(options, stabilization=StabilizerOptions(max_waiting=held))
    colorizer = load_colorizer(options.net, device="cpu")

    def work(watch: Stopwatch) -> int:
        effect = Colorize(options, colorizer)
        with watch:  # luma stays and chroma is overwritten, so the frames are not copied
            done = sum(1 for frame in back_and_forth(frames, length) for _ in effect.add(frame, cut=False))
            return done + sum(1 for _ in effect.end())

    yield work


@contextmanager
def encoding(footage: Footage, length: int, lines: int) -> Iterator[Work]:
    """A bare encode with the settings of the other benchmarks."""
    frames = [frame_to_av(frame) for frame in footage.frames(lines)]
    with TemporaryDirectory() as folder:
        yield lambda watch: _encode(frames, length, Path(folder) / "encoded.mp4", watch)


@contextmanager
def decoding(footage: Footage, length: int, lines: int) -> Iterator[Work]:
    """A bare decode of the file that :func:`encoding` writes."""

    def work(watch: Stopwatch) -> int:
        with watch, av.open(str(clip)) as container:
            container.streams.video[0].thread_type = "AUTO"
            return sum(1 for _ in container.decode(video=0))

    with TemporaryDirectory() as folder:
        clip = Path(folder) / "encoded.mp4"
        _encode([frame_to_av(frame) for frame in footage.frames(lines)], length, clip, Stopwatch())
        yield work


def _encode(frames: Sequence[av.VideoFrame], length: int, target: Path, watch: Stopwatch) -> int:
    turns = [*frames, *frames[-2:0:-1]]
    with watch, av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for index in range(length):
            frame = turns[index % len(turns)]
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return length


@contextmanager
def classifying(footage: Footage, net: str, faces: int, passes: int) -> Iterator[Work]:
    """A classifier on one face after another."""
    classifier = EmotionClassifier(load_emotion_net(net, device="cpu"), passes=passes)
    crop = footage.crop(classifier.crop_size)

    def work(watch: Stopwatch) -> int:
        with watch:
            for _ in range(faces):
                classifier.estimate([crop])
        return faces

    yield work


def costs(footage: Footage, rounds: Rounds) -> list[Cost]:
    """All costs that are measured."""
    effects: dict[str, Callable[[], Effect]] = {
        "tint, whole frame": partial(Tint, TintOptions()),
        "tint, face": partial(Tint, TintOptions(region="face")),
        "grade": partial(Grade, GradeOptions()),
        "style": lambda: Style(StyleOptions(), WorkerNets("cpu").style_transfer("fast", "f32")),
    }
    return [
        Cost(
            name="analysis",
            cause="faces",
            ready=lambda faces: analysing(footage.with_faces(faces), faces, rounds.analyses),
        ),
        Cost(
            name="analysis, one face",
            cause="lines",
            ready=lambda lines: analysing(footage.frames(lines)[0], 1, rounds.analyses),
        ),
        *(Cost(name=name, cause="lines", ready=partial(applying, footage, make)) for name, make in effects.items()),
        Cost(name="colorize", cause="lines", ready=partial(colorizing, footage, rounds.colorized)),
        Cost(name="decode", cause="lines", ready=partial(decoding, footage, rounds.encoded), ours=False),
        Cost(name="encode", cause="lines", ready=partial(encoding, footage, rounds.encoded), ours=False),
        *(
            Cost(name=f"net {net}", cause="passes", ready=partial(classifying, footage, net, rounds.classified))
            for net in emotion_net_names()
        ),
    ]
