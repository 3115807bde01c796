"""The reference is exact, errors are computed as named, and one that is too large is reported."""

import json

import cv2
import numpy as np
import pytest

from emocolor.errors import ConfigurationError, EngineError
from engines.runners.base import Backend
from engines.runners.openvino import OpenVinoRunner
from tests.benchmarks import parity
from tests.benchmarks.parity_kinds import KINDS, Material, color_errors, probability_errors, sample_errors
from training.data.faces import FaceSet

NETS = [(kind, name) for kind in KINDS for name in KINDS[kind].names()]


@pytest.fixture(scope="module")
def material():
    """Four crops and two photos of noise."""
    random = np.random.default_rng(0)
    faces = FaceSet(images=random.integers(0, 256, (4, 48, 48), np.uint8), labels=np.zeros(4, np.int64))
    return Material(faces=faces, photos=tuple(random.integers(0, 256, (2, 99, 131, 3), np.uint8)))


def backend_of(name, runner, **fields):
    """A backend of the CPU in f32."""

    def opened(spec, threads, precision):
        return runner(spec.weights, threads=threads, precision=precision)

    return Backend(**{"name": name, "device": "cpu", "packages": (), "precisions": ("f32",), "open": opened} | fields)


@pytest.mark.parametrize(("kind", "name"), NETS, ids=[name for _, name in NETS])
def test_the_reference_is_float64_throughout(kind, name, material):
    torch = pytest.importorskip("torch", reason="torch is not installed; the reference runs in it")
    pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")
    from torch.utils._python_dispatch import TorchDispatchMode

    from tests.benchmarks.float64_graph import Float64Graph

    class Narrow(TorchDispatchMode):
        """Records operations that return floats of less than 64 bits."""

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            floats = [one for one in torch.utils._pytree.tree_leaves(found) if torch.is_floating_point(one)]
            seen.extend(str(function) for one in floats if one.dtype != torch.float64)
            return found

    seen = []
    spec = KINDS[kind].read(name)
    graph, inputs = Float64Graph(spec), KINDS[kind].inputs(spec, material)
    with Narrow():
        outputs = [graph.run(given) for given in inputs]
    # The arrays that go in, and the constant centers of bins, are float32 until they are widened.
    assert set(seen) <= {"aten.detach.default", "aten.alias.default", "aten.lift_fresh.default"}
    assert {value.dtype.name for output in outputs for value in output.values()} <= {"float64", "uint8"}


def test_a_backend_that_is_off_is_reported(material):
    pytest.importorskip("torch", reason="torch is not installed; the reference runs in it")
    pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")

    class Off(OpenVinoRunner):
        """Every probability .001 too large."""

        def run(self, inputs):
            return {name: value + np.float32(0.001) for name, value in super().run(inputs).items()}

    backends = [backend_of("right", OpenVinoRunner), backend_of("off", Off)]
    found = parity.measure(KINDS["emotion"], "tiny", material, backends)
    right, off = found["rows"]
    assert right["largest_over_passes"] < 1e-5
    assert off["largest_over_passes"] == pytest.approx(0.001, rel=0.02)
    assert off["top1"] == 1
    (line,) = parity.too_large({"emotion": {"tiny": found}})
    assert line.startswith("tiny on off, CPU, f32: mean over T = 20: largest error 0.001, at most 0.0001")


def test_a_net_that_cannot_be_run_is_reported_and_the_others_are_measured(material):
    pytest.importorskip("torch", reason="torch is not installed; the reference runs in it")
    pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")

    def refusing(spec, threads, precision):
        raise EngineError("There is no room.")

    backends = [backend_of("full", OpenVinoRunner, open=refusing), backend_of("right", OpenVinoRunner)]
    nets = {"emotion": {"tiny": parity.measure(KINDS["emotion"], "tiny", material, backends)}}
    assert list(parity.too_large(nets)) == ["tiny on full, CPU, f32: There is no room."]
    assert "| `tiny` | full, CPU, f32 | failed | failed | failed | failed |" in parity.tables(nets)
    assert "| `tiny` | right, CPU, f32 | " in parity.tables(nets)


def test_errors_of_probabilities():
    exact = np.full((2, 3, 7), 1 / 7)
    ours = exact.copy()
    ours[0, 1, 4] += 0.1
    ours[1, 1, 4] -= 0.06
    ours[1, 2, 5] += 0.02
    theirs = exact.copy()
    theirs[:, 2, 1] += 0.015  # so the likeliest of this face is another
    parts = [{"a": ours[:, :2], "b": ours[:, :1]}, {"a": ours[:, 2:], "b": ours[:, 1:2]}]
    wanted = [{"a": theirs[:, :2], "b": theirs[:, :1]}, {"b": theirs[:, 1:2], "a": theirs[:, 2:]}]
    found = probability_errors(parts, wanted)
    assert found["largest"] == pytest.approx(0.1)
    assert found["mean"] == pytest.approx((2 * (0.1 + 0.06) + 0.02 + 2 * 0.015) / (2 * 5 * 7))
    assert found["largest_over_passes"] == pytest.approx(0.02)
    assert found["top1"] == pytest.approx(2 / 5)


def test_errors_of_colors_are_distances():
    exact = {"ab": np.zeros((1, 2, 2, 2)), "confidence": np.full((1, 1, 2, 2), 0.5)}
    ab, confidence = exact["ab"].copy(), exact["confidence"].copy()
    ab[0, :, 0, 1] = 3, -4
    confidence[0, 0, 1, 1] = 0.3
    found = color_errors([{"ab": ab, "confidence": confidence}], [exact])
    assert found == pytest.approx(
        {"largest": 5, "mean": 1.25, "largest_of_confidence": 0.2, "mean_of_confidence": 0.05}
    )


def test_errors_of_samples_do_not_wrap_around():
    ours, theirs = np.array([[0, 255, 7, 7]], np.uint8), np.array([[1, 250, 7, 7]], np.uint8)
    assert sample_errors([{"painted": ours}], [{"painted": theirs}]) == {"largest": 5, "mean": 1.5}


@pytest.mark.parametrize(("mean", "lines"), [(0.09, 0), (0.1, 0), (0.11, 1), (float("nan"), 1)])
def test_only_errors_above_their_tolerance_are_reported(mean, lines):
    row = {"backend": "GPU", "precision": "f16", "largest": 9.0, "mean": mean}
    assert len(list(parity.too_large({"style": {"fast": {"rows": [row]}}}))) == lines


def test_the_page_is_filled_between_its_marks():
    page = parity.filled("before\n<!-- parity -->old<!-- /parity -->\nafter", "new")
    assert page == "before\n<!-- parity -->\n\nnew\n\n<!-- /parity -->\nafter"
    with pytest.raises(ConfigurationError, match="lacks the marks"):
        parity.filled("<!-- parity -->", "new")


def test_what_the_machine_lacks_is_left_out_and_named(capsys):
    here = backend_of("here", OpenVinoRunner, packages=("numpy",))
    there = backend_of("there", OpenVinoRunner, packages=("numpy", "no-such-package"))
    assert parity.present([here, there]) == [here]
    assert capsys.readouterr().err == "left out: there on cpu: no-such-package not installed.\n"


def test_backends_of_a_gpu_are_left_out_where_there_is_none(capsys):
    torch = pytest.importorskip("torch", reason="torch is not installed; it looks for GPUs")
    if torch.cuda.is_available():
        pytest.skip("there is an NVIDIA GPU")
    assert parity.present([backend_of("fast", OpenVinoRunner, device="cuda")]) == []
    assert "left out: fast on cuda: The device cuda cannot be used: torch" in capsys.readouterr().err


def test_one_net_measured_anew_leaves_the_others_as_they_were(material, tmp_path, capsys):
    pytest.importorskip("torch", reason="torch is not installed; the reference runs in it")
    pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")
    usage = np.array([1, 1, 1, 0], np.int8)
    np.savez(tmp_path / "faces.npz", images=material.faces.images, labels=material.faces.labels, usage=usage)
    cv2.imwrite(str(tmp_path / "photo.png"), material.photos[0])
    page, out = tmp_path / "page.md", tmp_path / "parity.json"
    page.write_text("# Page\n<!-- parity --><!-- /parity -->\n")
    row = {"backend": "B", "precision": "f32", "largest": 1.0, "mean": 0.0005}
    kept = {"sha256": "0", "rows": [row]}
    out.write_text(json.dumps({"nets": {"style": {"fast": kept, "gone": kept}}}))
    nets = parity.run(tmp_path / "faces.npz", [tmp_path / "photo.png"], ["tiny"], out, page)
    assert {kind: list(found) for kind, found in nets.items()} == {
        "emotion": ["tiny"],
        "colorizer": [],
        "style": ["fast"],
    }
    record = json.loads(out.read_text())
    assert record["nets"] == json.loads(json.dumps(nets))
    assert (record["faces"], record["photos"]) == (3, 1)
    assert record["nets"]["style"]["fast"] == kept
    assert page.read_text() == f"# Page\n<!-- parity -->\n\n{parity.tables(nets)}\n\n<!-- /parity -->\n"
    assert "| `fast` | B, f32 | 1 | 0.0005 (at most 0.01) |" in page.read_text()
    assert not list(parity.too_large(nets))


def test_an_unknown_net_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigurationError, match=r"No net tinny ships\. Nets: "):
        parity.run(tmp_path / "none.npz", [tmp_path / "none"], ["tinny"], tmp_path / "out.json", tmp_path / "page.md")
