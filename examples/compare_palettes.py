"""Compare two palettes in one video: the left half of each frame is tinted with one, the right half with the other.

python examples/compare_palettes.py film.mp4 out.mp4 s0 muted

An effect may hold other effects, so this is one more effect of your own.
"""

import sys

from emocolor import Frame, Scene
from emocolor.effects import Tint, TintOptions
from stream import Job, JobSettings
from stream.config_files import read_palette


class SplitTint:
    """Tint each half of the frame with a palette of its own."""

    def __init__(self, left: str, right: str) -> None:
        self._left = Tint(TintOptions(palette=read_palette(left), base="color"))
        self._right = Tint(TintOptions(palette=read_palette(right), base="color"))

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Both tints see the same frame and the same emotion; only the colours differ."""
        right = self._right.apply(frame.copy(), scene)
        left = self._left.apply(frame, scene)
        for plane, other in zip(left.planes, right.planes, strict=True):
            middle = plane.shape[1] // 2
            plane[:, middle:] = other[:, middle:]
        return left


def main(film: str, output: str, left: str = "s0", right: str = "muted") -> None:
    with Job(JobSettings(input=film, output=output, effects=(SplitTint(left, right),))) as job:
        for _ in job:
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])
