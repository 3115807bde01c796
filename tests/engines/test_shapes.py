"""Nets take and return what is stated, and everything else is refused, in every runtime."""

from dataclasses import replace

import numpy as np
import pytest

from emocolor.errors import EngineError
from engines.onnx_file import TensorType, read_interface
from engines.runners.selection import BACKENDS, CheckedRunner
from engines.shapes import Axis, check_graph, check_outputs, inputs_of, output_shapes, outputs_of
from engines.spec import (
    colorizer_names,
    emotion_net_names,
    read_colorizer_spec,
    read_emotion_spec,
    read_style_spec,
    style_net_names,
)

SPECS = [
    *map(read_emotion_spec, emotion_net_names()),
    *map(read_colorizer_spec, colorizer_names()),
    *map(read_style_spec, style_net_names()),
]
ON_CPU = [backend for backend in BACKENDS if backend.device == "cpu"]


def arrays(spec, length):
    return {one.name: np.ones(one.shape(length), one.dtype) for one in inputs_of(spec)}


def opened(backend, spec):
    for package in backend.packages:
        pytest.importorskip(package, reason=f"{package} is not installed")
    return CheckedRunner(spec, backend.open(spec, 1, "f32"))


@pytest.mark.parametrize("backend", ON_CPU, ids=lambda one: one.name)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_least_of_every_size_is_taken_and_gives_what_is_stated(spec, backend):
    found = opened(backend, spec).run(arrays(spec, lambda axis: axis.least))
    assert tuple(found) == outputs_of(spec)
    shapes = {name: value.shape for name, value in found.items()}
    if "faces" in inputs_of(spec)[0].name:
        assert set(shapes.values()) == {(1, 1, 7)}
    elif "ab" in shapes:
        assert shapes == {"ab": (1, 2, 8, 8), "confidence": (1, 1, 8, 8)}
    else:
        assert shapes == {"painted": (1, 36, 36, 3)}
        assert found["painted"].dtype == np.uint8


@pytest.mark.parametrize("backend", ON_CPU, ids=lambda one: one.name)
def test_what_a_net_does_not_take_is_refused_in_one_line(backend):
    tiny, film, fast = (opened(backend, next(s for s in SPECS if s.name == name)) for name in ("tiny", "film", "fast"))
    faces = arrays(SPECS[emotion_net_names().index("tiny")], lambda axis: axis.usual)
    gray = arrays(read_colorizer_spec("film"), lambda axis: axis.least)
    rgb = arrays(read_style_spec("fast"), lambda axis: axis.least)
    cases = [
        (tiny, {"faces": faces["faces"]}, r"Net tiny takes the inputs faces, mask_0, mask_1; got faces\."),
        (tiny, {}, "got none"),
        (tiny, faces | {"more": faces["faces"]}, "got faces, mask_0, mask_1, more"),
        (tiny, faces | {"faces": np.ones((9, 1, 48, 48), np.float32)}, r"N from 1 to 8; got float32 \(9, 1, 48, 48\)"),
        (tiny, faces | {"faces": np.ones((0, 1, 48, 48), np.float32)}, "N from 1 to 8"),
        (tiny, faces | {"faces": np.ones((1, 1, 64, 64), np.float32)}, r"\(N, 1, 48, 48\)"),
        (tiny, faces | {"faces": np.ones((1, 1, 48, 48))}, "got float64"),
        (tiny, faces | {"mask_1": faces["mask_1"][:3]}, r"mask_1 as float32 \(T, 128\) with T from 1 to 64; got"),
        (film, gray | {"gray": np.ones((1, 1, 250, 256), np.float32)}, "H from 32 to 1024 in steps of 32 and W from"),
        (film, gray | {"gray": np.ones((1, 1, 32, 1056), np.float32)}, r"got float32 \(1, 1, 32, 1056\)"),
        (film, gray | {"gray": np.ones((1, 32, 32), np.float32)}, r"got float32 \(1, 32, 32\)"),
        (fast, rgb | {"rgb": np.ones((1, 38, 36, 3), np.uint8)}, "H from 36 to 8192 in steps of 4"),
        (fast, rgb | {"mixture": np.ones((1, 7), np.float32)}, r"mixture as float32 \(1, 8\); got"),
    ]
    for runner, inputs, words in cases:
        with pytest.raises(EngineError, match=words) as caught:
            runner.run(inputs)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_graphs_take_and_give_what_is_stated(spec):
    pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")
    pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")
    from engines.nets.graphs import graph_of

    graph = graph_of(spec)
    assert graph.inputs == tuple(one.name for one in inputs_of(spec))
    assert graph.outputs == outputs_of(spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_bounds_are_ordered(spec):
    axes = {axis for one in inputs_of(spec) for axis in one.axes if isinstance(axis, Axis)}
    assert axes
    for axis in axes:
        assert axis.has(axis.least)
        assert axis.has(axis.usual)
        assert axis.has(axis.most)
        assert axis.engine_most is None or (axis.usual < axis.engine_most < axis.most and axis.has(axis.engine_most))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_graphs_of_all_cards_that_ship_fit_them(spec):
    check_graph(spec, read_interface(spec.weights.read_bytes()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"crop_size": 64},
            r"takes faces as float32 \(N, 1, 64, 64\) .*; its graph takes faces as .* \(\?, 1, 48, 48\)",
        ),
        ({"dropouts": {}}, "takes the inputs faces; its graph takes faces, mask_0, mask_1"),
        ({"dropouts": {"mask_0": ((256,), 0.5), "mask_1": ((64,), 0.5)}}, r"takes mask_1 as float32 \(T, 64\)"),
        ({"label_sets": ("fer2013", "smiles")}, "has no output 'smiles'; its graph has fer2013, ferplus"),
    ],
)
def test_a_card_that_does_not_fit_its_graph_is_refused(changes, words):
    spec = read_emotion_spec("tiny")
    with pytest.raises(EngineError, match=words):
        check_graph(replace(spec, **changes), read_interface(spec.weights.read_bytes()))


@pytest.mark.parametrize(
    ("faces", "words"),
    [
        (TensorType("faces", 1, (8, 1, 48, 48)), r"float32 \(8, 1, 48, 48\)"),
        (TensorType("faces", 1, None), "float32 of any shape"),
        (TensorType("faces", 11, (None, 1, 48, 48)), "another type"),
        (TensorType("faces", 2, (None, 1, 48, 48)), "uint8"),
    ],
)
def test_a_graph_of_another_size_or_type_is_refused(faces, words):
    """A fixed number of faces too: there may be any from one to the most in a run."""
    spec = read_emotion_spec("tiny")
    graph = read_interface(spec.weights.read_bytes())
    with pytest.raises(EngineError, match=f"its graph takes faces as {words}"):
        check_graph(spec, replace(graph, inputs=(faces, *graph.inputs[1:])))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_outputs_of_another_shape_or_without_a_number_are_refused(spec):
    inputs = arrays(spec, lambda axis: axis.least)
    good = {name: np.ones(shape, np.float32) for name, shape in output_shapes(spec, inputs).items()}
    check_outputs(spec, inputs, good)
    for name, value in good.items():
        with pytest.raises(EngineError, match=rf"Net {spec.name} should put out {name} as \(.*; got \("):
            check_outputs(spec, inputs, good | {name: value[..., :-1]})
        with pytest.raises(EngineError, match="values that are no numbers"):
            check_outputs(spec, inputs, good | {name: value * np.float32(np.nan)})
