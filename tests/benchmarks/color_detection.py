"""How well colour detection tells gray and toned film from colour, on a corpus made from a folder of footage.

    python -m tests.benchmarks.color_detection --clips DIR [--corpus DIR] [--out FILE.json] [--page FILE.md]

Makes the clips of :mod:`tests.benchmarks.tone_corpus` (into a folder of its own, or into ``--corpus``, where they
stay for the next run), and samples and classifies each as a job does it. Films are in halves: the threshold that
separates the first best is printed, as a guide to that of the code; the confusion tables are about the second half.

Writes JSON with the machine, fills the tables of ``docs/color_detection.md``, and prints them.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from emocolor.chroma.detection import (
    COHERENCE,
    MAX_OUTLIERS,
    ChromaResidual,
    chroma_residual,
    detection_of,
    least_colored,
)
from emocolor.frames import Frame
from stream.media.reading.source_options import SourceOptions
from stream.media.source import VideoSource
from stream.restore.color_detection import sample_frames
from tests.benchmarks.__main__ import machine
from tests.benchmarks.tone_corpus import SOURCES, Condition, Encoding, Source, Truth, make_clips

RECORD: Final = Path(__file__).with_suffix(".json")
PAGE: Final = Path(__file__).parents[2] / "docs" / "color_detection.md"
COST_CLIP: Final = "bench_1080p_face.mp4"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One clip, and what it was taken for."""

    source: str
    chooses: bool
    kind: str
    name: str
    encoding: str
    truth: Truth
    found: Truth
    score: float
    """The footage is in colour if this is above ``COHERENCE``."""

    @property
    def is_right(self) -> bool:
        """Whether colours are kept where there are some, and given where there are none; tone is a note alone."""
        return (self.found == "color") == (self.truth == "color")


def classify(source: Source, condition: Condition, encoding: Encoding, clip: Path) -> Result:
    residuals = [chroma_residual(frame) for frame in samples_of(clip)]
    detection = detection_of(residuals)
    return Result(
        source=source.name,
        chooses=source.chooses,
        kind=condition.kind,
        name=condition.name,
        encoding=encoding.name,
        truth=condition.truth,
        found="color" if detection.is_colored else "toned" if detection.is_toned else "gray",
        score=round(score_of(residuals), 4),
    )


def samples_of(clip: Path) -> list[Frame]:
    options = SourceOptions()
    source = VideoSource(str(clip), options)
    try:
        assert source.info.duration is not None, clip
        return list(sample_frames(str(clip), options, source.info.duration))
    finally:
        source.close()


def score_of(residuals: Sequence[ChromaResidual]) -> float:
    """The threshold below which the footage would be in colour."""
    coherences = sorted(1.0 if one.outliers > MAX_OUTLIERS else one.coherence for one in residuals)
    return coherences[-least_colored(len(coherences))]


def best_threshold(results: Iterable[Result]) -> float:
    """The threshold of least balanced error: the middle of the range in which it is smallest."""
    scores, colored = (
        np.array(column) for column in zip(*((r.score, r.truth == "color") for r in results), strict=True)
    )
    thresholds = np.linspace(0.05, 0.25, 401)
    errors = np.array([(scores[~colored] > t).mean() + (scores[colored] <= t).mean() for t in thresholds])
    return round(float(thresholds[errors <= errors.min() + 1e-9].mean()), 4)


# Reports.


def confusion(results: Sequence[Result]) -> Iterator[str]:
    """Truth by what it was taken for, in Markdown."""
    yield "| in truth | clips | taken for gray | for toned | for colour |"
    yield "|---|---|---|---|---|"
    for truth, name in (("gray", "gray"), ("toned", "toned"), ("color", "colour")):
        rows = [one for one in results if one.truth == truth]
        counts = [sum(one.found == found for one in rows) for found in ("gray", "toned", "color")]
        yield f"| {name} | {len(rows)} | {' | '.join(map(str, counts))} |"


def by_kind(results: Sequence[Result]) -> Iterator[str]:
    """How many of each kind were told right, in Markdown."""
    yield "| clips | in truth | number | right | wrong ones |"
    yield "|---|---|---|---|---|"
    for kind in dict.fromkeys(one.kind for one in results):
        rows = [one for one in results if one.kind == kind]
        wrong = [one for one in rows if not one.is_right]
        named = ", ".join(dict.fromkeys(f"{one.source} ({one.encoding})" for one in wrong))
        truth = "colour" if rows[0].truth == "color" else "gray"
        yield f"| {kind} | {truth} | {len(rows)} | {len(rows) - len(wrong)} | {named} |"


def by_encoding(results: Sequence[Result]) -> Iterator[str]:
    """Gray and toned clips, and clips in colour, that were told right under each encoding, in Markdown."""
    yield "| encoding | gray and toned: right | colour: right |"
    yield "|---|---|---|"
    for encoding in sorted({one.encoding for one in results}, key=_natural):
        cells = []
        for colored in (False, True):
            rows = [one for one in results if one.encoding == encoding and (one.truth == "color") == colored]
            cells.append(f"{sum(one.is_right for one in rows)} of {len(rows)}")
        yield f"| {encoding} | {' | '.join(cells)} |"


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.findall(r"\d+|\D+", name)]


def wrong_by_source(results: Sequence[Result]) -> str:
    """Sources with clips that were told wrong, most first."""
    wrong = {
        name: sum(not one.is_right for one in results if one.source == name) for name in {r.source for r in results}
    }
    named = sorted(((count, name) for name, count in wrong.items() if count), key=lambda one: (-one[0], one[1]))
    return ", ".join(f"{name} {count}" for count, name in named)


def tables(record: dict[str, Any]) -> str:
    """All tables of the page, from the record."""
    results = [Result(**one) for one in record["clips"]]
    chosen, reported = ([one for one in results if one.chooses == half] for half in (True, False))
    cost, hardware = record["cost"], record["machine"]
    right, right_chosen = (sum(one.is_right for one in half) for half in (reported, chosen))
    lines = [
        f"Of the {len(reported)} clips of the second half, {right} were told right "
        f"({100 * right / len(reported):.1f} %); of the {len(chosen)} of the first, {right_chosen} "
        f"({100 * right_chosen / len(chosen):.1f} %). About the second half:",
        "",
        *confusion(reported),
        "",
        *by_kind(reported),
        "",
        *by_encoding(reported),
        "",
        f"Wrong in the first half, by film: {wrong_by_source(chosen)}.",
        "",
        f"The threshold that makes fewest errors in the first half is {record['best_threshold']} (in the code: "
        f"{record['threshold']}). A frame of 1920x1080 takes {cost['ms_per_frame']:.1f} ms of CPU time; 16 of them are "
        f"measured for a film, however long it is ({hardware['processor']}, {hardware['cores']} cores).",
    ]
    return "\n".join(lines)


def filled(page: str, text: str) -> str:
    """The page with the text between its marks; raises ``ValueError`` where it has none."""
    before, mark, rest = page.partition("<!-- detection -->\n")
    _, end, after = rest.partition("\n<!-- /detection -->")
    if not mark or not end:
        raise ValueError("The page has no marks for the tables.")
    return f"{before}{mark}\n{text}\n{end}{after}"


def cost_of(clip: Path, repeats: int = 5) -> dict[str, float]:
    """CPU milliseconds of one frame, the median over repeats of the mean over frames."""
    frames, taken = samples_of(clip)[:4], []
    for _ in range(repeats):
        start = time.process_time()
        for frame in frames:
            chroma_residual(frame)
        taken.append(1000 * (time.process_time() - start) / len(frames))
    return {"ms_per_frame": round(float(np.median(taken)), 2)}


def measure(clips: Path, corpus: Path) -> dict[str, Any]:
    """Make and classify the corpus; a line on stderr for every source."""
    results = []
    for source in SOURCES:
        results += [classify(source, *made) for made in make_clips(clips, source, corpus)]
        print(f"{source.name}: {len(results)} clips so far", file=sys.stderr)
    return {
        "machine": machine(),
        "threshold": COHERENCE,
        "best_threshold": best_threshold(one for one in results if one.chooses),
        "cost": cost_of(clips / COST_CLIP),
        "clips": [vars(one) for one in results],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder of the source clips")
    parser.add_argument("--corpus", type=Path, help="folder that the made clips stay in (default: they do not stay)")
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--page", type=Path, default=PAGE, help="page that gets the tables")
    given = parser.parse_args()
    page = given.page.read_text(encoding="utf-8")
    filled(page, "")
    with tempfile.TemporaryDirectory() as made:
        corpus = given.corpus or Path(made)
        corpus.mkdir(parents=True, exist_ok=True)
        record = measure(given.clips, corpus)
    lines = ",\n  ".join(json.dumps(one) for one in record.pop("clips"))
    text = json.dumps(record, indent=1)
    given.out.write_text(f'{text[:-2]},\n "clips": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
    tables_now = tables(json.loads(given.out.read_text(encoding="utf-8")))
    given.page.write_text(filled(page, tables_now), encoding="utf-8")
    print(tables_now)


if __name__ == "__main__":
    main()
