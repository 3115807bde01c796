"""Process a film as if it were live: at its own pace, within a latency budget, into a file and without a window.

python examples/live_file.py film.mp4 out.mkv

The input may as well be a camera (webcam) or a stream (rtsp://...), and the output a stream (rtmp://...).
"""

import sys

from emocolor.effects import GradeOptions
from stream.live.capture.inputs import parse_input
from stream.live.controls import Controls
from stream.live.live_run import LiveSettings, run_live
from stream.live.output.destinations import parse_output
from stream.live.settings import LiveOptions


def main(film: str, output: str) -> int:
    """Run until the film ends or Ctrl-C; what was written can be played in both cases."""
    settings = LiveSettings(
        source=parse_input(film),
        destinations=(parse_output(output, overwrite=True),),
        controls=Controls.of((GradeOptions(),)),
        options=LiveOptions(latency_ms=80),
    )
    return run_live(settings)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
