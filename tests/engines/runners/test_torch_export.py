"""What TensorRT engines are built from: every net exports with its sizes open, to operations that TensorRT has."""

from itertools import product

import numpy as np
import pytest

from engines.shapes import Axis, inputs_of
from engines.spec import (
    colorizer_names,
    emotion_net_names,
    read_colorizer_spec,
    read_emotion_spec,
    read_style_spec,
    style_net_names,
)

torch = pytest.importorskip("torch", reason="torch is not installed; it exports the nets")
pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")

from engines.nets.efficientnet_lite import SameConv2d  # noqa: E402
from engines.nets.graphs import graph_of  # noqa: E402
from engines.runners.torch_export import FloatGraph, exported, float_inputs  # noqa: E402

# torch.export itself uses what torch deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SPECS = [
    *map(read_emotion_spec, emotion_net_names()),
    *map(read_colorizer_spec, colorizer_names()),
    *map(read_style_spec, style_net_names()),
]
CONVERTED = {
    "_native_batch_norm_legit.no_stats",
    "_native_batch_norm_legit_no_training.default",
    "_softmax.default",
    "_to_copy.default",
    "abs.default",
    "add.Tensor",
    "addmm.default",
    "arange.start_step",
    "avg_pool2d.default",
    "cat.default",
    "clamp.default",
    "clone.default",
    "constant_pad_nd.default",
    "convolution.default",
    "div.Tensor",
    "expand.default",
    "hardtanh.default",
    "index.Tensor",
    "mean.dim",
    "mm.default",
    "mul.Tensor",
    "permute.default",
    "pow.Tensor_Scalar",
    "reciprocal.default",
    "relu.default",
    "slice.Tensor",
    "squeeze.dims",
    "sub.Tensor",
    "sum.dim_IntList",
    "sym_size.int",
    "unsqueeze.default",
    "upsample_bilinear2d.vec",
    "upsample_nearest2d.vec",
    "view.default",
    # Not in the list, but each has a lowering pass of its own, or one that removes it.
    "max_pool2d_with_indices.default",
    "_assert_tensor_metadata.default",
}
"""ATen operations that our nets use, of those that Torch-TensorRT lists as converted or lowered ("Operators
Supported", docsrc/indices/supported_ops.rst of its repository)."""
BUILT_IN = {"add", "sub", "mul", "getitem"}
"""Python's operators on sizes, likewise."""


def given(spec, length):
    """Tensors of the sizes from ``length``, as the float graph takes them."""
    random = np.random.default_rng(0)
    return [
        torch.from_numpy(random.random(one.shape(length), np.float32) + 0.1) for one in float_inputs(inputs_of(spec))
    ]


def sizes_to_try(spec):
    """Of every axis the usual and two others, where the work is not large."""
    axes = {a.name: a for one in float_inputs(inputs_of(spec)) for a in one.axes if isinstance(a, Axis)}
    choices = [(axis.least + axis.step, axis.least + 3 * axis.step) for axis in axes.values()]
    return [dict(zip(axes, lengths, strict=True)) for lengths in product(*choices)]


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_net_exports_with_its_sizes_open(spec):
    graph = graph_of(spec)
    program = exported(graph, inputs_of(spec), device="cpu", precision="f32").run_decompositions()
    used = {node.target for node in program.graph.nodes if node.op == "call_function"}
    aten = {str(target).removeprefix("aten.") for target in used if isinstance(target, torch._ops.OpOverload)}
    assert aten <= CONVERTED
    assert {target.__name__ for target in used if not isinstance(target, torch._ops.OpOverload)} <= BUILT_IN
    dtypes = {node.meta["val"].dtype for node in program.graph.nodes if isinstance(node.meta.get("val"), torch.Tensor)}
    assert dtypes <= {torch.float32, torch.int64}, "TensorRT has no other type here"

    module, plain = program.module(), FloatGraph(graph, "cpu", "f32").eval()
    with torch.inference_mode():
        for lengths in sizes_to_try(spec):
            tensors = given(spec, lambda axis, lengths=lengths: lengths[axis.name])
            for found, wanted in zip(module(*tensors), plain(*tensors), strict=True):
                assert torch.allclose(found, wanted, atol=1e-5 if "ab" not in graph.outputs else 1e-3)


@pytest.mark.slow
def test_precision_is_part_of_the_graph():
    """TensorRT 11 does what the types of the graph say; what comes out is float32. Autocast's choice on the CPU."""
    spec = read_emotion_spec("tiny")
    graph = graph_of(spec)
    program = exported(graph, inputs_of(spec), device="cpu", precision="f16").run_decompositions()
    values = {n: n.meta["val"].dtype for n in program.graph.nodes if isinstance(n.meta.get("val"), torch.Tensor)}
    convolutions = [dtype for node, dtype in values.items() if "convolution" in str(node.target)]
    assert set(convolutions) == {torch.float16}
    tensors = given(spec, lambda axis: axis.least + 1)
    with torch.inference_mode():
        found, wanted = program.module()(*tensors), FloatGraph(graph, "cpu", "f32").eval()(*tensors)
    assert {part.dtype for part in found} == {torch.float32}
    difference = max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True))
    assert 0 < difference < 0.02


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_padding_of_the_backbone_is_tensorflow_s_same(kernel, stride):
    """ceil(side / stride) outputs, what is uneven behind; written in ``SameConv2d`` so that it exports."""
    convolution = SameConv2d(1, 1, kernel, stride)
    for side in range(1, 100):
        before, behind = convolution.padding_for(side)
        outputs = -(-side // stride)
        assert before + behind == max(0, (outputs - 1) * stride + kernel - side)
        assert 0 <= behind - before <= 1


def test_an_engine_takes_float_images_within_its_bounds():
    rgb, mixture = float_inputs(inputs_of(read_style_spec("fast")))
    assert rgb.dtype is mixture.dtype is np.float32
    assert rgb.shape(lambda axis: axis.usual) == (1, 3, 360, 640)
    assert rgb.shape(lambda axis: axis.most) == (1, 3, 2560, 2560)
    faces, *masks = float_inputs(inputs_of(read_emotion_spec("s0")))
    assert faces.shape(lambda axis: axis.most) == (8, 1, 48, 48)
    assert [mask.shape(lambda axis: axis.most)[0] for mask in masks] == [64] * 5
