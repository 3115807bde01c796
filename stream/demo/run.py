"""The whole path on a clip that is made on the spot: what ``emocolor-stream demo`` runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import Vector
from emocolor.errors import SinkError

from ..job import Job
from ..media.frames import to_rgb
from ..media.sink import SinkOptions
from ..media.source import VideoSource
from ..pipeline.steps import Step
from ..report.drawing import write_png
from ..report.frame_strip import make_strip
from ..report.timeline_chart import draw_timeline
from ..settings import JobSettings
from .clip import make_demo_clip

SHOWN_SECONDS = (0.6, 2.8, 4.6, 6.4, 8.2, 10.4)
"""Times of the frames in the strip."""


@dataclass
class Gathered:
    """What the images are drawn from."""

    after: list[NDArray[np.uint8]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    records: list[tuple[float, Vector, float]] = field(default_factory=list)

    def add(self, step: Step) -> None:
        if step.frame is None or step.scene is None:
            return
        scene = step.scene
        self.records.append((scene.time, scene.probabilities, scene.certainty))
        if len(self.after) < len(SHOWN_SECONDS) and scene.time >= SHOWN_SECONDS[len(self.after)]:
            self.after.append(to_rgb(step.frame))
            self.captions.append(f"{scene.time:.1f} s  {scene.emotion if scene.faces else 'no face'}")


def run_demo(folder: Path) -> int:
    """Make the clip, recolour it, and leave clip, result, timeline and two images in ``folder``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    clip, result, timeline = folder / "input.mp4", folder / "coloured.mp4", folder / "timeline.jsonl"
    make_demo_clip(clip)
    gathered = asyncio.run(_recolour(clip, result, timeline))
    write_png(
        folder / "strip.png", make_strip(_frames_at(clip, SHOWN_SECONDS), gathered.after, gathered.captions, width=1200)
    )
    write_png(folder / "timeline.png", draw_timeline(gathered.records))
    for path, what in (
        (clip, "the clip: a portrait that moves and changes its expression, with audio"),
        (result, "the same clip, tinted by the emotion of the face"),
        (timeline, "one record per analysed frame and face"),
        (folder / "strip.png", "frames before and after"),
        (folder / "timeline.png", "the seven probabilities over time"),
    ):
        print(f"{path!s:<24} {what}")
    return 0


async def _recolour(clip: Path, result: Path, timeline: Path) -> Gathered:
    gathered = Gathered()
    settings = JobSettings(
        input=str(clip), output=str(result), timeline=timeline, sink=SinkOptions(overwrite=True, preset="veryfast")
    )
    async with await Job.open(settings) as job:
        async for step in job:
            gathered.add(step)
    return gathered


def _frames_at(clip: Path, times: Sequence[float]) -> list[NDArray[np.uint8]]:
    """The first frame at or after each time, (H, W, 3) uint8 RGB; times must rise."""
    source = VideoSource(str(clip))
    found: list[NDArray[np.uint8]] = []
    try:
        for unit in source.units():
            if unit.frame is not None and len(found) < len(times) and unit.frame.time >= times[len(found)]:
                found.append(to_rgb(unit.frame))
    finally:
        source.close()
    return found
