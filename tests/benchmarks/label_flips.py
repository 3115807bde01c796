"""How often the emotion of a face changes its name, before and after smoothing, on real clips.

    python -m tests.benchmarks.label_flips --clips DIR [--net NAME ...] [--out FILE.json]

Every file of the folder that decodes goes through source, follow, classify and direct as a job does it,
without painting and encoding. The faces are looked for once, so that all nets classify the same looks. A
label is the likeliest emotion: before smoothing that of one look's mean over T passes, after it that of
the scene at the same time. A flip is a change of label between two looks at the same track that are no
further apart than ``PATIENCE_SECONDS``; face time is the time between such looks. So a face that comes,
goes, or lies on the other side of a cut is no flip, but a true change of expression is one.

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
from emocolor.emotion import EmotionClassifier
from emocolor.errors import EmocolorError, SourceError
from emocolor.faces import Observation, Vector
from emocolor.scenes import PATIENCE_SECONDS, SceneBuilder
from emocolor.smoothing import SmoothingOptions
from engines.spec import emotion_net_names
from stream.media.source import VideoSource
from stream.nets import WorkerNets
from stream.pipeline.analysis import track_faces
from stream.settings import AnalysisOptions
from tests.benchmarks.__main__ import machine


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One face in one look."""

    track_id: int
    time: float
    """Media time in seconds."""
    raw: Vector
    """(7,) probabilities of this look alone: the mean over T passes."""
    smoothed: Vector
    """(7,) probabilities of the scene at the same time."""
    mutual_information: float
    """In nats."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one net did on one clip, or on several together."""

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
        """``flips`` a minute of face time."""
        return 60 * flips / self.face_seconds


def analyses_of(clip: Path, options: AnalysisOptions) -> list[AnalysisInput]:
    """Every analysed frame of a clip; raises ``SourceError`` where it cannot be read."""
    source = VideoSource(str(clip))
    try:
        tracked = track_faces(source.units(), partial(WorkerNets().face_tracker, options.net), options.rate_hz)
        return [pending.payload for pending in tracked if pending.payload is not None]
    finally:
        source.close()


def sightings_of(observations: Sequence[Observation], smoothing: SmoothingOptions) -> Iterator[Sighting]:
    """The faces of all looks in order of time, before and after smoothing."""
    scenes = SceneBuilder(smoothing)
    for observation in observations:
        scenes.add(observation)
    scenes.end()
    for observation in observations:
        smoothed = {face.track_id: face.probabilities for face in scenes.scene_at(observation.time).faces}
        for face in observation.faces:
            yield Sighting(
                track_id=face.track_id,
                time=observation.time,
                raw=face.estimate.probabilities,
                smoothed=smoothed[face.track_id],
                mutual_information=face.estimate.mutual_information,
            )


def tally(sightings: Iterable[Sighting]) -> Row:
    """Flips and face time between neighbouring sightings of each track, and means over all; one face at least."""
    before = after = 0
    seconds = 0.0
    tops, informations = [], []
    last: dict[int, Sighting] = {}
    for now in sightings:
        tops.append(now.raw.max())
        informations.append(now.mutual_information)
        then = last.get(now.track_id)
        if then is not None and now.time - then.time <= PATIENCE_SECONDS:
            seconds += now.time - then.time
            before += int(now.raw.argmax() != then.raw.argmax())
            after += int(now.smoothed.argmax() != then.smoothed.argmax())
        last[now.track_id] = now
    return Row(
        faces=len(tops),
        face_seconds=seconds,
        flips_before=before,
        flips_after=after,
        top_probability=float(np.mean(tops)),
        mutual_information=float(np.mean(informations)),
    )


def together(rows: Sequence[Row]) -> Row:
    """Several clips as one: sums, and means over all faces."""
    faces = np.array([row.faces for row in rows])
    return Row(
        faces=int(faces.sum()),
        face_seconds=sum(row.face_seconds for row in rows),
        flips_before=sum(row.flips_before for row in rows),
        flips_after=sum(row.flips_after for row in rows),
        top_probability=float(faces @ [row.top_probability for row in rows] / faces.sum()),
        mutual_information=float(faces @ [row.mutual_information for row in rows] / faces.sum()),
    )


def measure(clips: Sequence[Path], nets: Sequence[str], smoothing: SmoothingOptions) -> dict[str, dict[str, Row]]:
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
            print(f"skipped {clip.name}: no face is seen for longer than one look", file=sys.stderr)
            continue
        found[clip.name] = rows
        print(f"measured {clip.name}", file=sys.stderr)
    return found


def _rows_of(
    clip: Path,
    options: dict[str, AnalysisOptions],
    classifiers: dict[str, EmotionClassifier],
    smoothing: SmoothingOptions,
) -> dict[str, Row] | None:
    """Each net's row on ``clip``, or ``None`` where there is no face time."""
    analyses: dict[int, list[AnalysisInput]] = {}
    rows = {}
    for net, classifier in classifiers.items():
        if classifier.crop_size not in analyses:
            analyses[classifier.crop_size] = analyses_of(clip, options[net])
        observations = [classify_faces(found, classifier) for found in analyses[classifier.crop_size]]
        sightings = list(sightings_of(observations, smoothing))
        if not sightings or not (row := tally(sightings)).face_seconds:
            return None
        rows[net] = row
    return rows


def record(row: Row) -> dict[str, float]:
    """A row as it stands in the JSON."""
    rates = {
        "flips_per_minute_before": row.per_minute(row.flips_before),
        "flips_per_minute_after": row.per_minute(row.flips_after),
    }
    return {name: round(value, 4) for name, value in (asdict(row) | rates).items()}


def table(found: dict[str, dict[str, Row]], totals: dict[str, Row]) -> Iterator[str]:
    """A row per clip and one for all, two columns per net, in Markdown."""
    titles = [f"{net}: flips a minute | {net}: top p, MI" for net in totals]
    yield f"| clip | face time, s | {' | '.join(titles)} |"
    yield "|---|---" + "|---|---" * len(titles) + "|"
    for clip, rows in {**found, "**all**": totals}.items():
        seconds = next(iter(rows.values())).face_seconds
        yield f"| {clip} | {seconds:.1f} | {' | '.join(_cells(row) for row in rows.values())} |"


def _cells(row: Row) -> str:
    before, after = row.per_minute(row.flips_before), row.per_minute(row.flips_after)
    return f"{before:.1f} → {after:.1f} | {row.top_probability:.2f}, {row.mutual_information:.3f}"


def report(found: dict[str, dict[str, Row]], totals: dict[str, Row], smoothing: SmoothingOptions) -> dict[str, Any]:
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
