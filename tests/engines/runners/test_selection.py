"""The first runtime that can run a net runs it, and every net outputs the same in all of them."""

import numpy as np
import pytest

from emocolor.errors import EngineError, MissingDependencyError
from engines.runners.base import Backend
from engines.runners.devices import has_nvidia_driver
from engines.runners.selection import BACKENDS, first_usable, open_runner
from engines.spec import (
    colorizer_names,
    emotion_net_names,
    read_colorizer_spec,
    read_emotion_spec,
    read_style_spec,
    style_net_names,
)

NETS = [
    *((read_emotion_spec, name) for name in emotion_net_names()),
    *((read_colorizer_spec, name) for name in colorizer_names()),
    *((read_style_spec, name) for name in style_net_names()),
]
TOLERANCE = {"probability": 1e-4, "ab": 0.05, "confidence": 1e-3, "painted": 1}
"""Largest difference between backends in float32: of a probability, in CIELAB units, and in codes of 255."""


def inputs_of(spec):
    """Something plausible for each kind of net."""
    random = np.random.default_rng(0)
    if hasattr(spec, "dropouts"):
        faces = random.random((3, 1, spec.crop_size, spec.crop_size), np.float32)
        masks = {
            name: (random.random((2, *shape)) >= rate).astype(np.float32) / np.float32(1 - rate)
            for name, (shape, rate) in spec.dropouts.items()
        }
        return {"faces": faces} | masks
    if hasattr(spec, "paintings"):
        mixture = random.dirichlet(np.ones(8)).astype(np.float32)
        return {"rgb": random.integers(0, 256, (1, 64, 96, 3), np.uint8), "mixture": mixture[None]}
    choice = spec.choice(0.5)
    return {
        "gray": random.random((1, 1, 64, 96), np.float32),
        "temperature": np.array([choice.temperature], np.float32),
        "rebalancing": np.array([choice.rebalancing], np.float32),
    }


def differences(ours, theirs):
    """The largest of each output, over what it may be."""
    assert ours.keys() == theirs.keys()
    return {
        name: float(np.abs(value.astype(np.float64) - theirs[name]).max())
        / TOLERANCE.get(name, TOLERANCE["probability"])
        for name, value in ours.items()
    }


@pytest.mark.parametrize(("read", "name"), NETS, ids=[name for _, name in NETS])
def test_torch_agrees_with_the_cpu_s_runtime(read, name):
    pytest.importorskip("torch", reason="torch is not installed; nets run on OpenVINO alone")
    pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")
    from engines.nets.graphs import graph_of
    from engines.runners.torch import TorchRunner

    spec = read(name)
    inputs = inputs_of(spec)
    torch_runner = TorchRunner(graph_of(spec), device="cpu")
    found, wanted = torch_runner.run(inputs), open_runner(spec, device="cpu").run(inputs)
    assert torch_runner.backend == "torch cpu"
    assert max(differences(found, wanted).values()) <= 1
    for output, value in found.items():
        assert value.dtype == wanted[output].dtype
        assert value.shape == wanted[output].shape


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize(("read", "name"), NETS, ids=[name for _, name in NETS])
def test_the_gpu_agrees_with_the_cpu(read, name, precision):
    spec = read(name)
    inputs = inputs_of(spec)
    found, wanted = (
        open_runner(spec, device=d, precision=p).run(inputs) for d, p in (("cuda", precision), ("cpu", "f32"))
    )
    coarser = {"f32": 10, "f16": 200}[precision]
    assert max(differences(found, wanted).values()) <= coarser


@pytest.mark.skipif(has_nvidia_driver(), reason="there may be an NVIDIA GPU")
def test_without_a_gpu_nets_run_on_the_cpu(caplog):
    with caplog.at_level("INFO", logger="engines.runners.selection"):
        open_runner(read_emotion_spec("tiny"))
    assert "net tiny on OpenVINO CPU, f32" in caplog.text


def test_half_floats_are_for_gpus():
    with pytest.raises(EngineError, match="f16 is for GPUs"):
        open_runner(read_emotion_spec("tiny"), device="cpu", precision="f16")


class Named:
    """A runner that is known by its name."""

    def __init__(self, backend):
        self.backend = backend

    def run(self, inputs):
        return dict(inputs)


def backend(name, result, precisions=("f32",)):
    """One that opens, giving its precision in its name, or raises."""

    def opened(spec, threads, precision):
        if isinstance(result, Exception):
            raise result
        return Named(f"{name} {precision}")

    return Backend(name=name, device="cpu", packages=(), precisions=precisions, open=opened)


ABSENT, BROKEN = MissingDependencyError("A is absent."), EngineError("B cannot run it.")


def test_the_first_that_can_run_a_net_runs_it(caplog):
    caplog.set_level("INFO")
    spec = read_emotion_spec("tiny")
    chain = [backend("A", ABSENT), backend("B", BROKEN), backend("C", None), backend("D", None)]
    assert first_usable(spec, chain, 1, "f32").backend == "C f32"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages == ["net tiny on C f32, f32 (A is absent.) (B cannot run it.)"]
    caplog.clear()
    assert first_usable(spec, chain[2:], 1, "f32").backend == "C f32"
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_one_that_has_not_the_precision_runs_in_f32():
    chain = [backend("A", BROKEN, ("f32", "bf16")), backend("B", None)]
    assert first_usable(read_emotion_spec("tiny"), chain, 1, "bf16").backend == "B f32"
    assert first_usable(read_emotion_spec("tiny"), [backend("A", None, ("f32", "bf16"))], 1, "bf16").backend == "A bf16"


def test_where_none_can_the_error_is_of_one_that_is_installed():
    def raised(*results):
        chain = [backend("x", result) for result in results]
        with pytest.raises((EngineError, MissingDependencyError)) as caught:
            first_usable(read_emotion_spec("tiny"), chain, 1, "f32")
        return caught.value

    later = EngineError("later")
    assert raised(BROKEN, ABSENT) is BROKEN
    assert raised(ABSENT, BROKEN) is BROKEN
    assert raised(BROKEN, later, ABSENT) is later
    assert raised(ABSENT, MissingDependencyError("B, too")) is ABSENT


def test_a_programming_mistake_is_no_reason_to_go_on():
    with pytest.raises(ZeroDivisionError):
        first_usable(read_emotion_spec("tiny"), [backend("A", ZeroDivisionError()), backend("B", None)], 1, "f32")


def test_the_order_of_runtimes():
    assert [(one.name, one.device) for one in BACKENDS] == [
        ("TensorRT", "cuda"),
        ("torch.compile", "cuda"),
        ("torch", "cuda"),
        ("OpenVINO", "cpu"),
        ("ONNX Runtime", "cpu"),
    ]


def test_auto_is_float32(caplog):
    caplog.set_level("INFO", logger="engines.runners.selection")
    open_runner(read_emotion_spec("tiny"), device="cpu")
    open_runner(read_emotion_spec("tiny"), device="cpu", precision="bf16")
    assert [message.rsplit(" ", 1)[1] for message in caplog.messages] == ["f32", "bf16"]


def test_what_a_net_does_not_take_is_refused():
    with pytest.raises(EngineError, match="Net tiny takes the inputs faces, mask_0, mask_1; got none"):
        open_runner(read_emotion_spec("tiny"), device="cpu").run({})
