"""A clip to try things on, made without any download: a face that changes its expression, with audio.

All times are parts of the clip, so that a clip of two seconds shows the same as one of twelve.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage
from emocolor.emotions import Emotion
from emocolor.errors import ConfigurationError, SinkError

from ..files.output_file import OutputFile, place_all
from ..media.locations import ffmpeg_url
from .audio import SAMPLE_RATE, Beat, Samples, demo_music
from .portrait import ExpressivePortrait

GRAIN_SEED: Final = 1964
GRAIN_STRENGTH: Final = 2.2
"""Standard deviation, in code values."""
VIGNETTE: Final = 0.28
"""Part of the light that is lost in the corners."""


@dataclass(frozen=True, kw_only=True)
class Cue:
    """The emotion that is shown from some part of the clip on."""

    at: float
    """Where the change begins, as a part of the clip in [0, 1]."""
    emotion: Emotion
    ease: float = 0.04
    """How long the change takes, as a part of the clip; 0 is a hard change."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What the camera shows at some part of the clip; it glides from view to view."""

    at: float
    center_xy: tuple[float, float]
    """In pixels of the portrait."""
    height: float
    """Pixels of the portrait from the top to the bottom of the view."""


CUES: Final = (
    Cue(at=0.0, emotion="happy", ease=0.0),
    Cue(at=0.145, emotion="neutral"),
    Cue(at=0.29, emotion="sad"),
    Cue(at=0.53, emotion="surprise"),
    Cue(at=0.775, emotion="angry", ease=0.0),
    Cue(at=0.895, emotion="happy"),
)
"""In order of time; the mouth opens while the face is out of view."""
VIEWS: Final = (
    View(at=0.0, center_xy=(226, 130), height=250),
    View(at=0.16, center_xy=(225, 116), height=182),
    View(at=0.43, center_xy=(226, 120), height=164),
    View(at=0.49, center_xy=(408, 150), height=114),
    View(at=0.585, center_xy=(411, 138), height=112),
    View(at=0.645, center_xy=(226, 120), height=170),
    View(at=0.775, center_xy=(225, 122), height=160),
    View(at=0.775, center_xy=(232, 124), height=138),
    View(at=0.88, center_xy=(228, 125), height=132),
    View(at=1.0, center_xy=(226, 119), height=180),
)
"""In order of time; two views at one time are a hard cut. The model rocket at (410, 140) has no face."""


def demo_frames(*, seconds: float = 12.0, size_wh: tuple[int, int] = (960, 540), fps: int = 25) -> Iterator[RgbImage]:
    """The clip's ``seconds * fps`` frames, (H, W, 3) RGB uint8; the same on every call.

    Raises ``ConfigurationError`` for a length or size of which no clip can be made.
    """
    _check(seconds, size_wh, fps)
    return _frames(seconds, size_wh, fps)


def make_demo_clip(
    path: Path,
    *,
    seconds: float = 12.0,
    size_wh: tuple[int, int] = (960, 540),
    fps: int = 25,
    overwrite: bool = False,
) -> None:
    """Write the clip as MP4: H.264 4:2:0 in BT.709, stereo AAC at 48 kHz, the index first.

    Raises ``ConfigurationError`` for a length or size of which no clip can be made, ``SinkError`` where the file cannot
    be written, or exists and ``overwrite`` does not let it be replaced.
    """
    frames = demo_frames(seconds=seconds, size_wh=size_wh, fps=fps)
    audio = demo_music([Beat(time=cue.at * seconds, emotion=cue.emotion) for cue in CUES], seconds=seconds)
    output = OutputFile(path, overwrite=overwrite)
    try:
        _encode(output.part, frames, audio, size_wh=size_wh, fps=fps)
        place_all([output])
    except OSError as error:
        raise SinkError(
            f"Cannot write the demo clip {path}: {error.strerror or error}. Choose another place."
        ) from error
    finally:
        output.discard()


def expression_at(part: float) -> dict[Emotion, float]:
    """The weights of the emotions that the face shows at ``part`` of the clip in [0, 1]; they sum to one."""
    shown = [cue for cue in CUES if cue.at <= part]
    now, before = shown[-1], shown[-2] if len(shown) > 1 else shown[-1]
    arrived = _eased((part - now.at) / now.ease) if now.ease else 1.0
    if arrived == 1.0 or now.emotion == before.emotion:
        return {now.emotion: 1.0}
    return {before.emotion: 1.0 - arrived, now.emotion: arrived}


def view_at(part: float) -> View:
    """What the camera shows at ``part`` of the clip in [0, 1], without its shake."""
    start, end = next(((a, b) for a, b in pairwise(VIEWS) if a.at <= part < b.at), VIEWS[-2:])
    glide = _eased((part - start.at) / (end.at - start.at))
    x, y = ((1 - glide) * a + glide * b for a, b in zip(start.center_xy, end.center_xy, strict=True))
    # Heights change by equal factors, which the eye sees as a constant speed.
    height = start.height ** (1 - glide) * end.height**glide
    return View(at=part, center_xy=(x, y), height=height)


def _check(seconds: float, size_wh: tuple[int, int], fps: int) -> None:
    if not (math.isfinite(seconds) and fps > 0 and round(seconds * fps) >= 1):
        raise ConfigurationError(f"A demo clip of {seconds} s at {fps} fps has no frame. Give positive numbers.")
    if any(side < 16 or side % 2 for side in size_wh):
        width, height = size_wh
        raise ConfigurationError(f"A demo clip cannot be {width}x{height}. Give even sides of at least 16 pixels.")


def _frames(seconds: float, size_wh: tuple[int, int], fps: int) -> Iterator[RgbImage]:
    # More detail than is displayed would only alias.
    portrait = ExpressivePortrait(detail=min(max(round(size_wh[1] / 140), 1), 4))
    film = _Film(size_wh)
    count = round(seconds * fps)
    shown: dict[Emotion, float] = {}
    for index in range(count):
        part = index / count
        if expression_at(part) != shown:
            shown = expression_at(part)
            image = portrait.show(shown)
        yield film.develop(_in_view(image, portrait.detail, view_at(part), size_wh, time=index / fps))


def _in_view(image: RgbImage, detail: int, view: View, size_wh: tuple[int, int], *, time: float) -> RgbImage:
    """The part of the enlarged portrait in view, with the shake of a handheld camera."""
    width, height = size_wh
    scale = view.height * detail / height
    x = (view.center_xy[0] + 0.5 + 0.0035 * view.height * _shake(time, 0.0)) * detail - 0.5
    y = (view.center_xy[1] + 0.5 + 0.0035 * view.height * _shake(time, 2.0)) * detail - 0.5
    turn = math.radians(0.35 * _shake(0.6 * time, 4.0))
    across, down = scale * math.cos(turn), scale * math.sin(turn)
    half_w, half_h = (width - 1) / 2, (height - 1) / 2
    back = np.array(
        [
            [across, -down, x - across * half_w + down * half_h],
            [down, across, y - down * half_w - across * half_h],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return _image(cv2.warpAffine(image, back, size_wh, flags=flags, borderMode=cv2.BORDER_REFLECT_101))


def _shake(time: float, phase: float) -> float:
    """Slow, irregular motion, in about [-1, 1]."""
    rates = ((0.43, 0.5), (1.1, 0.3), (2.3, 0.2))
    return sum(size * math.sin(2 * math.pi * rate * time + phase * (1 + rate)) for rate, size in rates)


class _Film:
    """Grain that is new in every frame, and a vignette."""

    def __init__(self, size_wh: tuple[int, int]) -> None:
        width, height = size_wh
        self._random = np.random.default_rng(GRAIN_SEED)
        grain = self._random.normal(0, 1, (height + 64, width + 64)).astype(np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), 0.7)
        grain = np.rint(grain * (GRAIN_STRENGTH / grain.std())).astype(np.int16)
        self._grain = cv2.merge([grain] * 3)
        x, y = np.linspace(-1, 1, width) ** 2, np.linspace(-1, 1, height) ** 2
        light = np.rint(255 * (1 - VIGNETTE * ((x[None, :] + y[:, None]) / 2) ** 1.5)).astype(np.uint8)
        self._light = cv2.merge([light] * 3)

    def develop(self, image: RgbImage) -> RgbImage:
        height, width = image.shape[:2]
        x, y = self._random.integers(0, 65, 2)
        lit = cv2.multiply(image, self._light, scale=1 / 255)
        return _image(cv2.add(lit, self._grain[y : y + height, x : x + width], dtype=cv2.CV_8U))


def _encode(path: Path, frames: Iterator[RgbImage], samples: Samples, *, size_wh: tuple[int, int], fps: int) -> None:
    with av.open(ffmpeg_url(str(path)), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = _video_stream(container, size_wh, fps)
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = 128_000
        start = 0
        for index, image in enumerate(frames):
            container.mux(video.encode(_video_frame(image, index)))
            # Written along with the video, or the muxer would buffer one of them.
            end = (index + 1) * SAMPLE_RATE // fps
            container.mux(audio.encode(_audio_frame(samples, start, end)))
            start = end
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _video_stream(container: Any, size_wh: tuple[int, int], fps: int) -> Any:
    # The clip must have the same bytes every time. Macroblock-tree rate control gives others on every run (x264 reads
    # memory that it has not initialised), and so does another number of threads.
    options = {"preset": "veryfast", "crf": "23", "x264-params": "mbtree=0"}
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height = size_wh
    stream.pix_fmt = "yuv420p"
    stream.time_base = Fraction(1, fps)
    context = stream.codec_context
    context.thread_count = 2
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709, as FFmpeg numbers it
    context.color_range = 1  # limited
    return stream


def _video_frame(image: RgbImage, index: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    frame.pts = index
    return frame


def _audio_frame(audio: Samples, start: int, end: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio[:, start:end]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame


def _eased(part: float) -> float:
    """A smooth step from 0 to 1."""
    part = min(max(part, 0.0), 1.0)
    return part * part * (3 - 2 * part)


def _image(array: NDArray[Any]) -> RgbImage:
    return np.asarray(array, np.uint8)
