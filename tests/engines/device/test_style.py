"""The style on device frames against the CPU's."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx", reason="onnx is not installed; graphs read weights with it")

from emocolor.effects import Style, StyleOptions  # noqa: E402
from emocolor.errors import OutOfMemoryError  # noqa: E402
from emocolor.faces import Scene  # noqa: E402
from emocolor.frames import Frame  # noqa: E402
from engines.device.planes import OwnMemory  # noqa: E402
from engines.device.style import DeviceStyle, _mirrored, paint  # noqa: E402
from engines.nets.graphs import graph_of  # noqa: E402
from engines.runners.selection import CheckedRunner  # noqa: E402
from engines.runners.torch import TorchRunner  # noqa: E402
from engines.spec import read_style_spec  # noqa: E402
from engines.style import NetStyleTransfer  # noqa: E402
from tests.engines.device.device_frames import DEVICES, noise, on_device  # noqa: E402

MIXTURE = np.array([0, 0, 0, 0.7, 0.3, 0, 0, 0], np.float32)


@pytest.fixture(scope="module")
def style_nets() -> dict[str, NetStyleTransfer]:
    """The smallest style net that ships, in torch, by device."""
    spec = read_style_spec("fast")
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return {
        one: NetStyleTransfer(spec, CheckedRunner(spec, TorchRunner(graph_of(spec), device=one))) for one in devices
    }


class Inverting:
    """Gives the negative, where each sample depends on one alone."""

    backend = "test"

    def run(self, inputs: Any) -> Any:
        return {"painted": 255 - inputs["rgb"]}

    run_tensors = run


def blotches() -> Frame:
    """Coarse noise with the contrast of a photo: nets that normalise would amplify the rounding of a flat image."""
    host = noise(322, 182)
    blurred = [cv2.GaussianBlur(plane, (0, 0), 6).astype(np.float32) for plane in host.planes]
    stretched = ((plane - plane.mean()) / plane.std() * 50 + 128 for plane in blurred)
    return replace(host, planes=tuple(plane.clip(16, 235).astype(np.uint8) for plane in stretched))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", [{}, {"keep": "luma"}, {"keep": "chroma"}, {"detail": 1, "strength": 0.5}])
@pytest.mark.parametrize("size", [96, 182])
@pytest.mark.parametrize("net", ["fast", "inverting"])
def test_a_style_is_the_cpu_s_but_for_rounding(
    device: Any, options: dict[str, Any], size: int, net: str, style_nets: dict[str, NetStyleTransfer]
) -> None:
    chosen = StyleOptions(fixed={"happy": 0.7, "sad": 0.3}, size=size, **options)
    host, scene = blotches(), Scene(time=0)
    given = on_device(host, device)
    inverting = NetStyleTransfer(read_style_spec("fast"), Inverting())
    one, other = (inverting, inverting) if net == "inverting" else (style_nets["cpu"], style_nets[device.type])
    expected = Style(chosen, one).apply(replace(host, planes=tuple(plane.copy() for plane in host.planes)), scene)
    found = DeviceStyle(chosen, other).apply(OwnMemory().apply(given, scene), scene)
    changed = 0
    for plane, wanted, before in zip(found.copy().planes, expected.planes, host.planes, strict=True):
        difference = plane.astype(int) - wanted
        changed += int((wanted != before).any())
        assert abs(difference).max() <= 3
        assert abs(difference).mean() < 0.25
    assert changed >= 1


def test_no_style_leaves_every_sample() -> None:
    frame = OwnMemory().apply(on_device(noise(64, 48), "cpu"), Scene(time=0))
    DeviceStyle(
        StyleOptions(fixed={"happy": 1}, strength=0), NetStyleTransfer(read_style_spec("fast"), Inverting())
    ).apply(frame, Scene(time=0))
    assert np.array_equal(frame.copy().planes[0], noise(64, 48).planes[0])


@pytest.mark.parametrize("size", [(96, 128), (93, 127), (37, 99)])
def test_tensors_are_painted_as_arrays_are(size: tuple[int, int], style_nets: dict[str, NetStyleTransfer]) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    expected = style_nets["cpu"].paint(rgb, MIXTURE)
    assert np.array_equal(paint(style_nets["cpu"], torch.from_numpy(rgb), MIXTURE).numpy(), expected)


def test_without_memory_or_tensors_the_image_goes_through_host_memory() -> None:
    class Runner:
        """Inverts what has few pixels."""

        backend = "test"

        def run(self, inputs: Any) -> Any:
            if inputs["rgb"].size > 3 * 200 * 120:
                raise OutOfMemoryError("no room")
            return {"painted": 255 - inputs["rgb"]}

    class TensorRunner(Runner):
        def run_tensors(self, inputs: Any) -> Any:
            raise OutOfMemoryError("no room")

    spec = read_style_spec("fast")
    for runner in (Runner(), TensorRunner()):
        painted = paint(NetStyleTransfer(spec, runner), torch.full((300, 400, 3), 100, dtype=torch.uint8), MIXTURE)
        assert painted.shape == (300, 400, 3)
        assert bool((painted == 155).all())


def test_mirroring_repeats_the_last_sample_once() -> None:
    assert _mirrored(4, 9, torch.device("cpu")).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert _mirrored(1, 3, torch.device("cpu")).tolist() == [0, 0, 0]
