"""What the export scripts share: parameters inside ONNX files, and files that appear only once they were checked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.nets.from_onnx import HALF


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A temporary folder whose files are copied to ``target`` when the block ends without an error."""
    with TemporaryDirectory() as folder:
        yield Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        for file in Path(folder).iterdir():
            shutil.copyfile(file, target / file.name)


def name_and_halve(model: onnx.ModelProto, names: set[str]) -> None:
    """Give each parameter its name in torch, and store kernels as float16 that the graph widens.

    Biases and batch norm are small and sensitive, so they stay float32.
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
