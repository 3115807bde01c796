"""Recolour a film from Python: grade it toward the emotion of the faces, and print what was seen.

python examples/recolour_film.py film.mp4 out.mp4
"""

import sys

from emocolor.effects import GradeOptions
from stream import Job, JobSettings


def recolour(film: str, output: str) -> None:
    """Write ``film`` to ``output`` with its colours moved toward the emotion; everything else is kept."""
    settings = JobSettings(input=film, output=output, effects=(GradeOptions(strength=0.8),))
    last = ""
    with Job(settings) as job:
        for step in job:  # a step comes after its frame was written
            scene = step.scene
            if scene.faces and scene.emotion != last:
                last = scene.emotion
                print(f"{step.frame.time:6.2f} s  {last} (certainty {scene.certainty:.2f})")
    for warning in job.warnings:
        print(f"warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    recolour(*sys.argv[1:])
