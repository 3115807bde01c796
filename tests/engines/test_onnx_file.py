"""Inputs and outputs are read as the package onnx reads them, and data outside of a file is found wherever it is."""

import contextlib
import random
from pathlib import Path

import numpy as np
import pytest

from emocolor.errors import EngineError
from engines.onnx_file import _CHILDREN, Interface, TensorType, read_interface

onnx = pytest.importorskip("onnx", reason="the extra 'train' is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WEIGHTS = sorted((Path(__file__).parents[2] / "engines/weights").glob("*/*.onnx"))
IN_MEMORY = "*/_ORT_MEM_ADDR_/*"
"""What ONNX Runtime takes for an address in its memory."""


def tensor(*, outside: bool = True):
    made = numpy_helper.from_array(np.ones(4, np.float32), "weight")
    if outside:
        made.ClearField("raw_data")
        made.data_location = TensorProto.EXTERNAL
        for key, value in (("location", IN_MEMORY), ("offset", "4096"), ("length", "16")):
            made.external_data.add(key=key, value=value)
    return made


def graph_with(*nodes, initializers=(), sparse=(), name="graph"):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])
    made = helper.make_graph([*nodes, helper.make_node("Identity", ["x"], ["y"])], name, [x], [y], list(initializers))
    made.sparse_initializer.extend(sparse)
    return made


def sparse_tensor():
    indices = numpy_helper.from_array(np.arange(4, dtype=np.int64))
    made = helper.make_sparse_tensor(tensor(outside=False), indices, [9])
    made.values.CopyFrom(tensor())
    return made


def constant(**attribute):
    return helper.make_node("Constant", [], ["c"], **attribute)


def model_with_training():
    made = helper.make_model(graph_with())
    made.training_info.add().algorithm.CopyFrom(graph_with(initializers=[tensor()]))
    return made


def model_with_function():
    made = helper.make_model(graph_with())
    function = helper.make_function("own", "f", ["a"], ["c"], [constant(value=tensor())], made.opset_import)
    made.functions.append(function)
    return made


OUTSIDE = {
    "initializer": lambda: helper.make_model(graph_with(initializers=[tensor()])),
    "sparse initializer": lambda: helper.make_model(graph_with(sparse=[sparse_tensor()])),
    "attribute": lambda: helper.make_model(graph_with(constant(value=tensor()))),
    "attribute with several": lambda: helper.make_model(graph_with(constant(values=[tensor(outside=False), tensor()]))),
    "sparse attribute": lambda: helper.make_model(graph_with(constant(sparse_value=sparse_tensor()))),
    "graph in a graph": lambda: helper.make_model(
        graph_with(helper.make_node("If", ["x"], ["c"], then_branch=graph_with(initializers=[tensor()])))
    ),
    "training": model_with_training,
    "function": model_with_function,
}


@pytest.mark.parametrize("place", OUTSIDE)
def test_data_outside_of_the_file_is_found(place):
    with pytest.raises(EngineError, match=r"keeps data outside of the file\. Save it with all its data inside\."):
        read_interface(OUTSIDE[place]().SerializeToString())


def test_a_name_of_other_data_is_enough():
    made = tensor(outside=False)
    made.external_data.add(key="location", value="weights.bin")
    with pytest.raises(EngineError, match="outside of the file"):
        read_interface(helper.make_model(graph_with(initializers=[made])).SerializeToString())


def test_every_way_to_a_tensor_is_walked():
    """As ONNX's own definition has it."""
    walked = {
        (f"{message}Proto".replace("TrainingProto", "TrainingInfoProto"), field)
        for message, children in _CHILDREN.items()
        for field in children
    }
    messages, waiting = {}, [onnx.ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if message.name not in messages:
            messages[message.name] = message
            waiting += [field.message_type for field in message.fields if field.message_type]

    def ways(leading):
        return {
            (name, field.number)
            for name, message in messages.items()
            for field in message.fields
            if field.message_type and field.message_type.name in leading
        }

    leading = {"TensorProto"}
    while (more := leading | {name for name, _ in ways(leading)}) != leading:
        leading = more
    assert ways(leading) == walked


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_nets_that_ship_are_read_as_onnx_reads_them(path):
    graph = onnx.load(path).graph
    weights = {one.name for one in graph.initializer}

    def types(values):
        return tuple(
            TensorType(
                one.name,
                one.type.tensor_type.elem_type,
                tuple(d.dim_value if d.HasField("dim_value") else None for d in one.type.tensor_type.shape.dim),
            )
            for one in values
        )

    wanted = Interface(inputs=types(i for i in graph.input if i.name not in weights), outputs=types(graph.output))
    assert read_interface(path.read_bytes()) == wanted


def test_weights_among_the_inputs_are_left_out():
    graph = graph_with(initializers=[tensor(outside=False)])
    graph.input.append(helper.make_tensor_value_info("weight", TensorProto.FLOAT, [4]))
    assert [one.name for one in read_interface(helper.make_model(graph).SerializeToString()).inputs] == ["x"]


def test_an_output_without_a_shape_is_told_from_one_without_axes():
    graph = graph_with()
    graph.output[0].type.tensor_type.ClearField("shape")
    assert read_interface(helper.make_model(graph).SerializeToString()).outputs[0].dims is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it has no graph with outputs"),
        (b"no net", "It is no ONNX file"),
        (b"\x3a\x7f", "it ends too early"),
        (b"\x3a", "it ends too early"),
        (b"\xff" * 20, "more than ten bytes"),
        (b"\x38\x01", "a number stands where a message belongs"),
        (b"\x3b", "wire type 3"),
        (b"\x3a\x04\x0a\x02\x08", "it ends too early"),
        (b"\x08\x00" * 600_000, "more than 500000 fields"),
    ],
)
def test_what_is_no_onnx_file_is_refused(content, words):
    with pytest.raises(EngineError, match=words):
        read_interface(content)


def test_deep_graphs_take_no_stack():
    body = b""
    for _ in range(3000):  # a graph in an attribute of a node of a graph
        for key in (0x32, 0x2A, 0x0A):
            size = len(body)
            varint = bytearray()
            while size >= 0x80:
                varint.append(size & 0x7F | 0x80)
                size >>= 7
            body = bytes([key, *varint, size]) + body
    with pytest.raises(EngineError, match="it has no graph with outputs"):
        read_interface(b"\x3a" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7 & 0x7F | 0x80, len(body) >> 14]) + body)


def test_damaged_files_end_in_one_of_our_errors_or_are_read():
    content = bytearray(WEIGHTS[0].read_bytes()[:20_000])
    chance = random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with contextlib.suppress(EngineError):
            read_interface(bytes(damaged))
