"""Which chains can be rendered on a device, and by what."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from emocolor.effects import EFFECTS, ColormapOptions, GradeOptions, StyleOptions, TintOptions  # noqa: E402
from engines.device.planes import OwnMemory  # noqa: E402
from engines.device.style import DeviceStyle  # noqa: E402
from engines.device.table import DEVICE_EFFECTS, fits_device, make_device_effects  # noqa: E402
from engines.device.tint import DeviceTint  # noqa: E402
from engines.style import NetStyleTransfer, load_style_transfer  # noqa: E402


class Nets:
    """Loads style nets on the CPU."""

    def colorizer(self, net: str) -> Any:
        raise AssertionError(net)

    def style_transfer(self, net: str, precision: Any) -> NetStyleTransfer:
        return load_style_transfer(net, device="cpu", precision=precision)


def test_names_are_those_of_the_effects() -> None:
    assert DEVICE_EFFECTS.keys() <= EFFECTS.keys()


@pytest.mark.parametrize(
    ("chain", "fits"),
    [
        ((), True),
        ((TintOptions(), ColormapOptions(), StyleOptions()), True),
        ((TintOptions(region="face"),), True),
        ((TintOptions(), GradeOptions()), False),
        ((ColormapOptions(preprocess="sobel"),), False),
        ((StyleOptions(region="face"),), False),
        ((object(),), False),
    ],
)
def test_chains_fit_if_every_effect_does(chain: Any, fits: bool) -> None:
    assert fits_device(chain) == fits


def test_a_chain_begins_with_memory_of_its_own() -> None:
    effects = make_device_effects((StyleOptions(), TintOptions()), Nets())
    assert [type(effect) for effect in effects] == [OwnMemory, DeviceStyle, DeviceTint]
    assert [type(effect) for effect in make_device_effects((), Nets())] == [OwnMemory]
