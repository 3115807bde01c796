"""Inputs and outputs of nets: names, types and shapes, and the bounds within which sizes may vary.

=========  ==================  ==========================  ====================================================
net        input               type and shape              values
=========  ==================  ==========================  ====================================================
emotion    ``faces``           float32 (N, 1, S, S)        gray crops, 0 to 1
emotion    ``mask_0``, ...     float32 (T, ...)            0 where dropped, 1 / (1 - rate) where kept
colorizer  ``gray``            float32 (1, 1, H, W)        R'G'B' gray, 0 to 1
colorizer  ``temperature``     float32 (1,)                above 0 (``engines.spec.ColorChoice``)
colorizer  ``rebalancing``     float32 (1,)                exponent of the weights in training
style      ``rgb``             uint8 (1, H, W, 3)          sRGB
style      ``mixture``         float32 (1, 8)              weights of seven styles and the identity, sum 1
=========  ==================  ==========================  ====================================================

=========  ==================  ==========================  ====================================================
net        output              type and shape              values
=========  ==================  ==========================  ====================================================
emotion    one per label set   float32 (T, N, 7)           probabilities of every pass
colorizer  ``ab``              float32 (1, 2, H/4, W/4)    a* and b* of CIELAB
colorizer  ``confidence``      float32 (1, 1, H/4, W/4)    above 0, up to 1
style      ``painted``         uint8 (1, H, W, 3)          sRGB
=========  ==================  ==========================  ====================================================

The bounds are stated only here. Three parts must agree on them and read them here: the check before a run on any
backend, the sizes that ``torch.export`` leaves open, and the profile (least, usual, most) of a TensorRT engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emocolor.classifier import FACES_PER_RUN
from emocolor.effects.colorize import INPUT_MAX_SIDE
from emocolor.effects.style import MIN_INPUT_SIDE
from emocolor.emotions import EMOTIONS
from emocolor.errors import EngineError

from .onnx_file import Interface, TensorType
from .spec import AnySpec, ColorizerSpec, EmotionNetSpec, StyleSpec

ELEMENTS: Final[dict[type[np.generic], int]] = {np.float32: 1, np.uint8: 2}
"""By NumPy type: TensorProto.DataType of ONNX."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis whose length may vary. Axes with the same name have the same length."""

    name: str
    least: int
    usual: int
    """The length that engines are tuned for and that benchmarks use."""
    most: int
    step: int = 1
    """Lengths are multiples of this."""
    engine_most: int | None = None
    """A lower maximum for TensorRT, whose engines reserve memory for the longest axes."""

    def has(self, length: int) -> bool:
        """Whether the axis may have this length."""
        return self.least <= length <= self.most and length % self.step == 0

    def __str__(self) -> str:
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.name} from {self.least} to {self.most}{steps}"


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input array of a net."""

    name: str
    dtype: type[np.generic]
    axes: tuple[int | Axis, ...]

    def shape(self, length: Callable[[Axis], int]) -> tuple[int, ...]:
        """The shape, with the length of each axis that may vary from ``length``."""
        return tuple(axis if isinstance(axis, int) else length(axis) for axis in self.axes)

    def __str__(self) -> str:
        names = ", ".join(axis.name if isinstance(axis, Axis) else str(axis) for axis in self.axes)
        ranges = dict.fromkeys(str(axis) for axis in self.axes if isinstance(axis, Axis))
        where = f" with {' and '.join(ranges)}" if ranges else ""
        return f"{self.name} as {np.dtype(self.dtype)} ({names}){where}"


FACES: Final = Axis(name="N", least=1, usual=1, most=FACES_PER_RUN)
PASSES: Final = Axis(name="T", least=1, usual=10, most=64)
"""Monte Carlo passes in one run; ``engines.emotion.EmotionNetRunner`` splits more into several runs."""


def inputs_of(spec: AnySpec) -> tuple[Input, ...]:
    """A net's inputs, in the order of its graph."""
    match spec:
        case EmotionNetSpec():
            faces = Input(name="faces", dtype=np.float32, axes=(FACES, 1, spec.crop_size, spec.crop_size))
            shapes = ((name, shape) for name, (shape, _) in spec.dropouts.items())
            return faces, *(Input(name=name, dtype=np.float32, axes=(PASSES, *shape)) for name, shape in shapes)
        case ColorizerSpec():
            least, step = spec.multiple, spec.multiple
            height = Axis(name="H", least=least, usual=256, most=INPUT_MAX_SIDE, step=step)
            width = Axis(name="W", least=least, usual=448, most=INPUT_MAX_SIDE, step=step)
            gray = Input(name="gray", dtype=np.float32, axes=(1, 1, height, width))
            return gray, *(Input(name=name, dtype=np.float32, axes=(1,)) for name in ("temperature", "rebalancing"))
        case StyleSpec():
            height = Axis(name="H", least=MIN_INPUT_SIDE, usual=360, most=8192, step=spec.multiple, engine_most=2560)
            width = Axis(name="W", least=MIN_INPUT_SIDE, usual=640, most=8192, step=spec.multiple, engine_most=2560)
            rgb = Input(name="rgb", dtype=np.uint8, axes=(1, height, width, 3))
            return rgb, Input(name="mixture", dtype=np.float32, axes=(1, 8))


def outputs_of(spec: AnySpec) -> tuple[str, ...]:
    """Names of a net's outputs, in the order of its graph."""
    match spec:
        case EmotionNetSpec():
            return spec.label_sets
        case ColorizerSpec():
            return "ab", "confidence"
        case StyleSpec():
            return ("painted",)


def check_graph(spec: AnySpec, graph: Interface) -> None:
    """Raise ``EngineError`` if a graph's inputs and outputs are not those that follow from its card."""
    found = {one.name: one for one in graph.inputs}
    wanted = {one.name: one for one in inputs_of(spec)}
    if found.keys() != wanted.keys():
        raise EngineError(
            f"By its card net {spec.name} takes the inputs {', '.join(wanted)}; "
            f"its graph takes {', '.join(found) or 'none'}."
        )
    for name, one in wanted.items():
        if found[name].element != ELEMENTS[one.dtype] or not _may_be(found[name], one.axes):
            raise EngineError(f"By its card net {spec.name} takes {one}; its graph takes {_in_words(found[name])}.")
    names = [one.name for one in graph.outputs]
    if missing := [name for name in outputs_of(spec) if name not in names]:
        raise EngineError(f"Net {spec.name} has no output '{missing[0]}'; its graph has {', '.join(names)}.")


def _may_be(tensor: TensorType, axes: tuple[int | Axis, ...]) -> bool:
    """Whether all lengths of these axes fit, so that one that varies is left open."""
    dims = tensor.dims
    return dims is not None and dims == tuple(None if isinstance(axis, Axis) else axis for axis in axes)


def _in_words(tensor: TensorType) -> str:
    dims = "of any shape" if tensor.dims is None else str(tensor.dims).replace("None", "?")
    element = next((np.dtype(name) for name, number in ELEMENTS.items() if number == tensor.element), "another type")
    return f"{tensor.name} as {element} {dims}"


def output_shapes(spec: AnySpec, arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """The shape of every output for inputs that the net takes."""
    match spec:
        case EmotionNetSpec():
            passes = next((len(arrays[name]) for name in spec.dropouts), 1)
            return dict.fromkeys(spec.label_sets, (passes, len(arrays["faces"]), len(EMOTIONS)))
        case ColorizerSpec():
            height, width = (side // 4 for side in arrays["gray"].shape[2:4])
            return {"ab": (1, 2, height, width), "confidence": (1, 1, height, width)}
        case StyleSpec():
            return {"painted": arrays["rgb"].shape}


def check_outputs(spec: AnySpec, arrays: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]) -> None:
    """Raise ``EngineError`` if what a net put out for these inputs has other shapes, or values that are no numbers."""
    for name, shape in output_shapes(spec, arrays).items():
        if found[name].shape != shape:
            raise EngineError(f"Net {spec.name} should put out {name} as {shape}; got {found[name].shape}.")
        if np.issubdtype(found[name].dtype, np.floating) and not np.isfinite(found[name]).all():
            raise EngineError(f"Net {spec.name} put out {name} with values that are no numbers.")


def check_inputs(net: str, inputs: tuple[Input, ...], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise ``EngineError`` if the arrays are not what the net takes."""
    if arrays.keys() != {one.name for one in inputs}:
        wanted = ", ".join(one.name for one in inputs)
        raise EngineError(f"Net {net} takes the inputs {wanted}; got {', '.join(arrays) or 'none'}.")
    lengths: dict[str, int] = {}
    for one in inputs:
        array = arrays[one.name]
        if array.dtype != one.dtype or not _fits(array.shape, one.axes, lengths):
            raise EngineError(f"Net {net} takes {one}; got {array.dtype} {array.shape}.")


def _fits(shape: tuple[int, ...], axes: tuple[int | Axis, ...], lengths: dict[str, int]) -> bool:
    """Whether a shape has these axes. Lengths of axes that vary are compared with ``lengths``, or entered there."""
    if len(shape) != len(axes):
        return False
    for length, axis in zip(shape, axes, strict=True):
        if isinstance(axis, int):
            if length != axis:
                return False
        elif not axis.has(length) or lengths.setdefault(axis.name, length) != length:
            return False
    return True
