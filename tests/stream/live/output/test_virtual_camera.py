"""The virtual camera: what is missing is said before anything is opened."""

import sys
from fractions import Fraction

import pytest

from emocolor.errors import MissingDependencyError, SinkError
from emocolor.frames import ColorSpec
from stream.live.output import virtual_camera
from stream.live.output.canvas import Canvas
from stream.live.output.output import Form
from stream.live.output.virtual_camera import LOOPBACK_MODULE, VirtualCamera, check_virtual_camera


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(virtual_camera.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'emocolor-stream\[camera\]'"):
        check_virtual_camera()


def test_without_the_kernel_module_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(virtual_camera.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(virtual_camera, "LOOPBACK_MODULE", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(MissingDependencyError, match="modprobe v4l2loopback"):
        check_virtual_camera()


def test_a_camera_that_cannot_be_opened_is_an_output_that_fails():
    pytest.importorskip("pyvirtualcam", reason="the extra 'camera' is not installed")
    if LOOPBACK_MODULE.exists():
        pytest.skip("there is a virtual camera")
    with pytest.raises(SinkError, match="The virtual camera cannot be used: "):
        VirtualCamera(Form(Canvas((64, 48), ColorSpec()), Fraction(25), None))
