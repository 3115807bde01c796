"""The whole path on a clip that is made on the spot, as the command ``demo`` runs it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from emocolor.arrays import RgbImage, Vector
from emocolor.errors import SinkError

from ..files.places import check_place
from ..job import Job
from ..media.frames import to_rgb
from ..media.source import VideoSource
from ..media.writing.sink_options import SinkOptions
from ..pipeline.steps import Step
from ..report.drawing import write_png
from ..report.frame_strip import make_strip
from ..report.timeline_chart import draw_timeline
from ..settings import JobSettings
from .clip import make_demo_clip

SHOWN_SECONDS = (0.6, 2.8, 4.6, 6.4, 8.2, 10.4)
"""Times of the frames in the strip."""


@dataclass
class _Collected:
    """What the images are drawn from."""

    after: list[RgbImage] = field(default_factory=list)
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


def run_demo(
    folder: Path, *, size_wh: tuple[int, int] = (960, 540), fps: int = 25, overwrite: bool = False
) -> dict[Path, str]:
    """Make the clip, recolour it, and draw the result; the files in ``folder``, each with a description.

    Raises ``SinkError`` where the folder or a file in it cannot be written, or exists and ``overwrite`` does not let it
    be replaced, and what :class:`~stream.job.Job` raises.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"Cannot make the folder {folder}: {error.strerror}. Choose another place.") from error
    clip, result, timeline = folder / "input.mp4", folder / "coloured.mp4", folder / "timeline.jsonl"
    strip, chart = folder / "strip.png", folder / "timeline.png"
    for path in (clip, result, timeline, strip, chart):
        check_place(path, overwrite=overwrite)
    make_demo_clip(clip, size_wh=size_wh, fps=fps, overwrite=overwrite)
    collected = _recolour(clip, result, timeline, overwrite=overwrite)
    image = make_strip(_frames_at(clip, SHOWN_SECONDS), collected.after, collected.captions, width=1200)
    write_png(strip, image, overwrite=overwrite)
    write_png(chart, draw_timeline(collected.records), overwrite=overwrite)
    return {
        clip: "the clip: a portrait that moves and changes its expression, with audio",
        result: "the same clip, tinted by the emotion of the face",
        timeline: "one record per analysed frame and face",
        strip: "frames before and after",
        chart: "the seven probabilities over time",
    }


def _recolour(clip: Path, result: Path, timeline: Path, *, overwrite: bool) -> _Collected:
    collected = _Collected()
    settings = JobSettings(
        input=str(clip),
        output=str(result),
        timeline=timeline,
        sink=SinkOptions(overwrite=overwrite, preset="veryfast"),
    )
    with Job(settings) as job:
        for step in job:
            collected.add(step)
    return collected


def _frames_at(clip: Path, times: Sequence[float]) -> list[RgbImage]:
    """The first frame at or after each time; times must increase."""
    found: list[RgbImage] = []
    with closing(VideoSource(str(clip))) as source:
        for unit in source.units():
            if unit.frame is not None and len(found) < len(times) and unit.frame.time >= times[len(found)]:
                found.append(to_rgb(unit.frame))
    return found
