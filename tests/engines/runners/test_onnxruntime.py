"""ONNX Runtime computes what OpenVINO computes, and replaces it where it is missing."""

import subprocess
import sys

import numpy as np
import pytest

from emocolor.errors import EngineError, MissingDependencyError
from engines.runners.onnxruntime import OnnxRunner
from engines.runners.openvino import OpenVinoRunner
from engines.shapes import inputs_of
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
TOLERANCE = {"ab": 0.05, "confidence": 1e-3, "painted": 1}
"""Largest difference in float32: in CIELAB units, in codes of 255; of a probability 1e-4."""
needs_onnxruntime = pytest.mark.skipif(
    "not __import__('importlib.util').util.find_spec('onnxruntime')", reason="onnxruntime is not installed"
)


@needs_onnxruntime
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_it_computes_what_openvino_computes(spec):
    random = np.random.default_rng(0)
    shapes = {one.name: (one.dtype, one.shape(lambda axis: axis.least + 2 * axis.step)) for one in inputs_of(spec)}
    inputs = {
        name: random.integers(0, 256, shape, np.uint8) if dtype is np.uint8 else random.random(shape, np.float32) + 0.1
        for name, (dtype, shape) in shapes.items()
    }
    found, wanted = (kind(spec.weights, threads=2).run(inputs) for kind in (OnnxRunner, OpenVinoRunner))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        assert np.abs(found[name].astype(float) - value).max() <= TOLERANCE.get(name, 1e-4)


@needs_onnxruntime
def test_a_file_that_is_no_net_is_an_engine_error(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no net")
    with pytest.raises(EngineError, match=r"ONNX Runtime cannot read net\.onnx: .") as caught:
        OnnxRunner(tmp_path / "net.onnx", threads=1)
    assert "\n" not in str(caught.value)


def test_without_it_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"emocolor-stream\[onnxruntime\]"):
        OnnxRunner(read_emotion_spec("tiny").weights, threads=1)


@needs_onnxruntime
def test_a_job_without_openvino_runs_in_it_and_says_so(demo_clip, tmp_path):
    script = f"""
import sys
sys.modules["openvino"] = None
from stream.cli import main
main([{str(demo_clip)!r}, "--timeline", {str(tmp_path / "t.csv")!r}, "--to", "0.3", "--net", "tiny",
      "--precision", "bf16"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert "net tiny on ONNX Runtime CPU, f32 (OpenVINO cannot be imported" in line
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1 + 3
