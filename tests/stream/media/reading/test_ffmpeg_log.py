import threading
from typing import Any

import av
import pytest

from stream.media.reading.ffmpeg_log import recorded_log


def test_messages_are_collected_up_to_the_level(make_clip: Any) -> None:
    with av.open(str(make_clip())) as container:
        dump: Any = container
        with recorded_log(av.logging.INFO) as texts:
            av.logging.log(av.logging.INFO, "test", "told")
            av.logging.log(av.logging.VERBOSE, "test", "too much")
            described = dump.dumps_format()
    assert "Stream #0:0" in described
    assert "told" in texts
    assert "too much" not in texts


def test_a_message_is_collected_each_time() -> None:
    for _ in range(2):
        with recorded_log(av.logging.ERROR) as texts:
            av.logging.log(av.logging.ERROR, "test", "again")
        assert texts == ["again"]


def test_the_level_is_as_before_whatever_happens() -> None:
    with pytest.raises(ValueError, match="inside"), recorded_log(av.logging.ERROR):
        raise ValueError("inside")
    assert av.logging.get_level() is None


def test_messages_of_other_threads_are_no_error_as_it_ends(capfd: pytest.CaptureFixture[str]) -> None:
    """PyAV compares their level with one that is not there any more, and prints the trace of it."""
    ended = threading.Event()

    def log() -> None:
        while not ended.is_set():
            scale()

    def scale() -> None:
        """FFmpeg warns of this format, without the interpreter."""
        av.VideoFrame(16, 16, "yuvj420p").reformat(format="rgb24")

    threads = [threading.Thread(target=log) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        with recorded_log(av.logging.INFO):
            scale()
    ended.set()
    for thread in threads:
        thread.join()
    assert capfd.readouterr().err == ""
