"""Parameters inside ONNX files, under the names that they have in torch."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.nets.from_onnx import HALF


def name_and_halve(model: onnx.ModelProto, names: set[str]) -> None:
    """Give each parameter its torch name, and store kernels as float16 that the graph widens.

    What is small and sensitive, biases and batch norm, stays float32.
    """
    graph = model.graph
    for tensor in list(graph.initializer):
        name = tensor.name.removeprefix("net.")
        if name not in names:
            continue
        _rename(graph, tensor.name, name)
        tensor.name = name
        if len(tensor.dims) > 1:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            graph.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(half, name + HALF))
            graph.node.insert(0, helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if value == old else value for value in node.input]
    for info in [value for value in graph.value_info if value.name == old]:
        graph.value_info.remove(info)
