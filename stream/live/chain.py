"""The effects of a live picture, which can be changed between two frames."""

from dataclasses import dataclass, replace

from emocolor.effects import Colorize, ColorizeOptions, Overlay, Style, StyleOptions, TintOptions
from emocolor.faces import Scene
from emocolor.frames import Frame
from emocolor.person_regions import PersonMasks
from emocolor.protocols import Effect
from engines.runners.selection import Device

from ..effect_chain import EffectOptions
from ..graph import make_effects
from ..pipeline.rendering import with_chroma_planes
from .controls import Controls
from .shared_nets import SharedNets


@dataclass
class Chain:
    """What is done to each frame, in order. Not for two threads at once."""

    colorize: Colorize | None
    masks: PersonMasks | None
    effects: list[Effect]

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """The frame recoloured; its planes are written where its handle owns them."""
        frame = with_chroma_planes(frame)
        if self.colorize is not None:
            # Without look-ahead each frame comes back as it goes in.
            (frame,) = self.colorize.add(frame, cut=scene.cut)
        if self.masks is not None:
            scene = replace(scene, person=self.masks.next(frame, cut=scene.cut))
        for effect in self.effects:
            frame = effect.apply(frame, scene)
        return frame


class ChainBuilder:
    """Makes chains by controls, for one picture at a time."""

    def __init__(self, device: Device = "auto", *, nets: SharedNets | None = None) -> None:
        """``nets`` are shared with other builders, and then not closed with this one; else they run on ``device``."""
        self._nets = nets or SharedNets(device)
        self._owns_nets = nets is None
        self._colorize: Colorize | None = None

    def build(self, controls: Controls) -> Chain:
        """Raises ``EngineError`` and ``MissingDependencyError`` where a net cannot be used."""
        options = controls.effects()
        return Chain(
            colorize=self._colorize_of(options),
            masks=PersonMasks(self._nets.segmenter()) if any(map(_needs_person, options)) else None,
            effects=[effect for one in options for effect in self._effects_of(one)] + _overlay(controls, options),
        )

    def close(self) -> None:
        """Free what was loaded for this builder alone; no chain of it may run any more."""
        if self._owns_nets:
            self._nets.close()

    def _effects_of(self, options: EffectOptions) -> list[Effect]:
        if not isinstance(options, StyleOptions):
            return make_effects([options], "auto", overlay=False)
        return [Style(options, self._nets.style_transfer(options))]

    def _colorize_of(self, chain: tuple[EffectOptions, ...]) -> Colorize | None:
        """The one before where its options are the same: its colours go on."""
        options = chain[0] if chain else None
        if not isinstance(options, ColorizeOptions):
            return None
        if self._colorize is None or self._colorize.options != options:
            self._colorize = Colorize(options, self._nets.colorizer(options))
        return self._colorize


def _needs_person(options: EffectOptions) -> bool:
    return isinstance(options, TintOptions | StyleOptions) and options.needs_person


def _overlay(controls: Controls, options: tuple[EffectOptions, ...]) -> list[Effect]:
    tint = next((one for one in options if isinstance(one, TintOptions)), None)
    return [Overlay(tint.palette) if tint else Overlay()] if controls.overlay else []
