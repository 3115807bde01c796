"""Which effects can be rendered in GPU memory, and how they are built for it.

Names are those of :data:`emocolor.effects.EFFECTS`. Torch is imported only when an effect is built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emocolor.effects import ChainItem
from emocolor.options import EffectOptions
from emocolor.protocols import Effect, Nets


@dataclass(frozen=True, kw_only=True)
class DeviceEntry:
    """An effect's implementation for frames on a device."""

    fits: Callable[[Any], bool]
    """Whether it can render these options."""
    build: Callable[[Any, Nets], Effect]


def _tint(options: Any, nets: Nets) -> Effect:
    from .tint import DeviceTint

    return DeviceTint(options)


def _colormap(options: Any, nets: Nets) -> Effect:
    from .colormap import DeviceColormap

    return DeviceColormap(options)


def _style(options: Any, nets: Nets) -> Effect:
    from ..style import NetStyleTransfer
    from .style import DeviceStyle

    net = nets.style_transfer(options.net, options.precision)
    assert isinstance(net, NetStyleTransfer), net
    return DeviceStyle(options, net)


DEVICE_EFFECTS: Final[dict[str, DeviceEntry]] = {
    "tint": DeviceEntry(fits=lambda options: True, build=_tint),
    "colormap": DeviceEntry(fits=lambda options: options.preprocess == "none", build=_colormap),
    "style": DeviceEntry(fits=lambda options: options.region == "frame", build=_style),
}


def fits_device(chain: Sequence[ChainItem]) -> bool:
    """Whether every effect of a chain can be rendered in GPU memory."""
    return all(
        isinstance(item, EffectOptions) and item.section in DEVICE_EFFECTS and DEVICE_EFFECTS[item.section].fits(item)
        for item in chain
    )


def make_device_effects(chain: Sequence[ChainItem], nets: Nets) -> list[Effect]:
    """The effects in the order in which they apply. ``fits_device`` must hold."""
    from .planes import OwnMemory

    effects: list[Effect] = [OwnMemory()]
    for item in chain:
        assert isinstance(item, EffectOptions), item
        effects.append(DEVICE_EFFECTS[item.section].build(item, nets))
    return effects
