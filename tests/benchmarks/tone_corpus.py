"""A corpus of gray, toned and coloured clips, made from a folder of footage, to measure colour detection on.

Excerpts of each source become gray in the ways in which gray film is stored (plain, with a cast, with noise in its
chroma, tinted, toned, in two tones at once, under logos and subtitles), and those in colour stay so in the ways that
are easily taken for tone (faded, dark, of one dominant hue, of few colours, in colour in part). Every result is encoded
by several codecs and qualities.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W, 3) sRGB."""
Treatment = Callable[[list[Image]], list[Image]]
"""All frames of a clip to the same number of frames."""
Truth = Literal["gray", "toned", "color"]

EXCERPT_FRAMES: Final = 12
MAX_WIDTH: Final = 480
SEED: Final = 0


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file of the folder, and where its excerpts start."""

    name: str
    file: str
    starts: tuple[float, ...]
    """In seconds."""
    colored: bool = True
    chooses: bool = False
    """Thresholds are chosen on this source; the others are reported on. No film is in both halves."""


SOURCES: Final = (
    Source(name="bunny", file="bbb_720p_5s.mp4", starts=(0, 2, 4), chooses=True),
    Source(name="bikes", file="bikes.mp4", starts=(0, 4, 8), chooses=True),
    Source(name="woman", file="face_woman_pexels.mp4", starts=(1, 8, 15), chooses=True),
    Source(name="sideways", file="odd_face_rotated90.mov", starts=(0, 0.5), chooses=True),
    Source(name="stage", file="odd_nasa_multistream_subs.mp4", starts=(1, 6, 11), chooses=True),
    Source(name="chaplin", file="bw_chaplin.mp4", starts=(0, 3.5, 7.5), colored=False, chooses=True),
    Source(name="newsreel", file="bw_abomb_newsreel.mp4", starts=(0, 5, 10), colored=False, chooses=True),
    Source(name="title", file="face_noface_hevc.mov", starts=(3.6, 4.6, 5.6)),
    Source(name="car", file="face_carphone_qcif.mp4", starts=(0, 1.5, 3)),
    Source(name="man", file="face_man_datastreams.mp4", starts=(0.5, 4, 8)),
    Source(name="smile", file="face_noface_hevc.mov", starts=(0, 1, 2)),
    Source(name="pancake", file="person_pancake.mkv", starts=(0, 4, 8)),
    Source(name="firemen", file="bw_silent_firemen.mp4", starts=(0, 1, 2), colored=False),
    Source(name="street", file="bw_street_1940s.mp4", starts=(1, 6, 11), colored=False),
)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """A codec with its quality."""

    name: str
    codec: str
    options: dict[str, str]


def x264(crf: int) -> Encoding:
    return Encoding(name=f"x264 crf {crf}", codec="libx264", options={"crf": f"{crf}", "preset": "veryfast"})


def mpeg4(scale: int) -> Encoding:
    options = {"qmin": f"{scale}", "qmax": f"{scale}", "b": "4M"}
    return Encoding(name=f"mpeg4 q {scale}", codec="mpeg4", options=options)


def vp9(crf: int) -> Encoding:
    options = {"crf": f"{crf}", "b": "0", "cpu-used": "8", "deadline": "realtime"}
    return Encoding(name=f"vp9 crf {crf}", codec="libvpx-vp9", options=options)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What is done to a source, and what the result is in truth."""

    kind: str
    """Row of the table."""
    name: str
    truth: Truth
    treat: Treatment
    encodings: tuple[Encoding, ...]
    needs_color: bool = field(default=False)
    """Only sources in colour can look like this."""


# Gray and toned.

GRAY_WEIGHTS: Final = np.array([0.299, 0.587, 0.114])
Stops = Sequence[tuple[float, tuple[int, int, int]]]
"""A gradient: gray levels in [0, 1] with their colours, in rising order."""

TINTS: Final[dict[str, Stops]] = {
    "amber": ((0, (0, 0, 0)), (1, (255, 191, 80))),
    "blue": ((0, (0, 0, 0)), (1, (110, 150, 255))),
    "green": ((0, (0, 0, 0)), (1, (150, 230, 150))),
    "rose": ((0, (0, 0, 0)), (1, (255, 160, 185))),
}
"""Dyed film: black stays black, white takes the dye's colour."""
SEPIA: Final[Stops] = ((0, (0, 0, 0)), (0.74, (255, 227, 177)), (1, (255, 255, 239)))
TONES: Final[dict[str, Stops]] = {
    "iron": ((0, (0, 20, 70)), (1, (255, 255, 255))),
    "uranium": ((0, (70, 18, 0)), (1, (255, 255, 255))),
}
"""Toned silver: white stays white, black takes the metal's colour."""
SPLITS: Final[dict[str, Stops]] = {
    "blue to amber": ((0, (8, 20, 60)), (0.5, (128, 128, 122)), (1, (255, 225, 160))),
    "green to rose": ((0, (0, 40, 10)), (0.5, (120, 112, 112)), (1, (255, 200, 210))),
    "three hues": ((0, (40, 10, 70)), (0.5, (100, 140, 90)), (1, (255, 240, 150))),
}
CAST: Final[Stops] = ((0, (4, 0, 2)), (1, (250, 255, 246)))
"""A scanner that is nearly neutral."""


def toned(frames: list[Image], stops: Stops, strength: float = 1.0) -> list[Image]:
    """Gray, mapped to a gradient; at a strength below 1 mixed with plain gray."""
    levels = np.arange(256.0)
    gradient = np.stack([np.interp(levels, [255 * at for at, _ in stops], [c[i] for _, c in stops]) for i in range(3)])
    table = _codes(levels[:, None] + strength * (gradient.T - levels[:, None]))
    return [table[gray] for gray in map(_gray, frames)]


def plain(frames: list[Image]) -> list[Image]:
    return [np.repeat(_gray(frame)[..., None], 3, axis=2) for frame in frames]


def noisy(frames: list[Image], deviation: float, blot_px: float = 0) -> list[Image]:
    """Gray with noise in its chroma, in codes; blots are what composite video and its decoders leave."""
    random, made = np.random.default_rng(SEED), []
    for frame in plain(frames):
        planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb).astype(np.float32)
        for component in (1, 2):
            noise = random.normal(0, 1, frame.shape[:2]).astype(np.float32)
            if blot_px:
                noise = cv2.GaussianBlur(noise, (0, 0), blot_px)
            planes[..., component] += deviation * noise / noise.std()
        made.append(np.asarray(cv2.cvtColor(_codes(planes), cv2.COLOR_YCrCb2RGB), np.uint8))
    return made


def by_scene(frames: list[Image]) -> list[Image]:
    """Every third of the clip in another tint, as silent film has them for day, night and fire."""
    thirds = [round(len(frames) * part / 3) for part in range(4)]
    parts = zip(pairwise(thirds), ("amber", "blue", "rose"), strict=True)
    return [image for (start, end), tint in parts for image in toned(frames[start:end], TINTS[tint])]


def with_logo(frames: list[Image], treat: Treatment, width: float = 0.1) -> list[Image]:
    """A square of three colours in a corner, ``width`` of the frame wide."""
    return [_draw_logo(frame, width) for frame in treat(frames)]


def _draw_logo(frame: Image, width: float) -> Image:
    frame = frame.copy()
    across = frame.shape[1]
    side, left, top = round(across * width), round(across * (0.95 - width)), round(frame.shape[0] * 0.06)
    cv2.rectangle(frame, (left, top), (left + side, top + side), (20, 40, 160), -1)
    cv2.circle(frame, (left + side // 2, top + side // 2), side // 3, (230, 200, 20), -1)
    third = side // 3
    cv2.rectangle(frame, (left + third, top + third), (left + 2 * third, top + 2 * third), (200, 20, 30), -1)
    return frame


LINES: Final = ("I told you we should", "never have come here.", "Look out! Behind you!", "Where is the captain?")


def with_subtitles(frames: list[Image], treat: Treatment, color: tuple[int, int, int]) -> list[Image]:
    """Two lines of outlined text in three quarters of the frames."""
    quarter = [number * 4 // len(frames) for number in range(len(frames))]
    return [
        _draw_lines(frame, (LINES[part], LINES[(part + 1) % 4]), color) if part < 3 else frame
        for frame, part in zip(treat(frames), quarter, strict=True)
    ]


def _draw_lines(frame: Image, lines: tuple[str, str], color: tuple[int, int, int]) -> Image:
    frame = frame.copy()
    height, width = frame.shape[:2]
    scale, font = width / 640, cv2.FONT_HERSHEY_DUPLEX
    for row, line in enumerate(lines):
        (across, tall), _ = cv2.getTextSize(line, font, scale, 2)
        at = (width - across) // 2, round(height * 0.95 - (1 - row) * tall * 1.8)
        cv2.putText(frame, line, at, font, scale, (0, 0, 0), max(2, round(5 * scale)), cv2.LINE_AA)
        cv2.putText(frame, line, at, font, scale, color, max(1, round(2 * scale)), cv2.LINE_AA)
    return frame


# In colour.


def unchanged(frames: list[Image]) -> list[Image]:
    return frames


def faded(frames: list[Image], saturation: float) -> list[Image]:
    grays = [_gray(frame)[..., None].astype(np.float32) for frame in frames]
    return [_codes(gray + saturation * (frame - gray)) for gray, frame in zip(grays, frames, strict=True)]


def graded(frames: list[Image], gain: tuple[float, float, float], lift: tuple[float, float, float]) -> list[Image]:
    """Colours of less saturation under a gain and a lift: prints that turned pink, sunsets, day for night."""
    return [_codes(frame * np.array(gain) + np.array(lift)) for frame in faded(frames, 0.65)]


def dark(frames: list[Image]) -> list[Image]:
    """A quarter of the light, with a sensor's noise."""
    random = np.random.default_rng(SEED)
    return [_codes(frame * 0.25 + random.normal(0, 3, frame.shape)) for frame in frames]


def few_colors(frames: list[Image]) -> list[Image]:
    """Four levels of each component, as flat as a cartoon."""
    return [np.asarray(frame // 64 * 64 + 32, np.uint8) for frame in frames]


def in_part(frames: list[Image], share: float, rest: Treatment) -> list[Image]:
    """The last frames in colour, the others not."""
    start = round(len(frames) * (1 - share))
    return rest(frames[:start]) + frames[start:]


def half_screen(frames: list[Image]) -> list[Image]:
    """The left half in colour beside gray, as in comparisons."""
    left = (np.arange(frames[0].shape[1]) < frames[0].shape[1] / 2)[None, :, None]
    return [np.where(left, frame, gray) for frame, gray in zip(frames, plain(frames), strict=True)]


def conditions() -> list[Condition]:
    """Everything that is made of a source; those that need colours come last."""
    sepia = partial(toned, stops=SEPIA)
    qualities, two = (x264(18), x264(23), x264(28), x264(36)), (x264(20), x264(30))
    others = (mpeg4(4), mpeg4(12), vp9(34), vp9(48))
    yellow, cyan = (255, 240, 40), (60, 240, 240)
    gray = partial(Condition, truth="gray")
    tone = partial(Condition, truth="toned")
    color = partial(Condition, truth="color", needs_color=True)
    return [
        gray(kind="gray", name="plain", treat=plain, encodings=(x264(18), x264(36), mpeg4(12), vp9(34))),
        gray(kind="gray, cast or noise", name="cast", treat=partial(toned, stops=CAST), encodings=two),
        gray(kind="gray, cast or noise", name="noise", treat=partial(noisy, deviation=6), encodings=two),
        gray(kind="gray, cast or noise", name="blots", treat=partial(noisy, deviation=2.5, blot_px=5), encodings=two),
        *(
            tone(kind="tinted", name=name, treat=partial(toned, stops=stops), encodings=qualities)
            for name, stops in TINTS.items()
        ),
        tone(kind="tinted", name="amber", treat=partial(toned, stops=TINTS["amber"]), encodings=others),
        tone(kind="sepia", name="sepia", treat=sepia, encodings=(*qualities, *others)),
        tone(kind="sepia", name="sepia .4", treat=partial(toned, stops=SEPIA, strength=0.4), encodings=two),
        *(
            tone(kind="toned", name=name, treat=partial(toned, stops=stops), encodings=(x264(18), x264(28), x264(36)))
            for name, stops in TONES.items()
        ),
        *(
            tone(kind="split tone", name=name, treat=partial(toned, stops=stops), encodings=(x264(20), x264(32)))
            for name, stops in SPLITS.items()
        ),
        tone(kind="another tint in each scene", name="scenes", treat=by_scene, encodings=two),
        gray(kind="gray or sepia, logo", name="gray", treat=partial(with_logo, treat=plain), encodings=two),
        tone(kind="gray or sepia, logo", name="sepia", treat=partial(with_logo, treat=sepia), encodings=two),
        gray(
            kind="gray or sepia, subtitles",
            name="gray",
            treat=partial(with_subtitles, treat=plain, color=yellow),
            encodings=two,
        ),
        tone(
            kind="gray or sepia, subtitles",
            name="sepia",
            treat=partial(with_subtitles, treat=sepia, color=cyan),
            encodings=two,
        ),
        color(kind="colour", name="colour", treat=unchanged, encodings=(*qualities, *others)),
        *(
            color(kind="faded", name=f"saturation {s}", treat=partial(faded, saturation=s), encodings=two)
            for s in (0.5, 0.3)
        ),
        color(
            kind="faded to pink",
            name="pink",
            treat=partial(graded, gain=(0.75, 0.5, 0.5), lift=(50, 60, 65)),
            encodings=two,
        ),
        color(kind="low light", name="dark", treat=dark, encodings=two),
        color(
            kind="one dominant hue",
            name="sunset",
            treat=partial(graded, gain=(1.1, 0.8, 0.5), lift=(0, 0, 0)),
            encodings=two,
        ),
        color(
            kind="one dominant hue",
            name="night",
            treat=partial(graded, gain=(0.5, 0.7, 1.0), lift=(0, 0, 0)),
            encodings=two,
        ),
        color(kind="few colours", name="posterised", treat=few_colors, encodings=two),
        color(kind="colour, logo", name="logo", treat=partial(with_logo, treat=unchanged), encodings=(x264(24),)),
        color(kind="half in colour", name="half", treat=partial(in_part, share=0.5, rest=plain), encodings=two),
        color(kind="a quarter in colour", name="gray", treat=partial(in_part, share=0.25, rest=plain), encodings=two),
        color(kind="a quarter in colour", name="sepia", treat=partial(in_part, share=0.25, rest=sepia), encodings=two),
        color(kind="half of the screen", name="split screen", treat=half_screen, encodings=two),
    ]


# Reading and writing.


def read_excerpts(folder: Path, source: Source) -> list[Image]:
    """``EXCERPT_FRAMES`` frames from each start, one after the other, at most ``MAX_WIDTH`` wide, with even sides."""
    found: list[Image] = []
    with av.open(str(folder / source.file)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            excerpt = len(found) // EXCERPT_FRAMES
            if excerpt == len(source.starts):
                break
            if frame.time is not None and frame.time >= source.starts[excerpt] - 1e-6:
                scale = min(1, MAX_WIDTH / frame.width)
                width, height = (int(side * scale) // 2 * 2 for side in (frame.width, frame.height))
                rgb = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
                found.append(rgb.to_ndarray())
    return found


def make_clips(folder: Path, source: Source, into: Path) -> Iterator[tuple[Condition, Encoding, Path]]:
    """Every clip of one source; those that are in ``into`` already are not encoded again."""
    frames = read_excerpts(folder, source)
    for condition in conditions():
        if condition.needs_color and not source.colored:
            continue
        stem = f"{source.name} {condition.kind} {condition.name}"
        paths = {one.name: into / f"{stem} {one.name}.mkv".replace(" ", "_") for one in condition.encodings}
        images = [] if all(path.exists() for path in paths.values()) else condition.treat(frames)
        for encoding in condition.encodings:
            path = paths[encoding.name]
            if not path.exists():
                write_clip(path, images, encoding)
            yield condition, encoding, path


def write_clip(path: Path, images: Sequence[Image], encoding: Encoding) -> None:
    """4:2:0 of 8 bits, 25 frames a second; one thread, so that every machine writes the same."""
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="matroska") as container:
        stream = container.add_stream(encoding.codec, rate=25, options=encoding.options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    part.rename(path)


def _gray(frame: Image) -> Image:
    """Luma (H, W)."""
    return _codes(frame @ GRAY_WEIGHTS)


def _codes(values: NDArray[np.floating]) -> Image:
    return np.asarray(np.rint(values).clip(0, 255), np.uint8)
