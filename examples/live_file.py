"""Process a film as if it were live: at its own pace, within a latency budget, into a file and without a window.

python examples/live_file.py film.mp4 out.mkv

The input may as well be a camera (webcam) or a stream (rtsp://...), and the output a stream (rtmp://...).
"""

import queue
import sys

from emocolor.effects import GradeOptions
from emocolor.errors import EmocolorError
from stream.live.capture.inputs import parse_input
from stream.live.controls import Controls
from stream.live.output.destinations import parse_output
from stream.live.run import LiveRun, LiveSettings
from stream.settings import LiveOptions


def main(film: str, output: str) -> None:
    """Run until the film ends; Ctrl-C leaves the block too, and what was written can be played."""
    settings = LiveSettings(
        source=parse_input(film),
        destinations=(parse_output(output, format_name=None, overwrite=True, source=film),),
        controls=Controls.of((GradeOptions(),)),
        options=LiveOptions(latency_ms=80),
    )
    endings: queue.SimpleQueue[EmocolorError | None] = queue.SimpleQueue()
    with LiveRun(settings, endings.put) as run:
        error = endings.get()
    report = run.report()
    print(f"{report.sent} frames, dropped: {dict(report.drops)}, latency: {report.session.latency_ms} ms")
    if error is not None:
        raise error


if __name__ == "__main__":
    main(*sys.argv[1:])
