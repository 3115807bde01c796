"""The table of effects."""

import numpy as np
import pytest

from emocolor import EMOTIONS, Frame, Scene
from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.effects import EFFECTS, Colorize
from emocolor.effects.table import entry_of
from emocolor.errors import ConfigurationError
from emocolor.frames import PIXEL_FORMATS, ColorSpec
from emocolor.options import options_of
from engines.device.table import DEVICE_EFFECTS, fits_device


class Still:
    """Nets that change nothing."""

    def colorizer(self, net):
        return self

    def style_transfer(self, net, precision):
        return self

    def estimate(self, gray, vividness):
        return ChromaEstimate(ab=np.zeros((8, 8, 2), np.float32), confidence=np.ones((8, 8), np.float32))

    def paint(self, rgb, mixture):
        return rgb


def frame():
    planes = (np.full((64, 64), 100, np.uint8), *(np.full((32, 32), 128, np.uint8) for _ in range(2)))
    return Frame(planes=planes, format=PIXEL_FORMATS["yuv420p"], color=ColorSpec(), pts=0, time_base=1)


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_is_built_and_works(name):
    entry = EFFECTS[name]
    options = entry.options()
    assert options.section == name
    assert entry_of(options) is entry
    assert entry.description.endswith(".")
    assert (entry.build is None) != (entry.build_temporal is None)
    scene = Scene(time=0.0, probabilities=np.full(7, 1 / len(EMOTIONS)), certainty=1.0)
    if entry.build is not None:
        assert entry.build(options, Still()).apply(frame(), scene).size_wh == (64, 64)
    else:
        effect = entry.build_temporal(options, Still())
        assert isinstance(effect, Colorize)
        assert len([*effect.add(frame(), cut=True), *effect.end()]) == 1


@pytest.mark.parametrize("name", EFFECTS)
def test_the_main_option_is_one_of_its_own(name):
    entry = EFFECTS[name]
    assert entry.main in ["", *(one.name for one in options_of(entry.options))]


def test_a_value_behind_a_colon_is_the_main_option():
    assert EFFECTS["tint"].with_main(EFFECTS["tint"].options(), "0.25").alpha == 0.25
    assert EFFECTS["colormap"].with_main(EFFECTS["colormap"].options(), "hot").gradient.name == "hot"
    with pytest.raises(ConfigurationError, match="takes no value"):
        EFFECTS["overlay"].with_main(EFFECTS["overlay"].options(), "1")


def test_effects_on_devices_are_effects_of_the_table():
    assert set(DEVICE_EFFECTS) <= set(EFFECTS)
    chain = [EFFECTS["tint"].options(), EFFECTS["style"].options()]
    assert fits_device(chain)
    assert not fits_device([*chain, EFFECTS["grade"].options()])
    assert not fits_device([*chain, object()])
