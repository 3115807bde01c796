"""Nets that OpenVINO compiled before are loaded from the cache, and compute the same."""

import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest

from emocolor.errors import EngineError, MissingDependencyError
from engines.cache import EngineCache
from engines.runners.openvino import OpenVinoRunner, openvino_key
from engines.runners.selection import open_runner
from engines.shapes import inputs_of
from engines.spec import read_colorizer_spec, read_emotion_spec, read_style_spec

SPECS = [read_emotion_spec("ours"), read_emotion_spec("tiny"), read_colorizer_spec("film"), read_style_spec("fast")]


def noise(spec):
    random = np.random.default_rng(0)
    shapes = {one.name: (one.dtype, one.shape(lambda axis: axis.least + 2 * axis.step)) for one in inputs_of(spec)}
    return {
        name: random.integers(0, 256, shape, np.uint8) if dtype is np.uint8 else random.random(shape, np.float32) + 0.1
        for name, (dtype, shape) in shapes.items()
    }


def opened(spec, cache, **options):
    return OpenVinoRunner(spec.weights, **{"threads": 1} | options, cache=cache, sha256=spec.sha256)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_net_that_is_loaded_is_the_net_that_was_compiled(spec, tmp_path, caplog):
    caplog.set_level("INFO")
    inputs = noise(spec)
    runners = [opened(spec, None), *(opened(spec, EngineCache(tmp_path)) for _ in range(2))]
    assert caplog.text.count("building") == 1
    compiled, built, loaded = (runner.run(inputs) for runner in runners)
    for name, value in compiled.items():
        assert np.array_equal(value, built[name])
        assert np.array_equal(value, loaded[name])


def test_threads_and_precision_are_those_asked_for_not_those_of_the_build(tmp_path):
    spec = read_emotion_spec("tiny")
    opened(spec, EngineCache(tmp_path))
    opened(spec, EngineCache(tmp_path), threads=2)
    assert len(list(tmp_path.iterdir())) == 1
    exact, coarse = (opened(spec, EngineCache(tmp_path), precision=p).run(noise(spec)) for p in ("f32", "bf16"))
    assert len(list(tmp_path.iterdir())) == 2
    again = opened(spec, EngineCache(tmp_path), precision="bf16").run(noise(spec))
    assert np.array_equal(coarse["ferplus"], again["ferplus"])
    capabilities = openvino_key("tiny", "", "f32").facts["capabilities"]
    assert ("BF16" not in capabilities) == np.array_equal(coarse["ferplus"], exact["ferplus"])


@pytest.mark.parametrize("left", [0, 700, 100_000])
def test_a_cut_file_stops_nothing(left, tmp_path, caplog):
    spec = read_emotion_spec("tiny")
    wanted = opened(spec, EngineCache(tmp_path)).run(noise(spec))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:left])
    found = opened(spec, EngineCache(tmp_path)).run(noise(spec))
    assert np.array_equal(found["ferplus"], wanted["ferplus"])
    assert "damaged and is built again" in caplog.text


def test_what_openvino_cannot_load_is_compiled_again(tmp_path, caplog):
    """The hash is right, but the content is no blob of OpenVINO."""
    spec = read_emotion_spec("tiny")
    cache = EngineCache(tmp_path)
    cache.engine(openvino_key("tiny", spec.sha256, "f32"), bytes, lambda: (b"", b"something else"))
    assert opened(spec, cache).run(noise(spec))["ferplus"].shape == (3, 3, 7)
    assert "cannot be used and is built again: OpenVINO cannot load it" in caplog.text


def test_nets_of_the_program_are_kept_in_the_user_s_cache(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("EMOCOLOR_CACHE", str(tmp_path))
    caplog.set_level(logging.INFO)
    for _ in range(2):
        open_runner(read_emotion_spec("tiny"), device="cpu")
    assert caplog.text.count("building tiny for openvino") == 1
    assert [path.name.split("-")[:3] for path in tmp_path.iterdir()] == [["openvino", "tiny", "f32"]]


def test_a_file_that_is_no_net_is_an_engine_error(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no net")
    with pytest.raises(EngineError, match=r"OpenVINO cannot compile net\.onnx: ."):
        OpenVinoRunner(tmp_path / "net.onnx", threads=1)


def test_without_openvino_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match="pip install openvino"):
        OpenVinoRunner(read_emotion_spec("tiny").weights, threads=1)


def test_other_weights_of_one_name_are_another_net(tmp_path):
    cache = EngineCache(tmp_path / "cache")
    for spec in (read_emotion_spec("tiny"), read_emotion_spec("s0")):
        weights = tmp_path / "mine.onnx"
        shutil.copy(spec.weights, weights)
        found = OpenVinoRunner(weights, threads=1, cache=cache, sha256=spec.sha256).run(noise(spec))
        assert tuple(found) == spec.label_sets


PARALLEL_FIRST_RUNS = """
import sys, threading
import numpy as np
from engines.runners.openvino import OpenVinoRunner
from engines.spec import read_emotion_spec

spec = read_emotion_spec("tiny")
faces = {name: np.full((1, *shape), 0.5, np.float32) for name, shape in INPUTS.items()}
runners = [OpenVinoRunner(spec.weights, threads=1) for _ in range(4)]
together = threading.Barrier(len(runners))
sys.setswitchinterval(1e-6)

def run(runner):
    together.wait()
    runner.run(faces)
    sys.stdout.write("done\\n")

threads = [threading.Thread(target=run, args=(runner,)) for runner in runners]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_first_runs_may_be_in_parallel():
    """OpenVINO's binding by itself deadlocks there, with the whole interpreter."""
    spec = read_emotion_spec("tiny")
    shapes = {one.name: one.shape(lambda axis: axis.least)[1:] for one in inputs_of(spec)}
    script = PARALLEL_FIRST_RUNS.replace("INPUTS", repr(shapes))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["done"] * 4), done.stderr


@pytest.mark.parametrize("before", ["", "import openvino_telemetry as before"])
def test_telemetry_is_kept_from_openvino_alone(before):
    """Other code of the process may use that package, before and after."""
    script = f"""
{before}
import sys
from engines.runners.openvino import openvino_key
openvino_key("net", "", "f32")
from openvino.tools.ovc import telemetry
assert type(telemetry).__module__ == "openvino.tools.ovc.telemetry_stub"
import openvino_telemetry as after
assert "before" not in globals() or before is after
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
