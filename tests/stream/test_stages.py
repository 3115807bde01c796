"""Single stages on real frames."""

import av
import numpy as np

from emocolor.faces import Scene
from stream.stages import Step, paint
from stream.video_source import VideoSource


class Invert:
    """Writes into the planes it is given, as effects may."""

    def apply(self, frame, scene):
        np.subtract(255, frame.luma, out=frame.luma)
        return frame


def test_painting_leaves_the_decoders_own_pictures_alone(demo_clip):
    """Later pictures are predicted from earlier ones, so painting one must not change what follows."""
    source = VideoSource(str(demo_clip))
    steps = (Step(unit=unit, scene=Scene(time=0)) for unit in source.units() if unit.frame)
    painted = [step.frame.luma.copy() for step in paint(steps, [Invert()])]
    source.close()
    with av.open(str(demo_clip)) as container:
        plain = [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]
    assert len(painted) == len(plain) == 50
    for ours, theirs in zip(painted, plain, strict=True):
        assert np.array_equal(ours, 255 - theirs)
