"""What an ONNX file says about itself, read before any runtime sees it: its inputs, its outputs, and where its data is.

A file that keeps tensors outside of itself is refused. Its hash would not cover them, and ONNX Runtime takes a certain
name of such a file for an address in its own memory, which crashes the process.

ONNX is Protocol Buffers (onnx/onnx.proto; encoding: protobuf.dev/programming-guides/encoding). The few messages that
can hold a tensor are walked here, so the package ``onnx`` is not needed to run a net.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from emocolor.errors import EngineError

MOST_BYTES: Final = 2**31 - 1
"""The largest message that Protocol Buffers allow."""
MOST_FIELDS: Final = 500_000
"""Fields of a file's messages; nets with millions of parameters have a few thousand."""

EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of TensorProto that say that, and where, data is outside of the file."""

_CHILDREN: Final[dict[str, dict[int, str]]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
"""By message: the fields that lead to tensors, and which message each holds."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types."""


@dataclass(frozen=True)
class TensorType:
    """An input or output of a graph."""

    name: str
    element: int
    """A value of TensorProto.DataType: 1 is float32, 2 is uint8; 0 if it is not stated."""
    dims: tuple[int | None, ...] | None
    """Lengths, ``None`` for those that may vary; ``None`` as a whole if the number of axes is not stated."""


@dataclass(frozen=True, kw_only=True)
class Interface:
    """What goes into a graph and what comes out."""

    inputs: tuple[TensorType, ...]
    """Without weights, which old files list among the inputs too."""
    outputs: tuple[TensorType, ...]


class _Malformed(Exception):
    """The bytes are not Protocol Buffers, or not those of ONNX."""


def read_interface(content: bytes) -> Interface:
    """Inputs and outputs of an ONNX file, after a look at every tensor in it.

    Raises ``EngineError`` for what is no ONNX file, and for one that keeps data outside of itself.
    """
    try:
        _check_tensors(content)
        return _interface_of(memoryview(content))
    except (_Malformed, UnicodeDecodeError) as error:
        raise EngineError(f"It is no ONNX file: {error}.") from error


def _check_tensors(content: bytes) -> None:
    waiting, left = [("Model", memoryview(content))], MOST_FIELDS
    while waiting:
        message, body = waiting.pop()
        children = _CHILDREN[message]
        for field, value in _fields(body):
            left -= 1
            if left < 0:
                raise EngineError(f"It has more than {MOST_FIELDS} fields.")
            if message == "Tensor" and (field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0)):
                raise EngineError("It keeps data outside of the file. Save it with all its data inside.")
            if field in children:
                waiting.append((children[field], _message(value)))


def _interface_of(model: memoryview) -> Interface:
    graph = b"".join(_parts(model, 7))  # parts of a message that is there twice are merged
    body = memoryview(graph)
    weights = {_text(name) for tensor in _parts(body, 5) for name in _parts(tensor, 8)}
    inputs = tuple(one for one in map(_tensor_type, _parts(body, 11)) if one.name not in weights)
    outputs = tuple(map(_tensor_type, _parts(body, 12)))
    if not outputs:
        raise _Malformed("it has no graph with outputs")
    return Interface(inputs=inputs, outputs=outputs)


def _tensor_type(value_info: memoryview) -> TensorType:
    name = "".join(_text(part) for part in _parts(value_info, 1))
    element, dims = 0, None
    for tensor in (tensor for type_ in _parts(value_info, 2) for tensor in _parts(type_, 1)):
        for field, value in _fields(tensor):
            if field == 1 and isinstance(value, int):
                element = value
            if field == 2:
                dims = tuple(_length(dim) for dim in _parts(_message(value), 1))
    return TensorType(name, element, dims)


def _length(dim: memoryview) -> int | None:
    return next((value for field, value in _fields(dim) if field == 1 and isinstance(value, int)), None)


def _parts(message: memoryview, number: int) -> Iterator[memoryview]:
    """The contents of all fields of this number."""
    return (_message(value) for field, value in _fields(message) if field == number)


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Malformed("a number stands where a message belongs")
    return value


def _text(value: memoryview) -> str:
    return bytes(value).decode()


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message: a number for a varint, else the bytes."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise _Malformed(f"wire type {wire}")
        if size > end - at:
            raise _Malformed("it ends too early")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number at ``at`` and the place behind it."""
    value = 0
    for count in range(10):
        if at + count >= len(message):
            raise _Malformed("it ends too early")
        byte = message[at + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, at + count + 1
    raise _Malformed("a number has more than ten bytes")
