"""What all colorizers in torch have in common, on those of the papers."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from engines.nets.ab_bins import AbBins  # noqa: E402
from engines.nets.colorizer import scaled_width  # noqa: E402
from engines.nets.s1_colorizer import S1Colorizer  # noqa: E402
from engines.nets.s2_colorizer import S2Colorizer  # noqa: E402
from engines.nets.s4_colorizer import S4Colorizer  # noqa: E402

NARROW = {
    "s1": lambda: S1Colorizer(width=1 / 8),
    "s2": lambda: S2Colorizer(AbBins(12), width=1 / 16),
    "s2-l2": lambda: S2Colorizer(None, width=1 / 16),
    "s4": lambda: S4Colorizer("lite0", width=1 / 8),
    "s4-none": lambda: S4Colorizer("none", width=1 / 8),
}


@pytest.fixture
def gray():
    return torch.rand(2, 1, 24, 88, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("multiples", [(1, 1), (3, 11), (9, 2)])
def test_the_output_has_the_stated_form(name, multiples):
    net = NARROW[name]().eval()
    height, width = (count * net.multiple for count in multiples)
    with torch.inference_mode():
        output = net(torch.rand(2, 1, height, width))
    assert torch.isfinite(output).all()
    match net.output_form:
        case "rgb":
            assert output.shape == (2, 3, height, width)
            assert 0 <= output.min() <= output.max() <= 1
        case "ab":
            factor = 4 if name == "s2-l2" else 1
            assert output.shape == (2, 2, height // factor, width // factor)
        case "bins":
            assert output.shape == (2, len(net.bins), height // 4, width // 4)


@pytest.mark.parametrize("name", NARROW)
def test_bfloat16_and_channels_last_change_little(name, gray):
    torch.manual_seed(0)
    net = NARROW[name]().eval()
    with torch.inference_mode():
        plain = net(gray)
        net = net.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            fast = net(gray.to(memory_format=torch.channels_last))
    assert (fast.float() - plain).abs().max() < 0.05 * plain.abs().max()
    if net.output_form != "bins":
        assert fast.dtype == torch.float32


def test_width_scales_channels_in_steps_of_eight():
    assert S1Colorizer(width=0.3).encoder[0].out_channels == 16
    assert S2Colorizer(None, width=0.001).groups[0][0].out_channels == 8
    assert scaled_width(64, 1) == 64
    assert scaled_width(64, 0.001) == 8
    with pytest.raises(AssertionError):
        scaled_width(64, 0)
