"""A whole job with every kind of net needs neither torch nor anything else that CPU users need not install."""

import json
import subprocess
import sys

import av
import pytest

from engines.runners.devices import has_nvidia_driver

JOB = """
import json, sys

class Watch:
    def __init__(self):
        self.tried = []

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {barred!r}:
            self.tried.append(name)
            raise ImportError(f"{{name}} is barred")
        return None

watch = Watch()
sys.meta_path.insert(0, watch)
from stream.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    print(json.dumps({{"code": end.code, "tried": watch.tried, "loaded": sorted(sys.modules)}}))
"""
BARRED = ["torch", "onnx", "onnxruntime", "torch_tensorrt", "tensorrt", "triton", "matplotlib"]


def run(*arguments):
    script = JOB.format(barred=BARRED, arguments=[*map(str, arguments)])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


no_driver = pytest.mark.skipif(has_nvidia_driver(), reason="with an NVIDIA driver torch is asked about its GPU")


@pytest.mark.parametrize("device", [pytest.param("auto", marks=no_driver), "cpu"])
def test_a_job_with_every_kind_of_net_never_asks_for_torch(device, demo_clip, tmp_path):
    out = tmp_path / "out.mp4"
    effects = ("--effect", "colorize,grade,style:.5,tint:.2", "--region", "person", "--force")
    found, stderr = run(demo_clip, "-o", out, *effects, "--to", "0.3", "--device", device)
    assert (found["code"], found["tried"], stderr) == (0, [], "")
    assert {"openvino", "mediapipe"} <= set(found["loaded"])
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 8


@no_driver
@pytest.mark.parametrize("command", ["list", "build", "bench", "clear"])
def test_commands_about_engines_need_it_neither(command):
    options = {"build": ["tiny"], "bench": ["tiny", "--runs", "2"]}.get(command, [])
    found, stderr = run("engines", command, *options)
    assert found["code"] == 0
    assert [name for name in found["tried"] if name != "onnxruntime"] == []
    assert ("left out: tiny in ONNX Runtime, f32" in stderr) == (command == "bench")


def test_help_loads_no_runtime():
    found, _ = run("engines", "build", "--help")
    assert (found["code"], found["tried"]) == (0, [])
    assert not {"openvino", "mediapipe"} & set(found["loaded"])
