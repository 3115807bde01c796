"""Detects whether an input is in colour, before it is processed, from frames sampled all over it."""

import math
from collections.abc import Iterator
from typing import Final

import av

from emocolor.chroma.detection import ColorDetection, detect_color
from emocolor.errors import SourceError
from emocolor.frames import Frame

from ..media import probe
from ..media.frames import frame_from_av, to_working_format
from ..media.locations import is_readable_twice
from ..media.packets import demux
from ..media.reading.frame_size import limit_frames
from ..media.reading.opening import open_container
from ..media.reading.source_options import SourceOptions
from ..media.source_info import SourceInfo

SAMPLES: Final = 16
"""Frames that are analysed."""
SHORT_SECONDS: Final = 20.0
"""Inputs up to this length are decoded as a whole, since they may have a single key frame. In longer ones the nearest
key frames are taken."""
FEW_FRAMES_SECONDS: Final = 4.0
"""Inputs up to this length are decoded with all frames: those that others are predicted from may be too few."""


def detect_input_color(location: str, options: SourceOptions, info: SourceInfo) -> ColorDetection | None:
    """Whether the part that is read is gray, toned or in colour; ``None`` where it cannot be sampled beforehand."""
    if info.format.chroma == "none":
        return detect_color([])
    if info.duration is None or not is_readable_twice(location):
        return None
    try:
        found = detect_color(sample_frames(location, options, info.duration))
        return found if found.frames else None
    except (av.FFmpegError, OSError, SourceError):
        return None


def color_notes(found: ColorDetection) -> Iterator[str]:
    """What a user should know about how colours are treated, one line each."""
    if found.is_colored:
        extent = "is in colour already"
        if 4 * found.colored < found.frames:
            extent = f"is partly in colour already ({found.colored} of {found.frames} frames sampled)"
        yield f"The input {extent}, so its colours are kept; the option colorize.force gives it new ones."
        return
    if found.is_toned:
        yield "The input is toned black-and-white: its luma is kept, its tone is replaced by new colours."
    if found.has_overlays:
        yield "A small part of the frame is in colour, such as a logo or subtitles; it gets new colours like the rest."
    if found.colored:
        yield (
            f"The input counts as black-and-white, but {found.colored} of {found.frames} frames sampled seem to be in "
            "colour; they get new colours too."
        )


def sample_frames(location: str, options: SourceOptions, duration: float) -> Iterator[Frame]:
    """Frames from all over the part that is read."""
    with open_container(location, options) as container:
        stream = probe.main_video(container)
        assert stream is not None
        stream.thread_type = "AUTO"
        limit_frames(stream.codec_context, options.max_pixels)
        start = float(probe.start_of(container) + options.start)
        times = [start + duration * (number + 0.5) / SAMPLES for number in range(SAMPLES)]
        short = duration <= SHORT_SECONDS
        if FEW_FRAMES_SECONDS < duration <= SHORT_SECONDS:
            # Decoding is faster without frames that no other is predicted from.
            stream.codec_context.skip_frame = "NONREF"
        frames = _decoded(container, stream, start, times) if short else _key_frames(container, stream, times)
        for frame in frames:
            yield frame_from_av(to_working_format(frame))


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream, start: float, times: list[float]
) -> Iterator[av.VideoFrame]:
    """The first frame at or after each time."""
    container.seek(math.floor(start * av.time_base))
    waiting = times[::-1]
    for frame in _frames(container, stream):
        if not waiting:
            return
        if frame.time is not None and frame.time >= waiting[-1]:
            yield frame
            while waiting and waiting[-1] <= frame.time:
                waiting.pop()


def _key_frames(
    container: av.container.InputContainer, stream: av.VideoStream, times: list[float]
) -> Iterator[av.VideoFrame]:
    for time in times:
        container.seek(math.floor(time * av.time_base))
        if (frame := next(_frames(container, stream), None)) is not None:
            yield frame


def _frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    for packet in demux(container, [stream]):
        if packet.size > 0:
            yield from stream.codec_context.decode(packet)
    yield from stream.codec_context.decode(None)
