"""Write the emotions in a film to a CSV file, and sum up how long each face showed which. Nothing is encoded.

python examples/emotion_summary.py film.mp4 emotions.csv
"""

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

from stream import AnalysisOptions, Job, JobSettings

RATE_HZ = 8.0


def write_timeline(film: str, timeline: Path) -> None:
    """One row for each face in each analysed frame, with smoothed probabilities and certainty."""
    settings = JobSettings(
        input=film, effects=(), timeline=timeline, analysis=AnalysisOptions(rate_hz=RATE_HZ, net="tiny")
    )
    with Job(settings) as job:
        for _ in job:
            pass


def summarize(timeline: Path) -> dict[int, Counter[str]]:
    """Seconds by face and emotion: each row stands for one interval between two analyses."""
    seconds: dict[int, Counter[str]] = defaultdict(Counter)
    with timeline.open(newline="") as file:
        for row in csv.DictReader(file):
            seconds[int(row["track"])][row["emotion"]] += 1 / RATE_HZ
    return seconds


def main(film: str, timeline: str) -> None:
    write_timeline(film, Path(timeline))
    for track, emotions in summarize(Path(timeline)).items():
        print(f"face {track}: " + ", ".join(f"{name} {time:.1f} s" for name, time in emotions.most_common()))


if __name__ == "__main__":
    main(*sys.argv[1:])
