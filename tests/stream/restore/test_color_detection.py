"""Whether an input has colours of its own, told from samples all over it."""

import av
import numpy as np
import pytest

from stream.media.source import SourceOptions, VideoSource
from stream.restore.color_detection import SAMPLES, SHORT_SECONDS, input_is_colored

SIZE_WH = (96, 64)


def write(path, frames, rate=25, pix_fmt="yuv420p", **options):
    """H.264 of RGB frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", **options})
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = pix_fmt
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def black(count):
    return [np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)] * count


def patches(count, coloured):
    frame = np.kron(np.random.default_rng(0).integers(0, 255, (8, 12, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    if not coloured:
        frame = np.repeat(frame[..., :1], 3, axis=2)
    return [frame] * count


def detected(path, location=None, **options):
    made = SourceOptions(**options)
    source = VideoSource(str(path), made)
    try:
        return input_is_colored(location or str(path), made, source.info)
    finally:
        source.close()


@pytest.mark.parametrize("coloured", [True, False])
def test_colour_is_distinguished_from_gray(tmp_path, coloured):
    assert detected(write(tmp_path / "in.mp4", patches(20, coloured))) is coloured


def test_what_has_luma_alone_is_gray(tmp_path):
    assert detected(write(tmp_path / "in.mp4", patches(5, True), pix_fmt="gray")) is False


def test_colour_that_comes_late_is_seen(tmp_path):
    """A fade in from black with a single key frame: the first frames alone would pass for gray."""
    clip = write(tmp_path / "in.mp4", black(60) + patches(30, True), g="500")
    assert detected(clip) is True


def test_the_part_that_is_read_decides(tmp_path):
    clip = write(tmp_path / "in.mp4", patches(50, True) + patches(50, False), g="10", bf="0")
    assert detected(clip) is True
    assert detected(clip, start_seconds=2.2) is False


def test_long_inputs_are_sampled_at_key_frames(tmp_path):
    seconds = int(SHORT_SECONDS) + 12
    assert seconds > SAMPLES
    clip = write(tmp_path / "in.mp4", black(seconds) + patches(seconds, True), rate=2, g="4")
    assert detected(clip) is True
    assert detected(write(tmp_path / "gray.mp4", patches(2 * seconds, False), rate=2, g="4")) is False


@pytest.mark.parametrize("location", ["-", "https://host/film.mp4", "frames/%03d.png"])
def test_inputs_that_cannot_be_sampled_are_unknown(tmp_path, location):
    assert detected(write(tmp_path / "in.mp4", patches(5, True)), location) is None


def test_an_input_that_is_gone_is_unknown(tmp_path):
    clip = write(tmp_path / "in.mp4", patches(5, True))
    assert detected(clip, str(tmp_path / "gone.mp4")) is None
