"""The virtual camera: what is missing is reported before anything is opened."""

from fractions import Fraction

import pytest

from emocolor.errors import MissingDependencyError, SinkError
from emocolor.frames import ColorSpec
from stream.live.output.canvas import Canvas
from stream.live.output.queued_output import OutputFormat
from stream.live.output.virtual_camera import LOOPBACK_MODULE, VirtualCamera, check_virtual_camera


def test_without_the_package_the_extra_is_named():
    with pytest.raises(MissingDependencyError, match=r"pip install 'emocolor-stream\[camera\]'"):
        check_virtual_camera(package="no_such_package")


def test_without_the_kernel_module_it_is_named(tmp_path):
    with pytest.raises(MissingDependencyError, match="modprobe v4l2loopback"):
        check_virtual_camera(package="av", loopback_module=tmp_path / "none", system="linux")


def test_with_both_and_on_other_systems_nothing_is_missing(tmp_path):
    check_virtual_camera(package="av", loopback_module=tmp_path, system="linux")
    check_virtual_camera(package="av", loopback_module=tmp_path / "none", system="darwin")


def test_a_camera_that_cannot_be_opened_is_an_output_that_fails():
    pytest.importorskip("pyvirtualcam", reason="the extra 'camera' is not installed")
    if LOOPBACK_MODULE.exists():
        pytest.skip("there is a virtual camera")
    with pytest.raises(SinkError, match="The virtual camera cannot be used: "):
        VirtualCamera(OutputFormat(Canvas((64, 48), ColorSpec()), Fraction(25), None))
