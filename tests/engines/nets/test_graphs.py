"""The graphs that ship, as torch modules with names."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")
pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")

from emocolor.errors import EngineError  # noqa: E402
from engines.nets.graphs import graph_of, packed, unpacked  # noqa: E402
from engines.runners.openvino import OpenVinoRunner  # noqa: E402
from engines.spec import read_colorizer_spec, read_emotion_spec, read_style_spec  # noqa: E402

SPECS = {
    "emotion": read_emotion_spec("tiny"),
    "colorizer": read_colorizer_spec("film"),
    "style": read_style_spec("fast"),
}
INPUTS = {
    "emotion": {"faces": (2, 1, 48, 48)},
    "colorizer": {"gray": (1, 1, 64, 96)},
    "style": {"rgb": (1, 40, 48, 3)},
}


def inputs_for(kind):
    random = np.random.default_rng(3)
    if kind == "emotion":
        masks = {name: np.ones((2, *shape), np.float32) for name, (shape, _) in SPECS[kind].dropouts.items()}
        return {"faces": random.random(INPUTS[kind]["faces"], np.float32), **masks}
    if kind == "colorizer":
        return {
            "gray": random.random(INPUTS[kind]["gray"], np.float32),
            "temperature": np.float32(0.5),
            "rebalancing": np.float32(0.3),
        }
    mixture = np.zeros((1, 8), np.float32)
    mixture[0, [2, 5]] = 0.5
    return {"rgb": random.integers(0, 256, INPUTS[kind]["rgb"], np.uint8), "mixture": mixture}


@pytest.mark.parametrize("kind", SPECS)
def test_a_graph_computes_what_its_onnx_file_does(kind):
    spec, given = SPECS[kind], inputs_for(kind)
    graph = graph_of(spec)
    with torch.inference_mode():
        found = graph.module(*(torch.as_tensor(given[name]) for name in graph.inputs))
    found = found if isinstance(found, tuple) else (found,)
    expected = OpenVinoRunner(spec.weights, threads=1, precision="f32").run(given)
    for name, value in zip(graph.outputs, found, strict=True):
        assert np.abs(value.numpy().astype(np.float64) - expected[name]).max() <= (1 if kind == "style" else 0.05)


def test_images_survive_the_way_there_and_back():
    codes = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(-1, -1, -1, 3)
    assert unpacked(codes).shape == (1, 3, 16, 16)
    assert torch.equal(packed(unpacked(codes)), codes)
    assert torch.equal(
        packed(torch.tensor([-1.0, 2.0, 0.5]).reshape(1, 3, 1, 1)).flatten(), torch.tensor([0, 255, 128]).byte()
    )


def test_a_definition_that_is_not_known_is_refused():
    with pytest.raises(EngineError, match="Unknown net definition 'contex'; did you mean 'context'"):
        graph_of(replace(SPECS["colorizer"], definition="contex"))


def test_the_definition_decides_the_net():
    with pytest.raises(EngineError, match="lacks attention"):
        graph_of(replace(SPECS["colorizer"], definition="context"))


def test_a_layout_that_is_not_known_is_refused():
    with pytest.raises(EngineError, match="Unknown layout of a style net 'wide'; known are full, fast"):
        graph_of(replace(SPECS["style"], definition="wide"))
