"""What exports share: files that appear whole or not at all, and parameters stored by name."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from engines.nets.from_onnx import HALF  # noqa: E402
from training.onnx_export import name_and_halve, staged  # noqa: E402


def test_files_appear_when_everything_was_checked(tmp_path):
    with staged(tmp_path / "package") as folder:
        (folder / "net.onnx").write_bytes(b"net")
        assert not (tmp_path / "package").exists()
    assert (tmp_path / "package" / "net.onnx").read_bytes() == b"net"
    assert not folder.exists()


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"old")

    def export():
        with staged(tmp_path) as folder:
            (folder / "net.onnx").write_bytes(b"new")
            raise ValueError("the check failed")

    with pytest.raises(ValueError, match="the check failed"):
        export()
    assert (tmp_path / "net.onnx").read_bytes() == b"old"


def test_kernels_are_stored_in_half_precision_under_their_names_in_torch():
    kernel, bias = np.full((2, 2), 1 / 3, np.float32), np.full(2, 1 / 3, np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "net.fc.weight", "net.fc.bias"], ["y"], transB=1)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(kernel, "net.fc.weight"), numpy_helper.from_array(bias, "net.fc.bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    name_and_halve(model, {"fc.weight", "fc.bias"})
    onnx.checker.check_model(model, full_check=True)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert {name: array.dtype.name for name, array in stored.items()} == {
        "fc.bias": "float32", "fc.weight" + HALF: "float16",
    }  # fmt: skip
    assert np.array_equal(stored["fc.bias"], bias)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Gemm"]
    assert list(model.graph.node[1].input) == ["x", "fc.weight", "fc.bias"]
