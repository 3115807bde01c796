"""Images, paintings and clips to train on, and values of VGG16 for the losses, made once."""

import av
import cv2
import numpy as np
import pytest

from emocolor.emotions import EMOTIONS


@pytest.fixture(scope="session")
def blobs(tmp_path_factory):
    """A folder of eight images of coloured blobs, 96x64."""
    return _blobs(tmp_path_factory.mktemp("photos"), 8)


@pytest.fixture(scope="session")
def one_blob(tmp_path_factory):
    """A folder of one such image."""
    return _blobs(tmp_path_factory.mktemp("photo"), 1)


@pytest.fixture(scope="session")
def two_blobs(tmp_path_factory):
    """A folder of two such images: to measure on where the metrics themselves do not matter."""
    return _blobs(tmp_path_factory.mktemp("held_out"), 2)


def _blobs(folder, count):
    random = np.random.default_rng(0)
    for number in range(count):
        image = cv2.resize(random.integers(0, 256, (3, 4, 3), np.uint8), (96, 64), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


@pytest.fixture(scope="session")
def paintings_folder(tmp_path_factory):
    """A folder of seven images to learn styles from, named by the emotions, 80x80."""
    folder = tmp_path_factory.mktemp("paintings")
    random = np.random.default_rng(1)
    for number, emotion in enumerate(EMOTIONS):
        coarse = random.integers(0, 256, (4 + 3 * number, 5 + 3 * number, 3), np.uint8)
        cv2.imwrite(str(folder / f"{emotion}.png"), cv2.resize(coarse, (80, 80), interpolation=cv2.INTER_NEAREST))
    return folder


@pytest.fixture(scope="session")
def vgg_arrays():
    """Makes values of VGG16's first layers, as a file holds them: random, but such as a release is known by."""
    pytest.importorskip("torch", reason="torch is not installed; VGG16 needs it")
    from training.vgg_weights import CHANNELS, PLACES, RELEASES

    def made(count=10, release=0):
        random, known, found = np.random.default_rng(0), RELEASES[release], {}
        for place in range(count):
            channels_in, channels_out = CHANNELS[place : place + 2]
            kernels = random.standard_normal((channels_out, channels_in, 3, 3), np.float32) * known.spreads[place]
            if place == 0:
                kernels[0] = known.first
            found[f"features.{PLACES[place]}.weight"] = kernels.astype(np.float16)
            found[f"features.{PLACES[place]}.bias"] = random.normal(0, 0.01, channels_out).astype(np.float16)
        return found

    return made


@pytest.fixture(scope="session")
def vgg_file(vgg_arrays, tmp_path_factory):
    """An npz of them, up to relu4_3."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.npz"
    np.savez(path, **vgg_arrays())
    return path


@pytest.fixture(scope="session")
def write_clip():
    """Writes images (H, W, 3) as a lossless clip, so that what stands still does and colours are what they were."""

    def write(path, images, fps=25):
        with av.open(str(path), "w") as container:
            stream = None
            for number, rgb in enumerate(images):
                if stream is None:
                    stream = container.add_stream("ffv1", rate=fps)
                    stream.height, stream.width = rgb.shape[:2]
                    stream.pix_fmt = "yuv444p"
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuv444p")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def run_main(capsys):
    """Runs a script's ``main`` in this process: its exit code, and what it prints on both streams."""

    def run(main, *arguments):
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
