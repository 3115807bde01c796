"""VGG16's values: which files are read, which are refused and why, and how torchvision's are fetched."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import EngineError  # noqa: E402
from training.vgg import Vgg16  # noqa: E402
from training.vgg_weights import RELEASES, check_release, download, read_layers  # noqa: E402

DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


@pytest.fixture(scope="module", params=range(len(RELEASES)), ids=[release.name for release in RELEASES])
def layers(request, vgg_arrays):
    """Kernels and biases such as a release is known by."""
    values = [value.astype(np.float32) for value in vgg_arrays(release=request.param).values()]
    return list(zip(values[::2], values[1::2], strict=True))


def changed(layers, change, places=range(10)):
    """The layers with some layers' kernels changed."""
    return [(change(kernels) if n in places else kernels, biases) for n, (kernels, biases) in enumerate(layers)]


def refusal(layers):
    with pytest.raises(EngineError) as error:
        check_release(layers, "f.npz")
    assert str(error.value).startswith("f.npz")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_both_releases_are_known(layers):
    check_release(layers, "f.npz")
    check_release(layers[:7], "f.npz")
    check_release(layers[:1], "f.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k: k[:, ::-1], "another input: its first kernels take BGR. The net takes sRGB"),
        (lambda k: k / 255, "are 0.00392 times as large as they must be"),
        (lambda k: k / (255 * DEVIATION), "another input: its first kernels are 0.017"),
        (lambda k: (k / (255 * DEVIATION))[:, ::-1], "take BGR and are 0.017"),
        (lambda k: np.random.default_rng(1).permutation(k.ravel()).reshape(k.shape), "first kernels are not its own"),
        (lambda k: np.concatenate([k[:1], 2 * k[1:]]), "its first layer is not its own"),
    ],
    ids=["BGR", "255", "0 to 255", "as Caffe has them", "shuffled", "but for the first"],
)
def test_values_for_other_images_are_refused(layers, change, words):
    assert words in refusal(changed(layers, change, places=[0]))


def test_kernels_with_rows_and_columns_exchanged_are_refused(layers):
    transposed = changed(layers, lambda k: k.swapaxes(2, 3))
    assert "first kernels have rows and columns exchanged" in refusal(transposed)
    both = changed(transposed, lambda k: k[:, ::-1], places=[0])
    assert "take BGR and have rows and columns exchanged" in refusal(both)


def untrained(kernels):
    """He et al. 2015."""
    random = np.random.default_rng(0)
    return random.standard_normal(kernels.shape, np.float32) * (2 / (9 * kernels.shape[1])) ** 0.5


@pytest.mark.parametrize(
    "change", [untrained, np.zeros_like, np.ones_like, lambda k: 2 * k], ids=["untrained", "zeros", "ones", "doubled"]
)
def test_other_values_are_refused(layers, change):
    assert "does not hold known values of VGG16: the kernels of features." in refusal(changed(layers, change))
    deep = changed(layers, lambda k: 1.1 * k, places=[6])
    assert "the kernels of features.14.weight have a standard deviation" in refusal(deep)


def test_values_that_are_no_numbers_are_refused(layers):
    layers = [(kernels.copy(), biases.copy()) for kernels, biases in layers]
    layers[2][1][5] = np.nan
    assert refusal(layers) == "f.npz: some values of features.5 are infinite or NaN."


def test_float16_is_near_enough(layers):
    check_release(changed(layers, lambda k: k.astype(np.float16).astype(np.float32)), "f.npz")


def test_torch_s_files_are_read_too(vgg_file, vgg_arrays, tmp_path):
    state = {name: torch.from_numpy(value).bfloat16() for name, value in vgg_arrays(3).items()}
    torch.save(state | {"classifier.0.weight": torch.zeros(3)}, tmp_path / "vgg16.pth")
    ours, theirs = read_layers(tmp_path / "vgg16.pth", 3), read_layers(vgg_file, 3)
    for (kernels, biases), (wanted, wanted_biases) in zip(ours, theirs, strict=True):
        assert kernels.dtype == biases.dtype == np.float32
        assert np.allclose(kernels, wanted, rtol=0.01)
        assert np.allclose(biases, wanted_biases, rtol=0.01)


def test_nothing_in_a_file_is_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "trap.pth").write_bytes(pickle.dumps({"features.0.weight": Trap()}, protocol=2))
    torch.save({"features.0.weight": Trap()}, tmp_path / "trap.pt")
    for name in ("trap.pth", "trap.pt"):
        with pytest.raises(EngineError, match="holds more than named tensors"):
            read_layers(tmp_path / name, 1)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_stands_for_the_only_file_in_it(vgg_file, tmp_path):
    assert np.array_equal(read_layers(vgg_file.parent, 1)[0][0], read_layers(vgg_file, 1)[0][0])
    with pytest.raises(EngineError, match=r"must hold one npz or pth file .* found 0"):
        read_layers(tmp_path, 1)


def test_another_file_is_refused(vgg_arrays, tmp_path):
    def written(name, values):
        np.savez(tmp_path / name, **values)
        return tmp_path / name

    three = vgg_arrays(7)
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "text.pth").write_text("no archive")
    cases = [
        (tmp_path / "none.npz", "No such file"),
        (tmp_path / "text.npz", "text.npz is neither an npz file nor one of torch's"),
        (tmp_path / "text.pth", "text.pth is damaged, or holds more than named tensors"),
        (tmp_path / "list.pth", "list.pth holds no named tensors"),
        (written("short.npz", three), "first 10 convolutions: features.17.weight is missing"),
        (written("narrow.npz", three | {"features.0.weight": np.zeros((64, 1, 3, 3))}), "features.0.weight is float64"),
        (written("turned.npz", three | {"features.0.weight": np.zeros((3, 64, 3, 3))}), r"not \(64, 3, 3, 3\)"),
        (written("whole.npz", three | {"features.0.bias": np.zeros(64, int)}), "features.0.bias is int64"),
        (written("objects.npz", three | {"features.0.bias": np.array([None] * 64)}), "objects.npz cannot be read"),
    ]  # fmt: skip
    for path, words in cases:
        with pytest.raises(EngineError, match=words) as error:
            Vgg16(path)
        assert "\n" not in str(error.value)
    Vgg16(tmp_path / "short.npz", "relu3_3")


@pytest.fixture
def published(vgg_arrays, tmp_path, monkeypatch):
    """A file as torchvision publishes its own, and an empty cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    torch.save({name: torch.from_numpy(value) for name, value in vgg_arrays(2, 1).items()}, tmp_path / "vgg16.pth")
    digest = hashlib.sha256((tmp_path / "vgg16.pth").read_bytes()).hexdigest()
    return (tmp_path / "vgg16.pth").rename(tmp_path / f"vgg16-{digest[:8]}.pth")


def test_without_a_file_torchvision_s_is_downloaded_once(published, tmp_path):
    first = read_layers(None, 2, url=published.as_uri())
    published.unlink()
    again = read_layers(None, 2, url=published.as_uri())
    assert np.array_equal(again[1][0], first[1][0])
    assert download(published.as_uri()) == tmp_path / "cache" / "hub" / "checkpoints" / published.name


def test_what_arrives_damaged_is_not_kept(published, tmp_path):
    published.write_bytes(published.read_bytes()[:-1])
    with pytest.raises(EngineError, match="invalid hash value") as error:
        download(published.as_uri())
    assert "Pass a file instead" in str(error.value)
    assert not list((tmp_path / "cache" / "hub" / "checkpoints").iterdir())


def test_without_a_network_the_other_way_is_named(published):
    with pytest.raises(EngineError, match=r"cannot be downloaded from http://127\.0\.0\.1:9/.* Pass a file instead"):
        download(f"http://127.0.0.1:9/{published.name}")
