"""An effect of your own: darken the frame where nobody smiles, and chain it with one of ours.

python examples/own_effect.py film.mp4 out.mp4

On the command line the same class works without a script, if its folder is on the import path:

PYTHONPATH=examples emocolor-stream film.mp4 -o out.mp4 --effect own_effect:Dim,overlay
"""

import sys

import numpy as np

from emocolor import EMOTIONS, Frame, Scene
from emocolor.effects import OverlayOptions
from stream import Job, JobSettings

HAPPY = EMOTIONS.index("happy")


class Dim:
    """Darken everything except for those who smile: at full happiness luma stays, at none it is halved."""

    needs = frozenset({"faces"})
    """What must be prepared. This effect changes luma alone, so it needs no chroma planes."""

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Change the luma plane in place; the frame is ours to change."""
        black = 0 if frame.color.full_range else 16 << (frame.format.bits - 8)
        brightness = 0.5 + 0.5 * scene.probabilities[HAPPY]
        frame.luma[...] = np.rint((frame.luma.astype(np.float32) - black) * brightness + black)
        return frame


def main(film: str, output: str) -> None:
    with Job(JobSettings(input=film, output=output, effects=(Dim(), OverlayOptions()))) as job:
        print(f"{sum(1 for _ in job)} frames")


if __name__ == "__main__":
    main(*sys.argv[1:])
