"""How often the emotion label of a face changes, before and after temporal smoothing, on real clips.

    python -m tests.benchmarks.label_flips --clips DIR [--net NAME ...] [--out FILE.json]

Every file of the folder that decodes is read, tracked, classified and smoothed as a job does it, without rendering and
encoding. Faces are tracked once, so all nets classify the same crops. A label is the likeliest emotion: before
smoothing that of one analysis (the mean over T passes), after it that of the scene at the same time. A flip is a change
of label between two analyses of the same track that are no further apart than ``MAX_GAP_SECONDS``; face time is the
time between such analyses. A face that appears, disappears or lies on the other side of a cut is therefore no flip,
but a true change of expression is one.

Prints a Markdown table and writes JSON with the machine, the versions and the settings.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emocolor.analysis import AnalysisInput, classify_faces
from emocolor.arrays import Vector
from emocolor.classifier import EmotionClassifier
from emocolor.cuts import CutDetector
from emocolor.errors import EmocolorError, SourceError
from emocolor.faces import Observation
from emocolor.scenes import MAX_GAP_SECONDS, SceneBuilder
from emocolor.smoothing import SmoothingOptions
from engines.spec import emotion_net_names
from stream.media.source import VideoSource
from stream.nets import WorkerNets
from stream.pipeline.analysis import mark_cuts, track_faces
from stream.settings import AnalysisOptions
from tests.benchmarks.__main__ import machine


@dataclass(frozen=True, kw_only=True)
class FaceSample:
    """One face in one analysed frame."""

    track_id: int
    time: float
    """Media time in seconds."""
    raw: Vector
    """(7,) probabilities of this analysis alone: the mean over T passes."""
    smoothed: Vector
    """(7,) probabilities of the scene at the same time."""
    mutual_information: float
    """In nats."""


@dataclass(frozen=True, kw_only=True)
class FlipStatistics:
    """Label flips of one net on one clip, or on several together."""

    faces: int
    """Faces classified."""
    face_seconds: float
    flips_before: int
    flips_after: int
    top_probability: float
    """Mean over the faces of the likeliest emotion's probability before smoothing."""
    mutual_information: float
    """Mean over the faces, in nats."""

    def per_minute(self, flips: int) -> float:
        """``flips`` per minute of face time."""
        return 60 * flips / self.face_seconds


ByNet = dict[str, FlipStatistics]
"""By the name of the net."""


def analyses_of(clip: Path, options: AnalysisOptions) -> list[AnalysisInput]:
    """Every analysed frame of a clip; raises ``SourceError`` where it cannot be read."""
    source = VideoSource(str(clip))
    try:
        units = mark_cuts(source.units(), CutDetector())
        tracked = track_faces(units, partial(WorkerNets().face_tracker, options.net), options.rate_hz)
        return [pending.payload for pending in tracked if pending.payload is not None]
    finally:
        source.close()


def samples_of(observations: Sequence[Observation], smoothing: SmoothingOptions) -> Iterator[FaceSample]:
    """The faces of all analyses in order of time, before and after smoothing."""
    scenes = SceneBuilder(smoothing)
    for observation in observations:
        scenes.add(observation)
    scenes.end()
    for observation in observations:
        smoothed = {face.track_id: face.probabilities for face in scenes.scene_at(observation.time).faces}
        for face in observation.faces:
            yield FaceSample(
                track_id=face.track_id,
                time=observation.time,
                raw=face.estimate.probabilities,
                smoothed=smoothed[face.track_id],
                mutual_information=face.estimate.mutual_information,
            )


def tally(samples: Iterable[FaceSample]) -> FlipStatistics:
    """Flips and face time between neighbouring samples of each track, and means over all; at least one face."""
    before = after = 0
    seconds = 0.0
    tops, informations = [], []
    last: dict[int, FaceSample] = {}
    for now in samples:
        tops.append(now.raw.max())
        informations.append(now.mutual_information)
        then = last.get(now.track_id)
        if then is not None and now.time - then.time <= MAX_GAP_SECONDS:
            seconds += now.time - then.time
            before += int(now.raw.argmax() != then.raw.argmax())
            after += int(now.smoothed.argmax() != then.smoothed.argmax())
        last[now.track_id] = now
    return FlipStatistics(
        faces=len(tops),
        face_seconds=seconds,
        flips_before=before,
        flips_after=after,
        top_probability=float(np.mean(tops)),
        mutual_information=float(np.mean(informations)),
    )


def together(rows: Sequence[FlipStatistics]) -> FlipStatistics:
    """Several clips as one: sums, and means over all faces."""
    faces = np.array([row.faces for row in rows])
    return FlipStatistics(
        faces=int(faces.sum()),
        face_seconds=sum(row.face_seconds for row in rows),
        flips_before=sum(row.flips_before for row in rows),
        flips_after=sum(row.flips_after for row in rows),
        top_probability=float(faces @ [row.top_probability for row in rows] / faces.sum()),
        mutual_information=float(faces @ [row.mutual_information for row in rows] / faces.sum()),
    )


def measure(clips: Sequence[Path], nets: Sequence[str], smoothing: SmoothingOptions) -> dict[str, ByNet]:
    """For each clip with face time, each net's row; a line on stderr for every clip."""
    options = {net: AnalysisOptions(net=net) for net in nets}
    classifiers = {net: WorkerNets().classifier(options[net]) for net in nets}
    found = {}
    for clip in clips:
        try:
            rows = _rows_of(clip, options, classifiers, smoothing)
        except SourceError as error:
            print(f"skipped {clip.name}: {error}", file=sys.stderr)
            continue
        if rows is None:
            print(f"skipped {clip.name}: no face is visible for longer than one analysis", file=sys.stderr)
            continue
        found[clip.name] = rows
        print(f"measured {clip.name}", file=sys.stderr)
    return found


def _rows_of(
    clip: Path,
    options: dict[str, AnalysisOptions],
    classifiers: dict[str, EmotionClassifier],
    smoothing: SmoothingOptions,
) -> ByNet | None:
    """Each net's row on ``clip``, or ``None`` where there is no face time."""
    analyses: dict[int, list[AnalysisInput]] = {}
    rows = {}
    for net, classifier in classifiers.items():
        if classifier.crop_size not in analyses:
            analyses[classifier.crop_size] = analyses_of(clip, options[net])
        observations = [classify_faces(found, classifier) for found in analyses[classifier.crop_size]]
        samples = list(samples_of(observations, smoothing))
        if not samples or not (row := tally(samples)).face_seconds:
            return None
        rows[net] = row
    return rows


def record(row: FlipStatistics) -> dict[str, float]:
    """The statistics as the JSON has them."""
    rates = {
        "flips_per_minute_before": row.per_minute(row.flips_before),
        "flips_per_minute_after": row.per_minute(row.flips_after),
    }
    return {name: round(value, 4) for name, value in (asdict(row) | rates).items()}


def table(found: dict[str, ByNet], totals: ByNet) -> Iterator[str]:
    """A row per clip and one for all, two columns per net, in Markdown."""
    titles = [f"{net}: flips a minute | {net}: top p, MI" for net in totals]
    yield f"| clip | face time, s | {' | '.join(titles)} |"
    yield "|---|---" + "|---|---" * len(titles) + "|"
    for clip, rows in {**found, "**all**": totals}.items():
        seconds = next(iter(rows.values())).face_seconds
        yield f"| {clip} | {seconds:.1f} | {' | '.join(_cells(row) for row in rows.values())} |"


def _cells(row: FlipStatistics) -> str:
    before, after = row.per_minute(row.flips_before), row.per_minute(row.flips_after)
    return f"{before:.1f} → {after:.1f} | {row.top_probability:.2f}, {row.mutual_information:.3f}"


def report(found: dict[str, ByNet], totals: ByNet, smoothing: SmoothingOptions) -> dict[str, Any]:
    """What the JSON holds."""
    options = AnalysisOptions()
    return {
        "machine": machine(),
        "analysis": {"rate_hz": options.rate_hz, "passes": options.passes, "seed": options.seed},
        "smoothing": asdict(smoothing),
        "clips": {clip: {net: record(row) for net, row in rows.items()} for clip, rows in found.items()},
        "all": {net: record(row) for net, row in totals.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder of clips; clips made of others count again")
    parser.add_argument("--net", nargs="+", default=list(emotion_net_names()), help="nets (default: all)")
    parser.add_argument("--out", type=Path, default=Path("tests/benchmarks/label_flips.json"))
    arguments = parser.parse_args()
    smoothing = SmoothingOptions()
    try:
        clips = sorted(path for path in arguments.clips.iterdir() if path.is_file())
    except OSError as error:
        parser.exit(SourceError.exit_code, f"error: cannot read the folder {arguments.clips}: {error.strerror}.\n")
    try:
        found = measure(clips, arguments.net, smoothing)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    if not found:
        parser.exit(SourceError.exit_code, f"error: {arguments.clips} holds no clip with a face.\n")
    totals = {net: together([rows[net] for rows in found.values()]) for net in arguments.net}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report(found, totals, smoothing), indent=2) + "\n")
    print("\n".join(table(found, totals)))


if __name__ == "__main__":
    main()
