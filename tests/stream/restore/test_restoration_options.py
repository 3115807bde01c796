import pytest

from emocolor.errors import ConfigurationError
from stream.restore.restoration_options import RestorationOptions


def test_nothing_is_restored_by_default():
    assert not RestorationOptions().is_needed


@pytest.mark.parametrize("options", [{"deinterlace": "auto"}, {"denoise": 0.1}, {"deflicker": True}])
def test_each_filter_alone_is_needed(options):
    assert RestorationOptions(**options).is_needed


def test_values_out_of_bounds_are_refused():
    with pytest.raises(ConfigurationError, match=r"denoise must be a number between 0 and 1, got 1\.5"):
        RestorationOptions(denoise=1.5)
