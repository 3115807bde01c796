"""Whether an input has colours of its own, told from samples all over it."""

import av
import numpy as np
import pytest

from emocolor.chroma.detection import ColorDetection
from stream.media.source import SourceOptions, VideoSource
from stream.restore.color_detection import SAMPLES, SHORT_SECONDS, color_notes, detect_input_color

SIZE_WH = (96, 64)
SHAPES_WH = (320, 240)


def write(path, frames, rate=25, pix_fmt="yuv420p", size_wh=SIZE_WH, **options):
    """H.264 of RGB frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", **options})
        stream.pix_fmt = pix_fmt
        stream.width, stream.height = size_wh
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


def moving_shapes(count, ink):
    """Gray film of soft shapes and texture that drift, with its whites in the colour ``ink``."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[: SHAPES_WH[1], : SHAPES_WH[0] + count]
    scene = 120 + 60 * np.sin(x / 23) * np.cos(y / 17) + 40 * np.sign(np.sin(x / 41 + y / 29))
    scene = (scene + random.normal(0, 8, scene.shape)).clip(0, 255) / 255
    for left in range(count):
        yield np.rint(scene[:, left : left + SHAPES_WH[0], None] * np.array(ink)).astype(np.uint8)


def detected(path, location=None, **options):
    made = SourceOptions(**options)
    source = VideoSource(str(path), made)
    try:
        return detect_input_color(location or str(path), made, source.info)
    finally:
        source.close()


def is_colored(path, **options):
    return detected(path, **options).is_colored


@pytest.mark.parametrize("coloured", [True, False])
def test_colour_is_distinguished_from_gray(tmp_path, coloured):
    found = detected(write(tmp_path / "in.mp4", patches(20, coloured)))
    assert (found.is_colored, found.is_toned) == (coloured, False)


@pytest.mark.parametrize("crf", ["18", "28", "36"])
@pytest.mark.parametrize("ink", [(255, 191, 80), (110, 150, 255)])
def test_compressed_tint_is_no_colour(tmp_path, ink, crf):
    """Amber and blue: what the encoder leaves of chroma strays from the tint."""
    clip = write(tmp_path / "in.mp4", moving_shapes(20, ink), size_wh=SHAPES_WH, crf=crf)
    found = detected(clip)
    assert (found.is_colored, found.is_toned) == (False, True)


def test_what_has_luma_alone_is_gray(tmp_path):
    assert not is_colored(write(tmp_path / "in.mp4", patches(5, True), pix_fmt="gray"))


def test_colour_that_comes_late_is_seen(tmp_path):
    """A fade in from black with a single key frame: the first frames alone would pass for gray."""
    clip = write(tmp_path / "in.mp4", black(60) + patches(30, True), g="500")
    assert is_colored(clip)


def test_short_clips_are_sampled_as_densely_as_long_ones(tmp_path):
    """Three of four frames predict no other, so decoding the rest alone would leave six."""
    found = detected(write(tmp_path / "in.mp4", patches(24, False), bf="3"))
    assert found.frames >= 12


def test_the_part_that_is_read_decides(tmp_path):
    clip = write(tmp_path / "in.mp4", patches(50, True) + patches(50, False), g="10", bf="0")
    assert is_colored(clip)
    assert not is_colored(clip, start_seconds=2.2)


def test_long_inputs_are_sampled_at_key_frames(tmp_path):
    seconds = int(SHORT_SECONDS) + 12
    assert seconds > SAMPLES
    clip = write(tmp_path / "in.mp4", black(seconds) + patches(seconds, True), rate=2, g="4")
    assert is_colored(clip)
    assert not is_colored(write(tmp_path / "gray.mp4", patches(2 * seconds, False), rate=2, g="4"))


@pytest.mark.parametrize("location", ["-", "https://host/film.mp4", "frames/%03d.png"])
def test_inputs_that_cannot_be_sampled_are_unknown(tmp_path, location):
    assert detected(write(tmp_path / "in.mp4", patches(5, True)), location) is None


def test_an_input_that_is_gone_is_unknown(tmp_path):
    clip = write(tmp_path / "in.mp4", patches(5, True))
    assert detected(clip, str(tmp_path / "gone.mp4")) is None


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"colored": 16}, ["is in colour already", "option colorize.force"]),
        ({"colored": 3, "toned": 13}, ["is partly in colour already (3 of 16 frames sampled)"]),
        ({"colored": 0, "toned": 16}, ["is toned black-and-white"]),
        ({"colored": 1}, ["1 of 16 frames sampled seem to be in colour"]),
        ({"colored": 0, "toned": 16, "overlaid": 9}, ["is toned", "a logo or subtitles"]),
        ({"colored": 0, "toned": 1, "overlaid": 1}, []),
    ],
)
def test_notes_say_what_becomes_of_the_colours(counts, words):
    notes = " ".join(color_notes(ColorDetection(frames=16, **counts)))
    assert bool(notes) == bool(words)
    assert all(part in notes for part in words)
